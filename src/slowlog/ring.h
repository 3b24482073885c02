#pragma once
// Ring: entries on their way from one worker to the thread that collects them. One writer, one reader, no lock; what
// finds it full is dropped and counted.

#include <array>
#include <atomic>
#include <cstdint>

#include "base/counter.h"
#include "slowlog/entry.h"

namespace overlord::slowlog {

class Ring {
 public:
  static constexpr size_t kEntries = 512;  // a power of two

  void push(const Entry& entry) {
    const uint64_t at = written_.load(std::memory_order_relaxed);
    if (at - read_.load(std::memory_order_acquire) == kEntries) return dropped_.add();
    entries_[at % kEntries] = entry;
    written_.store(at + 1, std::memory_order_release);
  }
  // The reader: calls take(entry) for each that is there.
  template <typename Take>
  void drain(Take&& take) {
    uint64_t at = read_.load(std::memory_order_relaxed);
    const uint64_t end = written_.load(std::memory_order_acquire);
    for (; at != end; ++at) {
      take(entries_[at % kEntries]);
      read_.store(at + 1, std::memory_order_release);
    }
  }
  uint64_t dropped() const { return dropped_.get(); }

 private:
  std::array<Entry, kEntries> entries_;
  alignas(64) std::atomic<uint64_t> written_{0};
  alignas(64) std::atomic<uint64_t> read_{0};
  Counter dropped_;
};

}  // namespace overlord::slowlog
