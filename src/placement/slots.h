#pragma once
// Slots of a Redis Cluster: dividing them over masters, and evening them out with as few moves as possible.

#include <cstdint>
#include <span>
#include <vector>

namespace overlord::placement {

struct SlotRange {
  uint16_t first;
  uint16_t last;  // inclusive
  uint32_t size() const { return last - first + 1U; }
  bool operator==(const SlotRange&) const = default;
};

/// All 16384 slots, one range for each master, in order; sizes differ by one at most. masters: 1 to 16384, else empty.
std::vector<SlotRange> divide_slots(uint32_t masters);

/// A master, by its place in what was given, and the slots that it has.
struct SlotOwner {
  std::vector<SlotRange> slots;
  bool leaving = false;  // shall have none afterwards
};

struct SlotMove {
  size_t from;
  size_t to;
  SlotRange slots;
  bool operator==(const SlotMove&) const = default;
};

/// Moves after which the owners that stay have the same number of slots, but for one; no slot moves that need not.
/// Owners must not overlap. Empty when nobody stays.
std::vector<SlotMove> balance_slots(std::span<const SlotOwner> owners);

}  // namespace overlord::placement
