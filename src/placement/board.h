#pragma once
// Board: a fleet with one cluster's running nodes on it, and how much more of that cluster each host, rack and zone may
// take. It lives for the time of one call.
//
// Hosts are numbered: those of the fleet as there, then those that only the layout names. Of the latter nothing is
// free.

#include <cstdint>
#include <string_view>
#include <vector>

#include "placement/fleet.h"
#include "placement/model.h"
#include "placement/ports.h"

namespace overlord::placement {

enum class Level : uint8_t { host, rack, zone };

class Board {
 public:
  /// The totals are those of the cluster as it will be; the rules' halves are halves of them.
  Board(const Fleet& fleet, const Rules& rules, const Layout& running, uint32_t nodes_after, uint32_t masters_after);

  const Fleet& fleet;
  const Rules& rules;

  size_t hosts() const { return count_[0].size(); }
  std::string_view name(size_t host) const;
  uint32_t host_of(size_t node) const { return host_of_[node]; }  // by index in the layout

  /// What of this cluster is there. With Level::rack and zone, `at` is what domain() says.
  struct Count {
    uint32_t nodes = 0;
    uint32_t masters = 0;
  };
  uint32_t domain(Level level, uint32_t host) const {
    return level == Level::host ? host : level == Level::rack ? rack_[host] : zone_[host];
  }
  Count& count(Level level, uint32_t at) { return count_[static_cast<size_t>(level)][at]; }
  const Count& count(Level level, uint32_t at) const { return count_[static_cast<size_t>(level)][at]; }
  size_t domains(Level level) const { return count_[static_cast<size_t>(level)].size(); }
  void add(uint32_t host, Role role, bool gone = false);  // keeps the counts; nothing else

  /// Whether halves count at this level, and what may be there at most.
  bool limited(Level level) const;
  Count limit(Level level) const;
  /// How many more nodes and masters may come there by the half rule: kUnlimited where that does not count.
  Count left(Level level, uint32_t at) const;
  /// Two nodes of one shard are never in the same domain of this level (nor of those below it).
  Level apart() const { return apart_; }

  /// Whether new nodes may go there at all: known, not draining, with the labels that are required.
  bool usable(uint32_t host) const;
  /// How many nodes its memory and cpus hold, and with its ports; both counted up to limit.
  uint32_t resources(uint32_t host, uint32_t limit) const;
  uint32_t room(uint32_t host, uint32_t limit) const;
  PortWalk ports(uint32_t host) const;

 private:
  const std::vector<uint16_t>* own_ports(uint32_t host) const;

  std::vector<std::string_view> strangers_;
  std::vector<uint32_t> host_of_;
  std::vector<uint32_t> rack_;  // by host; the zone's where racks are ignored, 0 where both are
  std::vector<uint32_t> zone_;
  std::vector<Count> count_[3];
  std::vector<std::pair<uint32_t, std::vector<uint16_t>>> own_ports_;  // by host
  Count half_;
  Level apart_ = Level::host;
};

}  // namespace overlord::placement
