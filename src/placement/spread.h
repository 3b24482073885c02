#pragma once
// Spread: hands out units (nodes, or pairs of nodes) to hosts one at a time, each to the least loaded host that still
// has room, within what racks and zones have room for. Of equals: the zone, then the rack with the least, then the host
// with the most free capacity, then the first.
//
// Hosts lie in racks, racks in zones, so the limits are nested, and handing out greedily reaches as many units as there
// can be at all: what is left over does not fit in any other way either.

#include <cstdint>
#include <vector>

#include "placement/model.h"

namespace overlord::placement {

struct Candidate {
  uint32_t host;      // index in the fleet
  uint32_t rack;      // index into Field::racks
  uint32_t load;      // units that count as being there already
  uint32_t room;      // units it can take
  uint64_t capacity;  // units that its free memory and cpus hold, whatever the rules say; only compared
  uint32_t given = 0;
};

struct Domain {
  uint32_t load = 0;
  uint32_t room = kUnlimited;
  uint32_t zone = 0;  // of a rack: index into Field::zones
};

struct Field {
  std::vector<Candidate> candidates;  // ascending by host
  std::vector<Domain> racks;
  std::vector<Domain> zones;
};

/// Adds to `given` of the candidates, and to load and room of racks and zones. Returns how many units found no place.
uint32_t spread(Field& field, uint32_t units);

}  // namespace overlord::placement
