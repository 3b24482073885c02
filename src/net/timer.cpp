#include "net/timer.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace overlord::net {

void Timer::cancel() {
  if (wheel_ != nullptr) wheel_->cancel(*this);
}

TimerWheel::TimerWheel(uint64_t now_ns) : tick_(now_ns / kTickNs), far_rescan_(tick_ + kBuckets / 2) {}

uint64_t TimerWheel::due_tick(const Timer& timer) {
  return timer.deadline_ / kTickNs + (timer.deadline_ % kTickNs != 0 ? 1 : 0);
}

void TimerWheel::arm(Timer& timer, uint64_t now_ns, uint64_t delay_ns) {
  timer.cancel();
  timer.wheel_ = this;
  timer.deadline_ = delay_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + delay_ns;
  ++armed_;
  place(timer);
}

void TimerWheel::cancel(Timer& timer) {
  if (timer.wheel_ != this) return;
  unlink(timer);
  timer.wheel_ = nullptr;
  --armed_;
}

void TimerWheel::place(Timer& timer) {
  const uint64_t due = std::max(due_tick(timer), tick_);
  if (due - tick_ >= kBuckets) {
    if (lists_[kFar] == nullptr) far_rescan_ = tick_ + kBuckets / 2;
    far_earliest_ = std::min(far_earliest_, due);
    link(timer, kFar);
  } else {
    link(timer, static_cast<uint32_t>(due % kBuckets));
  }
}

void TimerWheel::link(Timer& timer, uint32_t list) {
  Timer*& head = lists_[list];
  timer.bucket_ = list;
  timer.prev_ = nullptr;
  timer.next_ = head;
  if (head != nullptr) head->prev_ = &timer;
  head = &timer;
  if (list < kBuckets) {
    occupied_[list / 64] |= uint64_t{1} << (list % 64);
    occupied_words_ |= uint64_t{1} << (list / 64);
  }
}

void TimerWheel::unlink(Timer& timer) {
  const uint32_t list = timer.bucket_;
  (timer.prev_ != nullptr ? timer.prev_->next_ : lists_[list]) = timer.next_;
  if (timer.next_ != nullptr) timer.next_->prev_ = timer.prev_;
  timer.prev_ = timer.next_ = nullptr;
  if (lists_[list] != nullptr) return;
  if (list < kBuckets) {
    occupied_[list / 64] &= ~(uint64_t{1} << (list % 64));
    if (occupied_[list / 64] == 0) occupied_words_ &= ~(uint64_t{1} << (list / 64));
  } else if (list == kFar) {
    far_earliest_ = kNone;
  }
}

uint64_t TimerWheel::next_occupied() const {
  if (occupied_words_ == 0) return kNone;
  const uint32_t start = static_cast<uint32_t>(tick_ % kBuckets);
  const uint32_t word = start / 64;
  uint32_t found = 0;
  if (const uint64_t rest = occupied_[word] >> (start % 64); rest != 0) {
    found = start + static_cast<uint32_t>(std::countr_zero(rest));
  } else {
    // Words after this one first, then round to the front; the word itself last, for its bits below start.
    const uint32_t turn = (word + 1) % 64;
    const uint32_t skip = static_cast<uint32_t>(std::countr_zero(std::rotr(occupied_words_, static_cast<int>(turn))));
    const uint32_t other = (turn + skip) % 64;
    found = other * 64 + static_cast<uint32_t>(std::countr_zero(occupied_[other]));
  }
  return tick_ + (found + kBuckets - start) % kBuckets;
}

void TimerWheel::rescan_far() {
  far_rescan_ = tick_ + kBuckets / 2;
  far_earliest_ = kNone;
  for (Timer* timer = lists_[kFar]; timer != nullptr;) {
    Timer* next = timer->next_;
    const uint64_t due = due_tick(*timer);
    if (due < tick_ + kBuckets) {
      unlink(*timer);
      place(*timer);
    } else {
      far_earliest_ = std::min(far_earliest_, due);
    }
    timer = next;
  }
}

void TimerWheel::fire_bucket(uint32_t bucket) {
  // Lists are pushed at the front, so moving them over one by one restores the order of arming.
  while (Timer* timer = lists_[bucket]) {
    unlink(*timer);
    link(*timer, kFiring);
  }
  while (Timer* timer = lists_[kFiring]) {
    cancel(*timer);
    timer->callback_(timer->owner_);
  }
}

void TimerWheel::advance(uint64_t now_ns) {
  const uint64_t last = now_ns / kTickNs;
  while (tick_ <= last) {
    if (armed_ == 0) {
      tick_ = last + 1;
      return;
    }
    const bool far = lists_[kFar] != nullptr;
    if (far && tick_ >= far_rescan_) {
      rescan_far();
      continue;
    }
    const uint64_t next = std::min({next_occupied(), last + 1, far ? far_rescan_ : kNone});
    if (next > tick_) {
      tick_ = next;
      continue;
    }
    fire_bucket(static_cast<uint32_t>(tick_++ % kBuckets));
  }
}

uint64_t TimerWheel::until_next(uint64_t now_ns) const {
  if (armed_ == 0) return kNone;
  const uint64_t next = std::min(next_occupied(), far_earliest_);
  if (next >= kNone / kTickNs) return kNone - 1;
  return next * kTickNs > now_ns ? next * kTickNs - now_ns : 0;
}

}  // namespace overlord::net
