#pragma once
// Counter: counts in one thread, read by any. No locked instruction: the one writer loads and stores.

#include <atomic>
#include <cstdint>

namespace overlord {

class Counter {
 public:
  [[gnu::always_inline]] void add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[gnu::always_inline]] void sub(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace overlord
