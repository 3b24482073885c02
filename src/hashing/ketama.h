#pragma once
// The points of a ketama ring: which node owns which stretch of the 32-bit hash space.
//
// With total = sum of the weights and n = number of nodes that take part, a node gets
// floor(weight / total * 40 * n) groups of four points, 160 points where weights are equal. Group g
// is the MD5 of "name-g", cut as Compat says; its four little-endian words are the points.
// A weight that is small beside the others can give no point at all.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hashing/compat.h"

namespace overlord::hashing {

struct RingNode {
  std::string name;          // what the points are made of: see ring_name()
  std::uint32_t weight = 1;  // 0 gives no point, yet counts in n
  bool ejected = false;      // takes no part at all; the indexes of the others stay as they are
};

struct RingPoint {
  std::uint32_t value;
  std::uint32_t node;  // index into the nodes

  friend bool operator==(const RingPoint&, const RingPoint&) = default;
};

/// The text that stands for a backend on the ring: the alias where there is one, else "host:port".
/// kTwemproxy leaves the port out when it is 11211. Port 0 means that host is the path of a unix
/// socket: the path alone, and with the colon that twemproxy keeps behind it under kTwemproxy.
std::string ring_name(std::string_view host, std::uint16_t port, std::string_view alias, Compat compat);

/// All points sorted by value; equal values in the order of the nodes. Empty when no node takes
/// part or every weight is 0.
std::vector<RingPoint> ketama_points(std::span<const RingNode> nodes, Compat compat);

}  // namespace overlord::hashing
