#include "protocol/redis/topology.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "protocol/redis/writer.h"

namespace overlord::redis {
namespace {

using Question = TopologyQuestion;

std::string bulk(std::string_view text) {
  std::string out;
  append_bulk(out, text);
  return out;
}
std::string number(int64_t value) {
  std::string out;
  append_integer(out, value);
  return out;
}
std::string array(const std::vector<std::string>& items) {
  std::string out;
  append_array_header(out, items.size());
  for (const std::string& item : items) out += item;
  return out;
}
constexpr std::string_view kNull = "$-1\r\n";

std::string shard_node(const std::string& endpoint, std::string_view ip, int port, std::string_view role,
                       std::string_view health = "online", int offset = 0) {
  return array({bulk("id"), bulk("abc"), bulk("port"), number(port), bulk("ip"), bulk(ip), bulk("endpoint"), endpoint,
                bulk("role"), bulk(role), bulk("replication-offset"), number(offset), bulk("health"), bulk(health)});
}
std::string shard(const std::vector<std::string>& slots, const std::vector<std::string>& nodes) {
  return array({bulk("slots"), array(slots), bulk("nodes"), array(nodes)});
}

std::string text(const TopologyNode& node) { return node.host + ":" + std::to_string(node.port); }
std::string text(const TopologyShard& shard) {
  std::string out = text(shard.master);
  for (const auto& replica : shard.replicas) out += " <" + text(replica);
  for (const auto range : shard.slots) out += " " + std::to_string(range.first) + "-" + std::to_string(range.last);
  return out;
}
std::string text(const Topology& topology) {
  std::string out;
  for (const auto& shard : topology.shards) out += text(shard) + "\n";
  return out;
}
std::string parsed(Question question, std::string_view reply, std::string_view asked = "10.0.0.9") {
  const auto topology = parse_topology(question, reply, asked);
  return topology ? text(*topology) : "error: " + topology.error().message;
}

TEST(TopologyShards, MastersReplicasAndSlots) {
  const std::string reply = array({shard({number(0), number(99), number(200), number(200)},
                                         {shard_node(bulk("10.0.0.2"), "10.0.0.2", 7001, "replica", "online", 90),
                                          shard_node(bulk("10.0.0.1"), "10.0.0.1", 7000, "master", "online", 100)}),
                                   shard({}, {shard_node(bulk("10.0.0.3"), "10.0.0.3", 7000, "master")})});
  EXPECT_EQ(parsed(Question::shards, reply), "10.0.0.1:7000 <10.0.0.2:7001 0-99 200-200\n10.0.0.3:7000\n");
  const auto topology = parse_topology(Question::shards, reply, "x");
  EXPECT_EQ(topology->shards[0].master.offset, 100u);
  EXPECT_EQ(topology->shards[0].replicas[0].offset, 90u);
}

TEST(TopologyShards, AsRESP3Maps) {
  std::string reply = shard({number(1), number(2)}, {shard_node(bulk("a"), "", 1, "master")});
  reply.replace(0, 3, "%2\r");  // *4
  EXPECT_EQ(parsed(Question::shards, "*1\r\n" + reply), "a:1 1-2\n");
}

TEST(TopologyShards, EndpointsThatAreNotTold) {
  const auto with = [](const std::string& endpoint, std::string_view ip) {
    return parsed(Question::shards, array({shard({number(0), number(1)}, {shard_node(endpoint, ip, 7000, "master")})}));
  };
  EXPECT_EQ(with(bulk("cache.example"), "10.0.0.1"), "cache.example:7000 0-1\n");
  EXPECT_EQ(with(bulk("::1"), "::1"), "::1:7000 0-1\n");
  EXPECT_EQ(with(std::string(kNull), "10.0.0.1"), "10.0.0.9:7000 0-1\n");
  EXPECT_EQ(with("_\r\n", "10.0.0.1"), "10.0.0.9:7000 0-1\n");
  EXPECT_EQ(with(bulk(""), ""), "10.0.0.9:7000 0-1\n");
  EXPECT_EQ(with(bulk("?"), "10.0.0.1"), "10.0.0.1:7000 0-1\n");
  EXPECT_EQ(with(bulk("?"), ""), "error: the answer names no master");
  EXPECT_EQ(with(bulk("a b"), "10.0.0.1"), "error: the answer names no master");
}

TEST(TopologyShards, AFailedMasterGivesWayToItsHeir) {
  const std::string reply =
      array({shard({number(0), number(1)}, {shard_node(bulk("old"), "", 1, "master", "fail"),
                                            shard_node(bulk("new"), "", 2, "master", "online")})});
  EXPECT_EQ(parsed(Question::shards, reply), "new:2 0-1\n");
}

TEST(TopologySlots, RangesOfOneMasterAreOneShard) {
  const std::string master = array({bulk("10.0.0.1"), number(7000), bulk("id1"), array({})});
  const std::string replica = array({bulk("10.0.0.2"), number(7000), bulk("id2"), array({})});
  const std::string other = array({bulk("10.0.0.3"), number(7000)});  // before 4.0: without an id
  const std::string reply =
      array({array({number(0), number(9), master, replica}), array({number(10), number(19), other}),
             array({number(20), number(29), master, replica})});
  EXPECT_EQ(parsed(Question::slots, reply), "10.0.0.1:7000 <10.0.0.2:7000 0-9 20-29\n10.0.0.3:7000 10-19\n");
}

TEST(TopologySlots, EndpointsThatAreNotTold) {
  const std::string ip = array({bulk("ip"), bulk("10.0.0.5")});
  const auto with = [&](const std::string& host, const std::string& more) {
    const std::string other = array({bulk("b"), number(2), bulk("id"), array({})});
    return parsed(Question::slots,
                  array({array({number(0), number(9), array({host, number(1), bulk("id"), more}), other}),
                         array({number(10), number(10), other})}));
  };
  EXPECT_EQ(with(std::string(kNull), ip), "10.0.0.9:1 <b:2 0-9\nb:2 10-10\n");
  EXPECT_EQ(with(bulk(""), ip), "10.0.0.9:1 <b:2 0-9\nb:2 10-10\n");
  EXPECT_EQ(with(bulk("?"), ip), "10.0.0.5:1 <b:2 0-9\nb:2 10-10\n");
  EXPECT_EQ(with(bulk("?"), array({})), "b:2 10-10\n");
}

// As redis-server 7.0 tells of a node that came back as another one.
TEST(Topology, NodesWithoutAnAddressAreLeftOut) {
  const std::string lost = array({bulk("id"), bulk("abc"), bulk("ip"), bulk(""), bulk("endpoint"), bulk(""),
                                  bulk("role"), bulk("master"), bulk("health"), bulk("online")});
  const auto shards = array({shard({number(0), number(9)}, {lost, shard_node(bulk("10.0.0.2"), "", 2, "replica")}),
                             shard({number(10), number(19)}, {shard_node(bulk("10.0.0.3"), "", 3, "master")})});
  EXPECT_EQ(parsed(Question::shards, shards), "10.0.0.3:3 10-19\n");
  const auto node = [](std::string_view host, int port) { return array({bulk(host), number(port), bulk("abc")}); };
  const auto slots = array({array({number(0), number(9), node("", 0), node("10.0.0.2", 2)}),
                            array({number(10), number(19), node("10.0.0.3", 3), node("", 0)})});
  EXPECT_EQ(parsed(Question::slots, slots), "10.0.0.3:3 10-19\n");
}

TEST(TopologyNodes, LinesOfAllKinds) {
  const std::string lines =
      "m1 10.0.0.1:7000@17000,host myself,master - 0 0 1 connected 0-5 7 [7->-m2] [9-<-m2]\n"
      "r1 10.0.0.2:7000@17000 slave m1 0 0 1 connected\n"
      "m2 10.0.0.3:7000 master,fail? - 0 0 2 connected 8-16383\n"
      "r2 ::1:7001@17001 slave,fail m2 0 0 2 disconnected\n"
      "x1 :0@0 master,noaddr - 0 0 0 disconnected\n"
      "x2 10.0.0.7:7000@17000 handshake - 0 0 0 connected\n"
      "r3 10.0.0.8:7000@17000 slave - 0 0 0 connected\n";
  EXPECT_EQ(parsed(Question::nodes, bulk(lines)),
            "10.0.0.1:7000 <10.0.0.2:7000 0-5 7-7\n10.0.0.3:7000 <::1:7001 8-16383\n");
  EXPECT_EQ(parsed(Question::nodes, "=" + std::to_string(lines.size() + 4) + "\r\ntxt:" + lines + "\r\n"),
            parsed(Question::nodes, bulk(lines)));
  // A node that has not met anybody does not know its own address.
  EXPECT_EQ(parsed(Question::nodes, bulk("a :7000@17000 myself,master - 0 0 0 connected 0-1\n")),
            "10.0.0.9:7000 0-1\n");
  const auto topology = parse_topology(Question::nodes, bulk(lines), "x");
  EXPECT_FALSE(topology->shards[1].master.healthy);
  EXPECT_FALSE(topology->shards[1].replicas[0].healthy);
}

TEST(Topology, WhatIsNotAnAnswerIsAnError) {
  const std::string good = array({shard({number(0), number(1)}, {shard_node(bulk("a"), "", 1, "master")})});
  ASSERT_EQ(parsed(Question::shards, good), "a:1 0-1\n");
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_TRUE(parsed(Question::shards, good.substr(0, size)).starts_with("error")) << size;
  }
  const auto range = [&](const std::string& first, const std::string& last) {
    return parsed(Question::shards, array({shard({first, last}, {shard_node(bulk("a"), "", 1, "master")})}));
  };
  EXPECT_TRUE(range(number(0), number(16384)).starts_with("error"));
  EXPECT_TRUE(range(number(-1), number(0)).starts_with("error"));
  EXPECT_TRUE(range(number(5), number(4)).starts_with("error"));
  EXPECT_TRUE(range(bulk("0"), number(4)).starts_with("error"));
  EXPECT_TRUE(parsed(Question::shards, "*99999999\r\n").starts_with("error"));
  EXPECT_TRUE(parsed(Question::slots, "+OK\r\n").starts_with("error"));
  EXPECT_TRUE(parsed(Question::nodes, bulk("one word")).starts_with("error"));
  EXPECT_EQ(parsed(Question::slots, "-ERR This instance has cluster support disabled\r\n"),
            "error: ERR This instance has cluster support disabled");
}

TEST(Topology, UnknownQuestions) {
  EXPECT_TRUE(is_unknown_question("-ERR unknown subcommand 'SHARDS'. Try CLUSTER HELP.\r\n"));
  EXPECT_TRUE(is_unknown_question("-ERR Unknown subcommand or wrong number of arguments for 'shards'\r\n"));
  EXPECT_FALSE(is_unknown_question("-ERR This instance has cluster support disabled\r\n"));
  EXPECT_FALSE(is_unknown_question("-CLUSTERDOWN The cluster is down\r\n"));
}

}  // namespace
}  // namespace overlord::redis
