#include "placement/slots.h"

#include <algorithm>
#include <numeric>

#include "placement/model.h"

namespace overlord::placement {

std::vector<SlotRange> divide_slots(uint32_t masters) {
  std::vector<SlotRange> ranges;
  if (masters == 0 || masters > kMaxMasters) return ranges;
  for (uint32_t i = 0; i < masters; ++i) {
    const uint32_t first = i * kMaxMasters / masters;
    const uint32_t end = (i + 1) * kMaxMasters / masters;
    ranges.push_back({static_cast<uint16_t>(first), static_cast<uint16_t>(end - 1)});
  }
  return ranges;
}

std::vector<SlotMove> balance_slots(std::span<const SlotOwner> owners) {
  std::vector<uint32_t> have(owners.size());
  std::vector<size_t> staying;
  for (size_t i = 0; i < owners.size(); ++i) {
    for (const SlotRange range : owners[i].slots) have[i] += range.size();
    if (!owners[i].leaving) staying.push_back(i);
  }
  if (staying.empty()) return {};

  // Who has most keeps the odd ones.
  const uint32_t all = std::accumulate(have.begin(), have.end(), 0U);
  const auto count = static_cast<uint32_t>(staying.size());
  std::ranges::stable_sort(staying, [&](size_t a, size_t b) { return have[a] > have[b]; });
  std::vector<uint32_t> wanted(owners.size());
  for (uint32_t i = 0; i < count; ++i) wanted[staying[i]] = all / count + (i < all % count ? 1 : 0);

  std::vector<SlotMove> moves;
  size_t to = 0;
  for (size_t from = 0; from < owners.size(); ++from) {
    uint32_t surplus = have[from] > wanted[from] ? have[from] - wanted[from] : 0;
    // From the end, so that what stays stays in one piece.
    for (auto range = owners[from].slots.rbegin(); surplus > 0; ++range) {
      SlotRange rest = *range;
      uint32_t left = std::min(surplus, rest.size());
      surplus -= left;
      while (left > 0) {
        while (have[to] >= wanted[to]) ++to;
        const uint32_t part = std::min(left, wanted[to] - have[to]);
        const auto first = static_cast<uint16_t>(rest.last - part + 1);
        moves.push_back({from, to, {first, rest.last}});
        rest.last = static_cast<uint16_t>(first - 1);
        have[to] += part;
        left -= part;
      }
    }
  }
  return moves;
}

}  // namespace overlord::placement
