#pragma once
// nodes.conf: what a Redis Cluster node remembers of its cluster. Written for every node before any of them starts, so
// that they find each other at once, without a MEET. Read by redis 3.2 to 7.0.
//
// Masters get distinct config epochs 1, 2, ... in the order in which they are given, unless they bring their own; so
// no two of them ever have to settle who is right. A replica has its master's.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/types.h"

namespace overlord::model {

inline constexpr uint32_t kSlots = 16384;
inline constexpr uint32_t kBusPortOffset = 10'000;

struct SlotSpan {
  uint16_t first = 0;
  uint16_t last = 0;  // inclusive
  bool operator==(const SlotSpan&) const = default;
};

struct ConfNode {
  std::string id{};    // 40 lower-case hex digits, another for each node
  std::string host{};  // numeric, as it announces itself
  uint16_t port = 0;   // the bus is at port + 10000
  Role role = Role::master;
  std::string master{};           // id, of a replica
  std::vector<SlotSpan> slots{};  // of a master; one that joins a cluster has none
  uint64_t epoch = 0;             // of a master; 0: given here. All masters bring one or none does.
  bool operator==(const ConfNode&) const = default;
};

// The file of the node `myself`. The error says which node is wrong: an id or an address that is none or is there
// twice, a master that is none, a slot that nobody has or two have, or `myself` unknown.
Result<std::string> nodes_conf(std::span<const ConfNode> nodes, std::string_view myself);

}  // namespace overlord::model
