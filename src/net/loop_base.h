#pragma once
// LoopBase: what both drivers share: clock, timers, chunk pool, posted functions, the wake-up descriptor.

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "net/gather.h"
#include "net/loop.h"

namespace overlord::net {

class LoopBase : public Loop {
 public:
  ChunkPool& chunks() override { return chunks_; }
  TimerWheel& timers() override { return timers_; }
  void post(std::function<void()> fn) override;
  void stop() override;
  uint64_t turns() const override { return turns_; }
  uint64_t accept_pauses() const override { return accept_pauses_; }

 protected:
  static constexpr uint64_t kAcceptRetryNs = 100'000'000;

  LoopBase();

  static uint64_t read_clock();
  static bool out_of_resources(int error);  // accept failed in a way that waiting may cure

  // Nanoseconds until the loop has to wake up by itself; UINT64_MAX when only events matter.
  uint64_t wait_ns() const;
  // At the start of run(): the loop may have been made long before.
  void refresh_now() { now_ = read_clock(); }
  // To be called after waiting, before any handler.
  void begin_turn() {
    refresh_now();
    ++turns_;
    layers().begin_turn();
  }
  // Before a wait that may block: whether to let inputs come together (gather.h), and doing so.
  bool should_rest() { return gather_.should_rest(); }
  static void rest();
  // At the start of run(), on its thread: the default slack of sleeps is longer than a rest.
  static void sharpen_sleep();
  void note_input() { ++inputs_; }  // a receive brought bytes
  // At the end of a turn.
  void end_inputs() {
    gather_.observe(std::exchange(inputs_, 0u), now_);
    layers().end_turn();
  }
  static void flush_layer(Stream& stream) {
    if (stream.layer != nullptr) stream.layer->flush();
  }
  // Timers, then posted functions and what layers put off; to be called when the turn's events are handled.
  void run_timers();
  void run_posted();
  bool stop_requested() { return stop_.load(std::memory_order_acquire); }
  void clear_stop() { stop_.store(false, std::memory_order_release); }

  ChunkPool chunks_;
  UniqueFd wakeup_;  // eventfd; its edge wakes the loop and it is never read
  uint64_t accept_pauses_ = 0;

 private:
  static constexpr uint64_t kTrimNs = 1'000'000'000;

  void wake();

  uint64_t next_trim_;
  size_t free_after_trim_ = 0;  // chunks; with it the same after two trims, an idle loop need not wake for a third
  unsigned quiet_trims_ = 0;
  uint64_t turns_ = 0;
  uint64_t inputs_ = 0;  // of this turn
  Gather gather_;
  TimerWheel timers_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> has_posted_{false};
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;   // under mutex_
  std::vector<std::function<void()>> running_;  // loop thread only
};

}  // namespace overlord::net
