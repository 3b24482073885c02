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
  static constexpr size_t kBuckets = 4096;        // longer delays wait in a list that is looked at twice a round

  explicit TimerWheel(uint64_t now_ns);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Fires once, `delay_ns` after `now_ns`. Re-arming an armed timer moves it.
  void arm(Timer& timer, uint64_t now_ns, uint64_t delay_ns);
  void cancel(Timer& timer);
  // Runs the callbacks that are due. Callbacks may arm and cancel any timer, also their own.
  void advance(uint64_t now_ns);
  // How long a loop may wait: nanoseconds until the tick in which the next timer is due, UINT64_MAX when none
  // is armed. Never late; may be early after a timer of more than one round (16 s) was cancelled or moved.
  uint64_t until_next(uint64_t now_ns) const;
  size_t armed_count() const { return armed_; }

 private:
  // Lists besides the buckets: timers more than one round away, and those being fired.
  static constexpr uint32_t kFar = kBuckets;
  static constexpr uint32_t kFiring = kBuckets + 1;
  static constexpr uint64_t kNone = UINT64_MAX;

  static uint64_t due_tick(const Timer& timer);
  void place(Timer& timer);
  void link(Timer& timer, uint32_t list);
  void unlink(Timer& timer);
  void fire_bucket(uint32_t bucket);
  void rescan_far();
  uint64_t next_occupied() const;  // tick of the first non-empty bucket, kNone when all are empty

  std::array<Timer*, kBuckets + 2> lists_{};
  std::array<uint64_t, kBuckets / 64> occupied_{};  // a bit per non-empty bucket
  uint64_t occupied_words_ = 0;                     // a bit per non-zero word of occupied_
  uint64_t tick_;                                   // next tick to run; buckets hold [tick_, tick_ + kBuckets)
  uint64_t far_rescan_;                             // tick at which far timers are looked at again
  uint64_t far_earliest_ = kNone;                   // no far timer is due before this tick
  size_t armed_ = 0;
};
static_assert(TimerWheel::kBuckets == 64 * 64);

}  // namespace overlord::net
