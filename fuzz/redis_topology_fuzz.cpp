// What a Redis Cluster node tells of its cluster, and its redirections: whatever the bytes, the parts are in their bounds.
//
// The first byte of the input chooses the question.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/redis/redirection.h"
#include "protocol/redis/topology.h"

using namespace overlord::redis;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const TopologyNode& node) {
  require(is_host(node.host));
  require(node.port != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto topology = parse_topology(static_cast<TopologyQuestion>(data[0] % 3), bytes, "10.0.0.1");
  (void)is_unknown_question(bytes);
  if (topology) {
    require(!topology->shards.empty());
    for (const TopologyShard& shard : topology->shards) {
      check(shard.master);
      for (const TopologyNode& replica : shard.replicas) check(replica);
      for (const SlotRange range : shard.slots) require(range.first <= range.last && range.last < 16384);
    }
  }
  const Redirection to = parse_redirection(bytes);
  if (to.kind == Redirection::Kind::moved || to.kind == Redirection::Kind::ask) {
    require(to.slot < 16384 && to.port != 0);
    require(to.host.empty() || is_host(to.host));
  }
  return 0;
}
