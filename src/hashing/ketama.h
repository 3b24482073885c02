#pragma once
// The points of a ketama ring: which node owns which stretch of the 32-bit hash space.
//
// With total = sum of the weights and n = number of nodes that take part, a node gets
// floor(weight / total * 40 * n) groups of four points, 160 points where weights are equal. Group g
// is the MD5 of "name-g", cut as Compat says; its four little-endian words are the points.
// A weight that is small beside the others can give no point at all.

#include <cstdint>
#include <span>
#include <vector>

#include "hashing/compat.h"
#include "hashing/ring_node.h"

namespace overlord::hashing {

struct RingPoint {
  std::uint32_t value;
  std::uint32_t node;  // index into the nodes

  friend bool operator==(const RingPoint&, const RingPoint&) = default;
};

/// All points sorted by value; equal values in the ring_order of their nodes. Empty when no node takes
/// part or every weight is 0.
std::vector<RingPoint> ketama_points(std::span<const RingNode> nodes, Compat compat);

}  // namespace overlord::hashing
