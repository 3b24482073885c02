#include "loadgen/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace loadgen {

Histogram::Histogram() : slots_((kTopBit - kPartBits + 2) << kPartBits) {}

void Histogram::record(int64_t nanoseconds) {
  const uint64_t value = nanoseconds > 0 ? static_cast<uint64_t>(nanoseconds) : 0;
  ++slots_[std::min(slot_of(value), slots_.size() - 1)];
  ++count_;
  max_ = std::max(max_, static_cast<int64_t>(value));
}

void Histogram::clear() {
  std::fill(slots_.begin(), slots_.end(), 0);
  count_ = 0;
  max_ = 0;
}

int64_t Histogram::quantile(double fraction) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    seen += slots_[slot];
    if (seen >= wanted && slots_[slot] != 0) return std::min(highest_of(slot), max_);
  }
  return max_;
}

size_t Histogram::slot_of(uint64_t value) {
  constexpr uint64_t kParts = 1u << kPartBits;
  if (value < kParts) return static_cast<size_t>(value);
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kPartBits - 1;
  return ((shift + 1) << kPartBits) + static_cast<size_t>((value >> shift) - kParts);
}

int64_t Histogram::highest_of(size_t slot) {
  constexpr size_t kParts = 1u << kPartBits;
  if (slot < kParts) return static_cast<int64_t>(slot);
  const size_t shift = (slot >> kPartBits) - 1;
  return static_cast<int64_t>((((slot & (kParts - 1)) + kParts + 1) << shift) - 1);
}

}  // namespace loadgen
