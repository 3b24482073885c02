#pragma once
// What placement works with: hosts with what is free on them, the rules of a cluster, and layouts of nodes on hosts.
//
// Everything in this module is a pure function of its arguments: no I/O, no clock, no randomness, and the order in
// which hosts are given makes no difference. docs/placement.md explains rules and algorithms.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <string>
#include <vector>

namespace overlord::placement {

inline constexpr uint32_t kBusOffset = 10'000;  // a Redis Cluster node listens on port + kBusOffset too
inline constexpr uint32_t kMaxReplicas = 2;
inline constexpr uint32_t kMaxMasters = 16'384;  // of a Redis Cluster: one slot each
inline constexpr uint32_t kMaxNodes = 1'000'000;
inline constexpr uint32_t kUnlimited = std::numeric_limits<uint32_t>::max();

struct PortRange {
  uint16_t first;
  uint16_t last;  // inclusive
  bool operator==(const PortRange&) const = default;
};

/// One host, or one of several offers of the same host: Fleet adds them up. All amounts are what is free.
struct Host {
  std::string name{};  // its address; what nodes are told to announce
  std::string group{};
  std::string zone{};  // labels; empty: not known
  std::string rack{};  // within its zone
  uint64_t memory_mib = 0;
  uint64_t cpu_milli = 0;
  std::vector<PortRange> ports{};  // that may be handed out
  std::vector<uint16_t> taken{};   // that something listens on, bus ports included; need not lie within `ports`
  bool draining = false;           // takes no new nodes
  bool operator==(const Host&) const = default;
};

enum class Role : uint8_t { master, replica };

/// A node of one cluster. Nodes of one shard hold the same keys; where there are no replicas, each node is a shard.
/// The role is the planned one: what a failover made of it meanwhile does not matter here.
struct Node {
  uint32_t shard = 0;
  Role role = Role::master;
  std::string host;
  uint16_t port = 0;
  bool operator==(const Node&) const = default;
};

/// All nodes of one cluster.
struct Layout {
  std::vector<Node> nodes;
  bool operator==(const Layout&) const = default;
};

/// How the failure domains above the host, racks and zones, are used.
///   ignore   not looked at
///   prefer   nodes are spread over them, and those of one shard kept apart, as far as the hosts allow
///   require  what holds for hosts must hold for them: no two nodes of a shard in one, and none with half of the nodes
enum class Spread : uint8_t { ignore, prefer, require };

/// What one cluster asks for.
struct Rules {
  uint64_t memory_mib = 0;  // of each node
  uint64_t cpu_milli = 0;   // of each node; 0: none is reserved
  uint32_t replicas = 1;    // of each master, 0 to kMaxReplicas; 0 for memcache and redis
  bool bus_port = true;     // Redis Cluster: port + kBusOffset must be free too
  /// No host may hold half of the nodes or half of the masters. Without it a lost host may cost the whole cluster.
  bool survives_host_loss = true;
  Spread zone = Spread::prefer;
  Spread rack = Spread::prefer;

  uint32_t shard_size() const { return replicas + 1; }
};

/// The rules as the Redis Cluster of the platform has them, and those of its memcache and redis clusters.
inline Rules chunk_rules(uint64_t memory_mib, uint64_t cpu_milli) {
  return {.memory_mib = memory_mib, .cpu_milli = cpu_milli};
}
inline Rules dist_rules(uint64_t memory_mib, uint64_t cpu_milli) {
  return {.memory_mib = memory_mib, .cpu_milli = cpu_milli, .replicas = 0, .bus_port = false};
}

/// What to do: the cluster as it will be, and what of it is new.
struct Plan {
  Layout after;
  std::vector<size_t> added;       // indexes into after.nodes
  std::vector<Node> removed;       // where nodes are replaced, removed[i] is what added[i] stands in for
  bool whole_chunks = false;       // each host got as many masters as replicas, in chunks: four nodes on two hosts
  std::vector<std::string> notes;  // for the operator: what was broken before and remains so
};

/// Why something cannot be placed: all reasons there are, each with what is short and by how much.
struct Refusal {
  std::vector<std::string> reasons;
  std::string text() const {
    std::string joined;
    for (const std::string& reason : reasons) joined += (joined.empty() ? "" : "; ") + reason;
    return joined;
  }
};

using Outcome = std::expected<Plan, Refusal>;

}  // namespace overlord::placement
