#include "jobs/nodes_conf.h"

#include <gtest/gtest.h>

#include <set>

namespace overlord::jobs {
namespace {

using model::Node;
using model::Role;

std::vector<Node> shards(uint32_t count) {
  std::vector<Node> nodes;
  for (uint32_t i = 0; i < count; ++i) {
    for (const Role role : {Role::master, Role::replica}) {
      Node node{.type = model::CacheType::redis_cluster, .host = "10.0.0." + std::to_string(i + 1)};
      node.port = role == Role::master ? 31000 : 31001;
      node.shard = i;
      node.role = role;
      node.node_id = std::string(38, role == Role::master ? 'a' : 'b') + std::to_string(10 + i);
      nodes.push_back(node);
    }
  }
  return nodes;
}

redisctl::Topology read(const std::string& conf) {
  const auto topology = redisctl::parse_topology(conf.substr(0, conf.find("vars ")));
  EXPECT_TRUE(topology.has_value()) << topology.error().message;
  return topology.value_or(redisctl::Topology{});
}

TEST(NodesConf, OfANewClusterCoversAllSlotsOnce) {
  const std::vector<Node> nodes = shards(7);
  for (const Node& of : nodes) {
    const std::string conf = nodes_conf_new(nodes, of);
    const redisctl::Topology seen = read(conf);
    ASSERT_EQ(seen.size(), nodes.size());
    EXPECT_EQ(redisctl::myself(seen)->id, of.node_id);
    std::vector<int> owners(16384, 0);
    std::set<uint64_t> epochs;
    for (const redisctl::ClusterNode& node : seen) {
      for (const auto range : node.slots) {
        for (uint32_t slot = range.first; slot <= range.last; ++slot) ++owners[slot];
      }
      EXPECT_TRUE(!node.master || epochs.insert(node.epoch).second);
      EXPECT_TRUE(node.master || redisctl::find(seen, node.master_id) != nullptr);
    }
    EXPECT_EQ(owners, std::vector<int>(16384, 1));
    EXPECT_TRUE(conf.ends_with("vars currentEpoch 7 lastVoteEpoch 0\n"));
  }
}

TEST(NodesConf, AloneKnowsItself) {
  const Node node = shards(1).front();
  const redisctl::Topology seen = read(nodes_conf_alone(node));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_TRUE(seen[0].myself && seen[0].master && seen[0].slots.empty());
}

TEST(NodesConf, AgainCopiesWhoIsMasterNow) {
  const std::vector<Node> nodes = shards(2);
  redisctl::Topology seen = read(nodes_conf_new(nodes, nodes[2]));
  // The replica of shard 0 was elected.
  seen[1].master = true;
  seen[1].master_id.clear();
  seen[1].slots = seen[0].slots;
  seen[1].epoch = 9;
  seen[0].slots.clear();
  seen[0].failed = true;
  const std::string conf = nodes_conf_again(seen, nodes, nodes[0]);
  const redisctl::Topology again = read(conf);
  EXPECT_EQ(redisctl::myself(again)->master_id, nodes[1].node_id);
  EXPECT_TRUE(redisctl::myself(again)->slots.empty());
  EXPECT_EQ(redisctl::find(again, nodes[1].node_id)->slots, seen[1].slots);
  EXPECT_TRUE(conf.ends_with("vars currentEpoch 9 lastVoteEpoch 0\n"));
}

}  // namespace
}  // namespace overlord::jobs
