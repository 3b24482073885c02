#pragma once
// Request: one unit of work on its way from a client to a backend and back. From a pool, of fixed size.
//
//   client bytes -> Session: parse -> Request -> root.send() -> [routes: forward, answer, or push a hop] -> pool
//                                                                                              |  picks a backend
//                                                                                              v
//                                                    BackendConnection: bytes to `out`, Request to the queue
//                                                                                              |  one write per
//                                                                                              v  loop turn
//   client bytes <- Session: ordered flush <- owner <- hops popped: on_reply() <- match reply to head of queue
//
// Two parties may hold a request: its owner (a session, or a parent request that gathers children) and the queue
// of one backend connection. Whoever lets go last gives it back to the pool (RequestPool::release_*). An owner
// that leaves early (a client that went away, a timeout that was answered) leaves the request in the queue, where
// the late reply is matched to it and dropped.
//
// The reply is either a slice (reply, reply_size) or, when it came in pieces or is large, the bytes of
// `reply_chain`. A slice points into the loop's receive buffers (volatile: valid until end_of_turn), into
// `reply_buffer`, or at static text.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/buffer_pool.h"
#include "base/chunk.h"
#include "protocol/redis/reply_shape.h"
#include "routing/command_tag.h"
#include "routing/failure.h"

namespace overlord::routing {

class Route;
struct Request;

// A backend connection as the reader of a large reply sees it.
class ReplySource {
 public:
  virtual void resume_reply() noexcept = 0;  // after on_progress answered `pause`

 protected:
  ~ReplySource() = default;
};

enum class Progress : uint8_t { more, pause };

// Told once when a request has its answer (reply or failure). Must not release the request inside this call.
class RequestOwner {
 public:
  virtual void on_finished(Request& request) noexcept = 0;
  // More bytes of an unfinished reply were put into reply_chain; may take them from its front.
  // `pause`: the connection stops receiving until resume_reply().
  virtual Progress on_progress(Request&) noexcept { return Progress::more; }
  // The pause lasts too long for the requests that wait behind this one. The owner gives it up or takes the bytes;
  // the connection goes on receiving (and drops the bytes when there is no owner left).
  virtual void on_stalled(Request&) noexcept {}

 protected:
  ~RequestOwner() = default;
};

// What a backend answers to it, and so how its reply is read.
enum class Wire : uint8_t {
  redis,           // one RESP reply
  memcache_line,   // one line
  memcache_value,  // one key of a retrieval: a VALUE item or nothing; travels inside a memcache_group
  memcache_group,  // the retrieval command that carries memcache_value requests to one backend
  memcache_stats,  // STAT lines up to END
  memcache_meta,   // one meta reply: a line, or VA with a value. With a key_count the key in it is put into the reply
  none             // never goes to a backend
};

// How the session turns it into bytes for the client.
enum class Answer : uint8_t {
  reply,          // the reply as it is
  retrieval,      // memcache: items of the children (or its own), then END
  forward_child,  // the only child's reply as it is
  mget,           // redis: elements of the children's arrays in key order
  mset,           // redis: OK, or the first child's error
  sum,            // redis: integers of the children added
  merged,         // redis: as the command's treatment says
  stats,          // memcache: children's STAT lines merged
  quiet_mg,       // memcache meta: the reply, but for EN
  quiet_ms,       // memcache meta (ms, md): the reply, but for HD
  quiet_ma,       // memcache meta: the reply, but for HD and VA
  all_ok,         // OK when every child answered OK, else the first error
  exec            // redis: a transaction's array, with answers of the proxy's own in between
};

// Which connection a client uses at a backend. All that it has in flight at one backend uses one connection, so that
// nothing overtakes an earlier request of the same client. With nothing in flight it may change over.
struct Lane {
  uint32_t number = 0;   // the client's: its usual connection is number mod connections
  int32_t backend = -1;  // the one backend where another connection was chosen
  uint32_t chosen = 0;   // and which
  // Kept by a pool that follows redirections (SlotPool).
  uint32_t retrying = 0;  // its requests that wait to be sent again, or have been after such a wait
  uint32_t parked = 0;    // its requests that wait for those
  uint64_t since = 0;     // loop time at which it last had nothing in flight before
  bool wrote = false;     // what it has in flight since then is not only reads
};

struct Hop {
  Route* route;
  uint64_t scratch;
};

struct Request {
  static constexpr size_t kMaxHops = 8;

