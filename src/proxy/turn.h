#pragma once
// Turn: what one worker has to do when a loop turn ends, and the pools that its requests live in.
//
// Everything that produced bytes in the turn is flushed once: answers to clients at once; requests to backends when
// another look at the sockets found nothing more to send with them (or after kGatherRounds looks), because a write to
// a backend costs the same for one request as for many. Then replies that lie in the receive buffers and could not be delivered yet are copied, because the loop reuses
// those buffers. Objects that were closed in the turn die last, when nobody can call them any more.

#include <cstdint>
#include <memory>
#include <vector>

#include "base/buffer_pool.h"
#include "base/counter.h"
#include "net/loop.h"
#include "proxy/cluster_tls.h"
#include "proxy/slow_recorder.h"
#include "proxy/tail.h"
#include "routing/request.h"

namespace overlord::proxy {

class Flushable {
 public:
  virtual ~Flushable() = default;
  virtual void flush_turn() noexcept = 0;

 private:
  friend class FlushList;
  Flushable* next_ = nullptr;
  bool queued_ = false;
};

class FlushList {
 public:
  void add(Flushable& item) {
    if (item.queued_) return;
    item.queued_ = true;
    item.next_ = nullptr;
    (tail_ == nullptr ? head_ : tail_->next_) = &item;
    tail_ = &item;
  }
  bool empty() const { return head_ == nullptr; }
  // Flushes what is on the list, also what is added meanwhile.
  void run() noexcept {
    while (Flushable* item = head_) {
      head_ = item->next_;
      if (head_ == nullptr) tail_ = nullptr;
      item->queued_ = false;
      item->flush_turn();
    }
  }

 private:
  Flushable* head_ = nullptr;
  Flushable* tail_ = nullptr;
};

// The services of one worker that sessions and backends use. One thread.
class Turn {
 public:
  explicit Turn(net::Loop& worker_loop) : loop(worker_loop), requests(worker_loop.chunks(), buffers) {}

  net::Loop& loop;
  BufferPool buffers;
  routing::RequestPool requests;
  FlushList backends;
  FlushList sessions;
  TlsContexts tls;
  SlowRecorder slow;
  Tails tails;          // changed by Worker, which tells the clusters
  bool timing = false;  // how long requests take is counted; set before clusters are made

  bool memory_short = false;  // the worker's share of max_memory is used up: clients are not read from

  ChunkPool& chunks() { return loop.chunks(); }
  uint64_t now() const { return loop.now(); }

  // The reply of this request lies in the receive buffers.
  void note_volatile(routing::Request& request) { volatile_.push_back(&request); }
  // Destroys the object when the turn ends.
  void bury(std::unique_ptr<Flushable> object) { graveyard_.push_back(std::move(object)); }

  void end() noexcept;
  // A client's or backend's bytes were handled in this turn.
  void note_input() { had_input_ = true; }
  // Requests wait for one more look at the sockets before they leave.
  bool hurry() const { return rounds_ > 0; }
  // Fills the pools, so that the first requests find them as later ones do. On the worker's thread.
  void warm_up();
  // Bytes that the pools hold, in use or free.
  size_t pooled_bytes() const;
  // Bytes in use, without what is free in the pools: what clients send and are sent, and what goes to backends.
  size_t bytes_in_use() const;
  // Gives memory that a burst left unused back to the heap, when the turn ends.
  void ask_trim() { trim_asked_ = true; }

 private:
  bool trim_asked_ = false;
  bool had_input_ = false;
  int rounds_ = 0;  // turns that have left the backends unflushed
  std::vector<routing::Request*> volatile_;
  std::vector<std::unique_ptr<Flushable>> graveyard_;
};

}  // namespace overlord::proxy
