#pragma once
// A cluster as users asked for it, and its nodes as they were placed.

#include <map>
#include <string>
#include <vector>

#include "model/types.h"

namespace overlord::model {

inline constexpr uint32_t kMaxShards = 1024;
inline constexpr uint32_t kMaxReplicas = 2;

enum class ClusterState : uint8_t {
  waiting,   // being made
  done,      // as it was asked for
  changing,  // serves; a job is changing it
  deleting,
  attention,  // something is wrong that the platform cannot mend: see `reason`
};
std::string_view to_string(ClusterState state);

// What its proxies are told beside the nodes.
struct ProxySettings {
  uint32_t dial_timeout = 1000;  // ms
  uint32_t read_timeout = 1000;
  uint32_t write_timeout = 1000;
  uint32_t node_connections = 2;
  uint32_t ping_fail_limit = 3;
  bool ping_auto_eject = true;
  bool operator==(const ProxySettings&) const = default;
};

struct Cluster {
  std::string name{};
  CacheType type = CacheType::redis;
  std::string version{};
  std::string group{};
  Spec spec{};                 // of each node
  uint32_t shards = 0;         // masters; of memcache and redis: nodes
  uint32_t replicas = 0;       // of each master; redis_cluster alone has them
  bool fault_tolerant = true;  // false: placed even where the loss of one host costs half of it or more
  uint16_t front_port = 0;
  std::string password{};                         // of its nodes; empty: none
  std::map<std::string, std::string> settings{};  // of the server, beside what the platform sets: "maxmemory-policy"
  ProxySettings proxy{};
  ClusterState state = ClusterState::waiting;
  std::string reason{};  // for a person, when not all is well
  std::string job{};     // the one that changes it now: "<group>.<20 digits>"; empty: none
  std::string created_by{};
  Moment created = 0;
  Moment changed = 0;
  bool operator==(const Cluster&) const = default;
};

// A node is known by its address while it runs there, and by its alias for ever: that stays when it is replaced, and is
// what rings of proxies are made of.
struct Node {
  uint64_t alias = 0;
  std::string cluster{};
  CacheType type = CacheType::redis;
  std::string version{};
  std::string group{};
  std::string host{};
  uint16_t port = 0;
  uint32_t shard = 0;
  Role role = Role::master;  // as planned; of a redis_cluster the failovers since are not in it
  std::string node_id{};     // 40 hex digits; redis_cluster
  uint32_t weight = 1;       // of memcache and redis, on the ring
  Spec spec{};
  std::string task{};        // that runs it: "<address>-<cluster>-<incarnation>"; empty: none yet
  uint32_t incarnation = 0;  // starts so far
  std::string agent{};       // of the engine; what kill() may need
  std::string job{};         // that made it
  Moment created = 0;
  std::string address() const { return address_of(host, port); }
  bool operator==(const Node&) const = default;
};

std::string task_id(const Node& node);

// What a node was last seen to be; a record of its own, since it changes on its own.
enum class Health : uint8_t { unknown, starting, running, sick, failed, stopped, lost };
std::string_view to_string(Health health);
struct NodeState {
  Health health = Health::unknown;
  std::string task{};    // of which this is said
  std::string reason{};  // in words
  Moment since = 0;
  uint32_t restarts = 0;  // in place, since it last ran well
  bool operator==(const NodeState&) const = default;
};

// Text of JSON, for the store. Reading: unknown fields are passed over, what is missing has its default; the error
// names the field that cannot be read.
std::string to_json(const Cluster& cluster);
std::string to_json(const Node& node);
std::string to_json(const NodeState& state);

}  // namespace overlord::model
