#include "net/loop_base.h"

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

namespace overlord::net {

LoopBase::LoopBase()
    : Loop(read_clock()), wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), next_trim_(now_ + kTrimNs), timers_(now_) {}

uint64_t LoopBase::read_clock() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

bool LoopBase::out_of_resources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

uint64_t LoopBase::wait_ns() const {
  const uint64_t timer = timers_.until_next(now_);
  if (quiet_trims_ >= 2 && chunks_.free_count() == free_after_trim_) return timer;
  return std::min(timer, next_trim_ > now_ ? next_trim_ - now_ : 0);
}

void LoopBase::run_timers() {
  timers_.advance(now_);
  if (now_ >= next_trim_) {
    next_trim_ = now_ + kTrimNs;
    const size_t free = chunks_.free_count();
    chunks_.trim();
    quiet_trims_ = free == chunks_.free_count() && free == free_after_trim_ ? quiet_trims_ + 1 : 0;
    free_after_trim_ = chunks_.free_count();
  }
}

void LoopBase::wake() { (void)eventfd_write(wakeup_.get(), 1); }

void LoopBase::post(std::function<void()> fn) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(fn));
    if (has_posted_.exchange(true, std::memory_order_relaxed)) return;
  }
  wake();
}

void LoopBase::run_posted() {
  if (layers().waiting()) layers().run();
  if (!has_posted_.load(std::memory_order_relaxed)) return;
  {
    const std::lock_guard lock(mutex_);
    has_posted_.store(false, std::memory_order_relaxed);
    running_.swap(posted_);
  }
  for (auto& fn : running_) fn();
  running_.clear();
}

void LoopBase::stop() {
  stop_.store(true, std::memory_order_release);
  wake();
}

void LoopBase::rest() {
  const timespec time{0, static_cast<long>(Gather::kRestNs)};
  ::nanosleep(&time, nullptr);
}

void LoopBase::sharpen_sleep() { ::prctl(PR_SET_TIMERSLACK, 1000); }

}  // namespace overlord::net
