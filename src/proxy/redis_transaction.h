#pragma once
// RedisTransaction: what MULTI and WATCH leave with a client until EXEC, DISCARD or UNWATCH.
//
// Commands after MULTI are checked and queued here, and answered QUEUED. EXEC sends MULTI, the queue and EXEC in one
// piece to the node of the keys, so no state lasts on a backend connection, and one that clients share can carry it.
// Only WATCH needs a connection of the client's own, to which its transaction goes too.
// Commands that the proxy answers itself are kept apart; their answers are put into the array at their places.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer_pool.h"
#include "protocol/redis/reply_shape.h"
#include "proxy/leased_connection.h"
#include "routing/route.h"

namespace overlord::proxy {

class RedisTransaction {
 public:
  // The most that may be queued, bytes.
  static constexpr uint64_t kMaxQueued = 64 * 1024 * 1024;

  RedisTransaction(routing::RequestOwner& client, BufferPool& buffers, Pool* pool)
      : watch(client, pool), buffers_(buffers) {}
  ~RedisTransaction() { clear(); }
  RedisTransaction(const RedisTransaction&) = delete;
  RedisTransaction& operator=(const RedisTransaction&) = delete;

  // A command of the queue that the proxy answers.
  struct Local {
    uint32_t place;  // in the array
    std::string wire;
  };

  void begin();
  void clear();  // as if MULTI had never been
  void abort() { aborted_ = open_; }
  bool open() const { return open_; }
  bool aborted() const { return aborted_; }

  // False when that is more than may be queued. shape: of its reply, for a client that speaks RESP3.
  bool queue(std::string_view wire, redis::ShapeId shape);
  bool queue_local(std::string_view wire, redis::ShapeId shape);
  // "MULTI", the queue, "EXEC".
  std::string_view wire();
  std::string_view queue_so_far() const { return {bytes_.data, used_}; }  // without "EXEC"
  uint32_t size() const { return queued_ + static_cast<uint32_t>(locals_.size()); }
  uint32_t queued() const { return queued_; }                            // for the backend
  const std::vector<redis::ShapeId>& shapes() const { return shapes_; }  // of all; empty for RESP2
  const std::vector<Local>& locals() const { return locals_; }

  int32_t group = routing::kNoTarget;          // of the keys (Route::group); none yet
  std::string key;                             // the first of them
  uint64_t placement = 0;                      // of the pool, when the first key was placed (Pool::placement)
  LeasedConnection watch;                      // held from WATCH on
  int32_t watched_group = routing::kNoTarget;  // of the watched keys

 private:
  void append(std::string_view text);

  BufferPool& buffers_;
  Buffer bytes_;
  uint64_t used_ = 0;
  uint64_t local_bytes_ = 0;
  uint32_t queued_ = 0;
  bool open_ = false;
  bool aborted_ = false;
  std::vector<Local> locals_;
  std::vector<redis::ShapeId> shapes_;
};

}  // namespace overlord::proxy
