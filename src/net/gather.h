#pragma once
// Gather: whether a loop that has nothing to do should rest for a moment before it waits for the next event.
//
// With many active connections a proxy that wakes for every few bytes spends its time in waking up and in small
// writes. Resting kRestNs first lets several inputs come together, as a network card moderates its interrupts. That
// pays only when at least kWorthwhile inputs can be expected in a rest; with fewer, the rest would be added to the
// latency of each request for nothing. So the rate of inputs decides, and a rest that brought little stops the
// next ones for a while (a single busy client has a high rate too, but its next request cannot come before its
// answer has left).

#include <algorithm>
#include <cstdint>

namespace overlord::net {

class Gather {
 public:
  static constexpr uint64_t kRestNs = 40'000;
  static constexpr uint64_t kWorthwhile = 3;

  // Called when the loop would wait, with nothing left to do.
  bool should_rest() {
    if (rate_ * kRestNs < kWorthwhile * kWindowNs) return false;
    if (skip_ > 0) {
      --skip_;
      return false;
    }
    rested_ = true;
    return true;
  }

  // Called once a turn with the inputs (receives that brought bytes) that it had.
  void observe(uint64_t inputs, uint64_t now_ns) {
    if (rested_) {
      rested_ = false;
      penalty_ = inputs < kWorthwhile ? std::min(penalty_ * 2, kMaxPenalty) : std::max(penalty_ / 2, kMinPenalty);
      if (inputs < kWorthwhile) skip_ = penalty_;
    }
    inputs_ += inputs;
    const uint64_t elapsed = now_ns - window_start_;
    if (elapsed < kWindowNs) return;
    rate_ = inputs_ * kWindowNs / elapsed;
    inputs_ = 0;
    window_start_ = now_ns;
  }

 private:
  static constexpr uint64_t kWindowNs = 2'000'000;
  static constexpr uint32_t kMinPenalty = 4;
  static constexpr uint32_t kMaxPenalty = 1024;

  uint64_t window_start_ = 0;
  uint64_t inputs_ = 0;
  uint64_t rate_ = 0;  // inputs per kWindowNs
  uint32_t penalty_ = kMinPenalty;
  uint32_t skip_ = 0;  // waits that go without a rest
  bool rested_ = false;
};

}  // namespace overlord::net
