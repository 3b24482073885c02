#include "model/nodes_conf.h"

#include <gtest/gtest.h>

namespace overlord::model {
namespace {

std::string id(char last) { return std::string(39, '0') + last; }

// Three masters, each with a replica on the next host.
std::vector<ConfNode> six() {
  return {
      {.id = id('a'), .host = "127.0.0.1", .port = 7000, .slots = {{0, 5461}}},
      {.id = id('b'), .host = "127.0.0.2", .port = 7000, .slots = {{5462, 5462}, {5464, 10922}}},
      {.id = id('c'), .host = "127.0.0.3", .port = 7000, .slots = {{5463, 5463}, {10923, 16383}}},
      {.id = id('d'), .host = "127.0.0.2", .port = 7001, .role = Role::replica, .master = id('a')},
      {.id = id('e'), .host = "127.0.0.3", .port = 7001, .role = Role::replica, .master = id('b')},
      {.id = id('f'), .host = "127.0.0.1", .port = 7001, .role = Role::replica, .master = id('c')},
  };
}

std::string error_of(const std::vector<ConfNode>& nodes, const std::string& myself = id('a')) {
  const auto text = nodes_conf(nodes, myself);
  return text ? "none" : text.error().message;
}

TEST(NodesConf, IsTheSameForAllButForMyself) {
  const auto text = nodes_conf(six(), id('b'));
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, id('a') + " 127.0.0.1:7000@17000 master - 0 0 1 connected 0-5461\n" +  //
                       id('b') + " 127.0.0.2:7000@17000 myself,master - 0 0 2 connected 5462 5464-10922\n" + id('c') +
                       " 127.0.0.3:7000@17000 master - 0 0 3 connected 5463 10923-16383\n" + id('d') +
                       " 127.0.0.2:7001@17001 slave " + id('a') + " 0 0 1 connected\n" +            //
                       id('e') + " 127.0.0.3:7001@17001 slave " + id('b') + " 0 0 2 connected\n" +  //
                       id('f') + " 127.0.0.1:7001@17001 slave " + id('c') + " 0 0 3 connected\n" +  //
                       "vars currentEpoch 3 lastVoteEpoch 0\n");
  const auto replica = nodes_conf(six(), id('d'));
  ASSERT_TRUE(replica);
  EXPECT_NE(replica->find("@17001 myself,slave " + id('a')), std::string::npos);
  EXPECT_EQ(replica->find("myself,master"), std::string::npos);
}

TEST(NodesConf, KeepsTheEpochsThatMastersBring) {
  auto nodes = six();
  nodes[0].epoch = 9;
  nodes[1].epoch = 4;
  nodes[2].epoch = 7;
  const auto text = nodes_conf(nodes, id('a'));
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_NE(text->find("slave " + id('b') + " 0 0 4 connected"), std::string::npos);
  EXPECT_NE(text->find("vars currentEpoch 9 "), std::string::npos);
  nodes[2].epoch = 4;
  EXPECT_NE(error_of(nodes).find("epochs must differ"), std::string::npos);
  nodes[2].epoch = 0;
  EXPECT_NE(error_of(nodes).find("epochs must differ"), std::string::npos);
}

TEST(NodesConf, AMasterThatJoinsHasNoSlots) {
  auto nodes = six();
  nodes.push_back({.id = id('9'), .host = "127.0.0.4", .port = 7000});
  const auto text = nodes_conf(nodes, id('9'));
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_NE(text->find(id('9') + " 127.0.0.4:7000@17000 myself,master - 0 0 4 connected\n"), std::string::npos);
}

TEST(NodesConf, RefusesWhatARedisWouldChokeOn) {
  EXPECT_NE(error_of(six(), id('0')).find("the node that the file is for"), std::string::npos);
  auto nodes = six();
  nodes[1].slots[0] = {5461, 5462};
  EXPECT_NE(error_of(nodes).find("slot 5461 is with node 127.0.0.1:7000 and node 127.0.0.2:7000"), std::string::npos);
  nodes = six();
  nodes[2].slots[1].last = 16382;
  EXPECT_EQ(error_of(nodes), "slot 16383 is with no node");
  nodes[2].slots[1] = {10923, 16384};
  EXPECT_NE(error_of(nodes).find("are no slots"), std::string::npos);
  nodes[2].slots[1] = {16384, 16383};  // what the Go program wrote for its last masters
  EXPECT_NE(error_of(nodes).find("are no slots"), std::string::npos);
  nodes = six();
  nodes[3].master = id('7');
  EXPECT_NE(error_of(nodes).find("is none of the nodes"), std::string::npos);
  nodes[3].master = id('e');
  EXPECT_NE(error_of(nodes).find("is a replica itself"), std::string::npos);
  nodes = six();
  nodes[1].id = id('a');
  EXPECT_NE(error_of(nodes).find("another's too"), std::string::npos);
  nodes[1].id = std::string(40, 'G');
  EXPECT_NE(error_of(nodes).find("40 lower-case hex digits"), std::string::npos);
  nodes = six();
  nodes[0].port = 17001;  // the bus port of the last
  EXPECT_NE(error_of(nodes).find("bus port is another's"), std::string::npos);
  nodes[0].port = 55536;
  EXPECT_NE(error_of(nodes).find("1 to 55535"), std::string::npos);
  nodes = six();
  nodes[0].host = "127.0.0.1 x";
  EXPECT_NE(error_of(nodes).find("numeric address"), std::string::npos);
  EXPECT_NE(error_of({}).find("none of the cluster's"), std::string::npos);
}

}  // namespace
}  // namespace overlord::model
