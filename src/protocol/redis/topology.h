#pragma once
// Topology: which nodes a Redis Cluster has and who serves which slot, as one of its nodes says.
// Source: the documentation of CLUSTER SHARDS (7.0), CLUSTER SLOTS (3.0) and CLUSTER NODES (text), and the replies of
// redis-server 7.0. Fuzzed: the bytes are those of a server.
//
// How a node is reached: the endpoint that it prefers. Where it names none (null, an empty text) it is the host that
// was asked, under the port given; "?" is a name that nobody has told, and then the IP address counts. A node that
// cannot be named is left out.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace overlord::redis {

struct SlotRange {
  uint16_t first;
  uint16_t last;  // included
};

struct TopologyNode {
  std::string host;  // IPv4, IPv6 without brackets, or a name
  uint16_t port = 0;
  bool healthy = true;  // as far as the reply tells
  uint64_t offset = 0;  // of replication, in bytes; 0 where the reply does not tell
};

// A master with its replicas. Without slots it is one that serves nothing yet, or nothing any more.
struct TopologyShard {
  std::vector<SlotRange> slots;
  TopologyNode master;
  std::vector<TopologyNode> replicas;
};

struct Topology {
  std::vector<TopologyShard> shards;
};

enum class TopologyQuestion : uint8_t { shards, slots, nodes };

// The command's bytes.
std::string_view topology_command(TopologyQuestion question);
// The server does not know the question: ask the next.
bool is_unknown_question(std::string_view reply);

// reply: one whole reply, RESP2 or RESP3. asked: the host that was asked.
Result<Topology> parse_topology(TopologyQuestion question, std::string_view reply, std::string_view asked);

// Could be a host: a name, an IPv4 or an IPv6 address, by its bytes and length.
bool is_host(std::string_view text);

}  // namespace overlord::redis
