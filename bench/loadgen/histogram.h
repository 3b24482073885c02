#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace loadgen {

/// Counts of durations in nanoseconds with a relative error below 1/128, whatever the magnitude: each power of two is
/// cut into 128 equal parts. Recording is a shift and an increment.
class Histogram {
 public:
  Histogram();

  void record(int64_t nanoseconds);
  void clear();

  uint64_t count() const { return count_; }
  int64_t max() const { return max_; }

  /// Smallest duration that at least `fraction` (0..1) of the records do not exceed; 0 when empty.
  int64_t quantile(double fraction) const;

 private:
  static constexpr unsigned kPartBits = 7;
  static constexpr unsigned kTopBit = 42;  // over an hour

  static size_t slot_of(uint64_t value);
  static int64_t highest_of(size_t slot);

  std::vector<uint64_t> slots_;
  uint64_t count_ = 0;
  int64_t max_ = 0;
};

}  // namespace loadgen
