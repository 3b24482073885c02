#include "placement/ports.h"

#include <algorithm>

namespace overlord::placement {

bool PortWalk::free(uint32_t port) const {
  const auto is_taken = [this](uint32_t p) {
    return std::binary_search(taken_.begin(), taken_.end(), static_cast<uint16_t>(p));
  };
  if (port == 0 || is_taken(port)) return false;
  if (!bus_) return true;
  if (port + kBusOffset > UINT16_MAX || is_taken(port + kBusOffset)) return false;
  return port < kBusOffset ||
         !std::binary_search(given_.begin(), given_.end(), static_cast<uint16_t>(port - kBusOffset));
}

std::optional<uint16_t> PortWalk::next() {
  while (!ranges_.empty()) {
    for (; next_ <= ranges_.front().last; ++next_) {
      if (!free(next_)) continue;
      const auto port = static_cast<uint16_t>(next_++);
      given_.push_back(port);
      return port;
    }
    ranges_ = ranges_.subspan(1);
    if (!ranges_.empty()) next_ = ranges_.front().first;
  }
  return std::nullopt;
}

uint32_t count_ports(PortWalk walk, uint32_t limit) {
  uint32_t count = 0;
  while (count < limit && walk.next()) ++count;
  return count;
}

std::vector<PortRange> merged(std::vector<PortRange> ranges) {
  for (PortRange& range : ranges) range.first = std::max<uint16_t>(range.first, 1);
  std::erase_if(ranges, [](PortRange range) { return range.first > range.last; });
  std::ranges::sort(ranges, {}, &PortRange::first);
  std::vector<PortRange> result;
  for (const PortRange range : ranges) {
    if (result.empty() || range.first > result.back().last + 1) {
      result.push_back(range);
    } else {
      result.back().last = std::max(result.back().last, range.last);
    }
  }
  return result;
}

}  // namespace overlord::placement
