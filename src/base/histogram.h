#pragma once
// Histogram: how often something took how long, in fixed buckets. Counts in one thread, as Counter does; any thread may
// read. add() takes nanoseconds and costs a few of them: no locked instruction, no memory but its own.
//
// The bounds are inclusive, in microseconds, and contain those of the Go program (1000, 2000, 4000, 10000).

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/counter.h"

namespace overlord {

inline constexpr std::array<uint64_t, 18> kHistogramBounds = {50,     100,    200,    400,     700,     1000,
                                                              2000,   4000,   7000,   10000,   20000,   50000,
                                                              100000, 200000, 500000, 1000000, 2000000, 5000000};

// What was counted up to some moment. The last bucket is of what lies above all bounds.
struct HistogramCounts {
  std::array<uint64_t, kHistogramBounds.size() + 1> buckets{};
  uint64_t sum_ns = 0;

  uint64_t count() const {
    uint64_t total = 0;
    for (const uint64_t n : buckets) total += n;
    return total;
  }
  void merge(const HistogramCounts& other) {
    for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
    sum_ns += other.sum_ns;
  }
};

class Histogram {
 public:
  void add(uint64_t ns) {
    buckets_[bucket_of(ns)].add();
    sum_ns_.add(ns);
  }
  HistogramCounts counts() const {
    HistogramCounts out;
    for (size_t i = 0; i < buckets_.size(); ++i) out.buckets[i] = buckets_[i].get();
    out.sum_ns = sum_ns_.get();
    return out;
  }

  static constexpr size_t bucket_of(uint64_t ns) {
    size_t i = kFirst[static_cast<size_t>(std::bit_width(ns))];
    while (ns > kBoundsNs[i]) ++i;
    return i;
  }

 private:
  // The last holds whatever is above all bounds.
  static constexpr auto kBoundsNs = [] {
    std::array<uint64_t, kHistogramBounds.size() + 1> bounds{};
    for (size_t i = 0; i < kHistogramBounds.size(); ++i) bounds[i] = kHistogramBounds[i] * 1000;
    bounds.back() = UINT64_MAX;
    return bounds;
  }();

  // For each bit width the first bucket that a number of that width can be in.
  static constexpr auto kFirst = [] {
    std::array<uint8_t, 65> first{};
    for (size_t width = 1; width < first.size(); ++width) {
      const uint64_t lowest = uint64_t{1} << (width - 1);
      while (first[width] < kHistogramBounds.size() && kHistogramBounds[first[width]] * 1000 < lowest) ++first[width];
    }
    return first;
  }();

  std::array<Counter, kHistogramBounds.size() + 1> buckets_;
  Counter sum_ns_;
};

}  // namespace overlord
