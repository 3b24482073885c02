#pragma once
// Who may come in: counting clients against a limit exactly, and how fast connections are taken. Shared by all workers;
// atomic.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace overlord::proxy {

// A client is counted from when it was let in, so a refused one never costs another its place.
class ClientCount {
 public:
  // limit 0: none.
  bool enter(uint32_t limit) {
    uint32_t count = count_.load(std::memory_order_relaxed);
    do {
      if (limit > 0 && count >= limit) return false;
    } while (!count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed));
    return true;
  }
  void leave(uint32_t clients = 1) { count_.fetch_sub(clients, std::memory_order_relaxed); }
  // Places of clients that another process has and that may come over.
  void reserve(uint32_t clients) { count_.fetch_add(clients, std::memory_order_relaxed); }
  uint32_t get() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint32_t> count_{0};
};

// So many a second, evenly, with what a tenth of a second allows at once. per_second 0: no limit.
class AcceptRate {
 public:
  // How many ns the next one has to wait; 0: it may be taken now.
  uint64_t wait(uint64_t now, uint32_t per_second) const {
    if (per_second == 0) return 0;
    const uint64_t interval = kSecond / per_second;
    const uint64_t ahead = std::max(kSecond / 10, interval) - interval;
    const uint64_t due = due_.load(std::memory_order_relaxed);
    return due > now + ahead ? due - now - ahead : 0;
  }
  // One was taken.
  void count(uint64_t now, uint32_t per_second) {
    if (per_second == 0) return;
    uint64_t due = due_.load(std::memory_order_relaxed);
    while (!due_.compare_exchange_weak(due, std::max(due, now) + kSecond / per_second, std::memory_order_relaxed)) {
    }
  }

 private:
  static constexpr uint64_t kSecond = 1'000'000'000;
  std::atomic<uint64_t> due_{0};  // when all that were taken would have come evenly
};

// The counts of all clusters, by name: what a cluster is called stays the same when it is configured anew.
class ClientCounts {
 public:
  ClientCount& of(const std::string& cluster) {
    const std::lock_guard lock(mutex_);
    return counts_[cluster];
  }

 private:
  std::mutex mutex_;
  std::map<std::string, ClientCount> counts_;
};

}  // namespace overlord::proxy