  // Links. next: the owner's list (a session's FIFO, a parent's children, a group's members).
  Request* next;
  Request* queue_next;  // the backend connection's FIFO
  RequestOwner* owner;  // null: nobody waits any more
  ReplySource* source;  // the connection whose queue holds it; null when none does
  Request* parent;      // set on children and on nothing else
  Lane* lane;           // its client's; read and written only while send() runs
  Request* members;     // memcache_group: its values, in order of the keys on the wire; linked by queue_next

  Wire wire;
  Answer answer;
  Failure failure;
  bool finished : 1;  // the answer is there
  bool held_by_owner : 1;
  bool held_by_queue : 1;
  bool noreply : 1;         // the client wants no answer
  bool error_reply : 1;     // the reply is an error line of the backend, whatever was asked
  bool reply_volatile : 1;  // the slice lies in the receive buffers
  bool streaming : 1;       // the reply is being passed on before it is whole
  bool take_in : 1;         // never paused for its slow reader
  bool source_paused : 1;   // its connection waits for resume_reply
  bool uploading : 1;       // its bytes are still arriving from the client
  bool internal : 1;        // the connection's own (handshake, probe)
  bool in_order : 1;        // its client has other requests in flight: it must not overtake them
  bool asking : 1;          // redis: ASKING goes in front of it on the same connection
  bool reached : 1;         // it failed, and its bytes may have reached the backend
  bool classic : 1;         // memcache: asked in older commands (ClassicExchange)
  bool queue_error : 1;     // a transaction: its reply is the error that one of its commands got instead of QUEUED
  uint8_t hop_count;
  uint8_t opcode;        // memcache binary: as the client sent it
  CommandTag tag;        // what it is counted as
  redis::ShapeId shape;  // redis: how the reply is written for a client that speaks RESP3; resp2: as it is

  // What is sent. Valid while Route::send runs, in the receive buffers or the session's partial message.
  std::string_view bytes;
  Buffer copy;  // the same, of a request that may be sent again (RequestPool::keep_bytes)
  uint64_t copy_size;
  std::string_view key;
  // memcache_value only: "get", "gets", or "gat 10", "gats 10": values with the same one may share a group.
  std::string_view retrieval;
  uint32_t key_hash;
  uint32_t pending;   // children without an answer
  uint32_t preludes;  // so many replies come before the last one (of a transaction: OK, QUEUED; of a classic one)
  uint32_t opaque;    // memcache binary: goes back to the client
  uint32_t weight;    // what it counts for in the client's pipeline: 1, or the keys of a multi-get
  const redis::Command* command;

  const char* reply;
  uint64_t reply_size;
  uint64_t ready_size;  // what its session counted for it when it was finished
  Buffer reply_buffer;
  ChunkQueue reply_chain;

  uint64_t began_at;  // loop time when it was parsed, ns; a child's is its parent's
  uint64_t sent_at;   // loop time when it was queued, ns
  // Of what was sent to a backend: when that had answered everything before it, when the answer was whole, and which.
  uint64_t served_at;
  uint64_t answered_at;
  uint64_t passed_on;   // bytes of the answer that the client got before it was whole
  int32_t backend;      // id; what was never sent has answered_at 0
  uint32_t noted_size;  // of the key, see note_key

  // A parent: its children in order, and for mget the child of each key.
  Request* children;
  Request* last_child;
  // uint16_t per key; memcache_meta: key_count bytes of a key that the reply is to show; memcache binary: the key that
  // goes back to the client, behind its length in one byte.
  Buffer key_map;
  uint32_t key_count;
  uint8_t key_before_hit;   // memcache_meta: flags in front of the key in HD and VA
  uint8_t key_before_miss;  // and in EN
  uint32_t child_count;

