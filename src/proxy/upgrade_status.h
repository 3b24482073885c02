#pragma once
// How an upgrade goes: told in the pages for operators by both of its processes.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/counter.h"

namespace overlord::proxy {

struct UpgradeStatus {
  enum class State : uint8_t { none, starting, moving, done, failed };
  State state = State::none;
  std::string reason = {};  // failed: why
  pid_t old_pid = 0;
  pid_t new_pid = 0;
  std::string old_version = {};
  std::string new_version = {};
  uint64_t remaining = 0;  // clients that are still with the old process
  uint64_t moved = 0;      // clients that noticed nothing
  uint64_t drained = 0;    // clients that left, or were closed when nothing of theirs was in flight
  uint64_t closed = 0;     // clients that were closed at the deadline
  std::chrono::steady_clock::time_point began = {};
  std::chrono::steady_clock::time_point ended = {};

  bool under_way() const { return state == State::starting || state == State::moving; }
};
std::string_view to_string(UpgradeStatus::State state);

struct UpgradeCounters {
  Counter taken_over;   // upgrades by which this process came; 0 or 1
  Counter failed;       // upgrades that this process was to give way to
  Counter clients_in;   // that came from the process before
  Counter clients_out;  // that went to the next one
};

// Any thread.
class UpgradeBoard {
 public:
  UpgradeStatus get() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  template <typename Change>
  void change(Change&& change) {
    const std::lock_guard lock(mutex_);
    change(status_);
  }
  // Begins a new one; false: one is under way.
  bool begin(UpgradeStatus status) {
    const std::lock_guard lock(mutex_);
    if (status_.under_way()) return false;
    status_ = std::move(status);
    return true;
  }
  UpgradeCounters counters;

 private:
  mutable std::mutex mutex_;
  UpgradeStatus status_;
};

}  // namespace overlord::proxy
