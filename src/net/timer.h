#pragma once
// TimerWheel: timers of one loop, coarse (kTickNs) and cheap: arming and cancelling are a list link each.
// A Timer is embedded in its owner and must be cancelled before it dies (its destructor does that).
// A timer never fires early; it fires at most one tick plus one turn late.

#include <array>
#include <cstddef>
#include <cstdint>

namespace overlord::net {

class TimerWheel;

class Timer {
 public:
  using Callback = void (*)(void* owner);
  Timer() = default;
  Timer(Callback callback, void* owner) : callback_(callback), owner_(owner) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set(Callback callback, void* owner) {
    callback_ = callback;
    owner_ = owner;
  }
  void cancel();
  bool armed() const { return wheel_ != nullptr; }
  uint64_t deadline() const { return deadline_; }  // ns, meaningful while armed

 private:
  friend class TimerWheel;
  Callback callback_ = nullptr;
  void* owner_ = nullptr;
  TimerWheel* wheel_ = nullptr;
  Timer* prev_ = nullptr;
  Timer* next_ = nullptr;
  uint64_t deadline_ = 0;
  uint32_t bucket_ = 0;
};

class TimerWheel {
 public:
  static constexpr uint64_t kTickNs = 4'000'000;  // 4 ms
  static constexpr size_t kBuckets = 4096;        // power of two; longer delays go round again

  explicit TimerWheel(uint64_t now_ns);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Fires once, `delay_ns` after `now_ns`. Re-arming an armed timer moves it.
  void arm(Timer& timer, uint64_t now_ns, uint64_t delay_ns);
  void cancel(Timer& timer);
  // Runs the callbacks that are due. Callbacks may arm and cancel any timer, also their own.
  void advance(uint64_t now_ns);
  // How long a loop may wait: nanoseconds until the next timer is due, UINT64_MAX when none is armed.
  uint64_t until_next(uint64_t now_ns) const;
  size_t armed_count() const { return armed_; }

 private:
  std::array<Timer*, kBuckets> buckets_{};
  std::array<uint64_t, kBuckets / 64> occupied_{};  // a bit per non-empty bucket
  uint64_t tick_;                                    // next tick to run
  size_t armed_ = 0;
};

}  // namespace overlord::net
