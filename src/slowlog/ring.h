#pragma once
// Ring: entries on their way from one worker to the thread that collects them. One writer, one reader, no lock; what
// finds it full is dropped and counted.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "base/counter.h"
#include "slowlog/entry.h"

namespace overlord::slowlog {

template <size_t N>
class RingOf {
 public:
  static constexpr size_t kEntries = N;  // a power of two

  // Another entry would be dropped. The writer.
  bool full() const {
    return written_.load(std::memory_order_relaxed) - read_.load(std::memory_order_acquire) == kEntries;
  }
  // Counts an entry that was not even made because the ring is full. The writer.
  void drop() { dropped_.add(); }
  void push(const Entry& entry) {
    const uint64_t at = written_.load(std::memory_order_relaxed);
    if (at - read_.load(std::memory_order_acquire) == kEntries) return dropped_.add();
    entries_[at % kEntries] = entry;
    written_.store(at + 1, std::memory_order_release);
  }
  // The reader: calls take(entry) for each that is there, oldest first, at most `most` of them.
  template <typename Take>
  void drain(Take&& take, uint64_t most = kEntries) {
    uint64_t at = read_.load(std::memory_order_relaxed);
    const uint64_t end = std::min(written_.load(std::memory_order_acquire), at + most);
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

using Ring = RingOf<512>;

}  // namespace overlord::slowlog