  std::array<Hop, kMaxHops> hops;
  static constexpr size_t kNotedBytes = 48;
  std::array<char, kNotedBytes> noted_key;

  std::string_view reply_view() const { return {reply, reply_size}; }
  std::string_view copy_view() const { return {copy.data, copy_size}; }
  // Keeps the front of the key, which is gone when the answer comes.
  void note_key(std::string_view text) {
    noted_size = static_cast<uint32_t>(std::min<size_t>(text.size(), UINT32_MAX));
    copy_front(text.data(), std::min(text.size(), kNotedBytes));
  }
  std::string_view noted_front() const { return {noted_key.data(), std::min<size_t>(noted_size, kNotedBytes)}; }
  // Overlapping pieces of fixed size: for a length that is known only now the compiler writes loops.
  void copy_front(const char* from, size_t size) {
    char* const to = noted_key.data();
    if (size >= 16) {
      std::memcpy(to, from, 16);
      if (size > 32) std::memcpy(to + 16, from + 16, 16);
      std::memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
      std::memcpy(to, from, 8);
      std::memcpy(to + size - 8, from + size - 8, 8);
    } else if (size >= 4) {
      std::memcpy(to, from, 4);
      std::memcpy(to + size - 4, from + size - 4, 4);
    } else {
      for (size_t i = 0; i < size; ++i) to[i] = from[i];
    }
  }
  void push_hop(Route* route, uint64_t scratch = 0);
  void set_static_reply(std::string_view text) {
    reply = text.data();
    reply_size = text.size();
    reply_volatile = false;
  }
};

// The answer is in place: runs the hops, then tells the owner or the parent.
void finish(Request& request) noexcept;
inline void fail(Request& request, Failure failure) noexcept {
  request.failure = failure;
  finish(request);
}

class RequestPool {
 public:
  RequestPool(ChunkPool& chunks, BufferPool& buffers) : chunks_(chunks), buffers_(buffers) {}
  ~RequestPool();
  RequestPool(const RequestPool&) = delete;
  RequestPool& operator=(const RequestPool&) = delete;

  // Held by its owner, everything else cleared.
  Request& take(Wire wire, Answer answer, RequestOwner* owner);
  // A child of parent, appended to its children; the parent's pending count goes up.
  Request& take_child(Request& parent, Wire wire);

  // The owner lets go. Children go with their parent; those still queued stay until their reply came.
  void release_owner(Request& request);
  // A parent that has taken what it needs from its children lets go of them all.
  void release_children(Request& parent);
  // The queue lets go.
  void release_queue(Request& request);

  // Copies its bytes, so that it can be sent again later; false when they are too many, or those of all requests are.
  bool keep_bytes(Request& request);
  // `from`'s answer becomes that of `to`, whose own is dropped.
  void move_reply(Request& from, Request& to);

  // Copies `text` into a buffer that the request owns.
  void set_reply(Request& request, std::string_view text);
  // Makes a volatile slice survive the turn.
  void keep_reply(Request& request);
  // Makes the whole reply one slice; a chain is copied.
  std::string_view flatten_reply(Request& request);
  void drop_reply(Request& request);

  void trim();
  size_t in_use() const { return in_use_; }
  size_t free_count() const { return free_count_; }
  ChunkPool& chunks() { return chunks_; }
  BufferPool& buffers() { return buffers_; }

 private:
  void recycle(Request& request);

  ChunkPool& chunks_;
  BufferPool& buffers_;
  static constexpr size_t kAlwaysKept = 4096;
  static constexpr size_t kMostCopied = 1024 * 1024;  // of one request
  static constexpr size_t kMostCopiedInAll = 64 * 1024 * 1024;

  Request* free_ = nullptr;
  size_t free_count_ = 0;
  size_t in_use_ = 0;
  size_t high_water_ = 0;
  size_t copied_ = 0;
};

}  // namespace overlord::routing
