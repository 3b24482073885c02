#pragma once
// The plans: where the nodes of a cluster go when it is made, grows, shrinks, loses hosts or leaves them.
//
// A plan keeps every rule, or there is none and a Refusal says why. Nodes that run stay where they are, but for those
// that the call is about. Fleet: what is free now, that is without what the running nodes use; their ports need not be
// in Host::taken.
//
// Everything ends: each step places, moves or removes a node, or gives up. Create and append refuse only what no
// placement could do; replace does too unless racks or zones are required, where its search may miss a way.

#include <cstddef>
#include <span>
#include <string>

#include "placement/fleet.h"
#include "placement/model.h"

namespace overlord::placement {

/// A new cluster. masters: how many shards; without replicas, how many nodes.
Outcome create(const Fleet& fleet, const Rules& rules, uint32_t masters);

/// Adds shards to a running cluster. Their numbers follow the highest one in use.
Outcome append(const Fleet& fleet, const Rules& rules, const Layout& running, uint32_t masters);

/// Takes shards away, whole ones, until `masters` remain. Plan::removed are the nodes to drain of their slots and to
/// stop. Which ones go follows from the rules: those that leave the rest most evenly spread, the youngest first.
Outcome shrink(const Fleet& fleet, const Rules& rules, const Layout& running, uint32_t masters);

/// A new place for each of these nodes (indexes into running.nodes), none of it on the hosts that are named. A node
/// keeps shard and role; what was on one host and belongs together, a master and the replica of its chunk, stays
/// together where that is possible. To restart a node elsewhere, name its host.
Outcome replace(const Fleet& fleet, const Rules& rules, const Layout& running, std::span<const size_t> nodes,
                std::span<const std::string> not_on);

/// All nodes of these hosts get new places: the hosts are lost, or are to be emptied (their nodes run until the new
/// ones have what they have). Hosts may be in the fleet still; nothing is put there.
Outcome vacate(const Fleet& fleet, const Rules& rules, const Layout& running, std::span<const std::string> hosts);
inline Outcome recover(const Fleet& fleet, const Rules& rules, const Layout& running,
                       std::span<const std::string> lost_hosts) {
  return vacate(fleet, rules, running, lost_hosts);
}
inline Outcome drain(const Fleet& fleet, const Rules& rules, const Layout& running,
                     std::span<const std::string> hosts) {
  return vacate(fleet, rules, running, hosts);
}

}  // namespace overlord::placement
