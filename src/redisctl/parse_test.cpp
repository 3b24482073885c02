#include <gtest/gtest.h>

#include "redisctl/admin.h"

namespace overlord::redisctl {
namespace {

TEST(Topology, ReadsWhatANodeSays) {
  const auto topology = parse_topology(
      "aaa 127.0.0.1:7000@17000 myself,master - 0 0 3 connected 0-5 7 9-16383 [6->-bbb] [8-<-bbb]\n"
      "bbb 127.0.0.2:7001@17001,host-b slave,fail? aaa 12 13 4 disconnected\n"
      "ccc :0@0 master,noaddr,fail - 1 1 0 disconnected 6\r\n"
      "ddd [::1]:7003@17003 handshake - 1 1 0 connected \n");
  ASSERT_TRUE(topology.has_value()) << topology.error().message;
  ASSERT_EQ(topology->size(), 4U);
  const ClusterNode& a = topology->at(0);
  EXPECT_EQ(a.slots, (std::vector<SlotRange>{{0, 5}, {7, 7}, {9, 16383}}));
  EXPECT_EQ(a.migrating, (std::map<uint16_t, std::string>{{6, "bbb"}}));
  EXPECT_EQ(a.importing, (std::map<uint16_t, std::string>{{8, "bbb"}}));
  EXPECT_TRUE(a.myself && a.master && a.connected && !a.failed);
  EXPECT_EQ(a.epoch, 3U);
  const ClusterNode& b = topology->at(1);
  EXPECT_EQ(b.host, "127.0.0.2");
  EXPECT_EQ(b.port, 7001);
  EXPECT_EQ(b.master_id, "aaa");
  EXPECT_TRUE(b.suspected && !b.failed && !b.master && !b.connected);
  EXPECT_TRUE(topology->at(2).failed);
  EXPECT_TRUE(topology->at(3).handshake);
  EXPECT_EQ(myself(*topology)->id, "aaa");
  EXPECT_EQ(find(*topology, "ddd")->host, "[::1]");
  EXPECT_EQ(find(*topology, "eee"), nullptr);
}

TEST(Topology, RefusesWhatIsNoTopology) {
  const std::string begin = "aaa 127.0.0.1:7000@17000 myself,master - 0 0 3 connected ";
  for (const std::string& text : {
           std::string(),
           std::string("ERR unknown"),
           begin + "16384",
           begin + "5-4",
           begin + "x",
           begin + "[5]",
           begin + "[5-<-a",
           std::string("aaa 127.0.0.1:7000@17000 master - 0 0 3 connected"),
           std::string("aaa nowhere myself,master - 0 0 3 connected"),
           std::string("aaa 127.0.0.1:70000@17000 myself,master - 0 0 3 connected"),
           std::string("aaa 127.0.0.1:7000@17000 myself,master - 0 0 x connected"),
       }) {
    EXPECT_FALSE(parse_topology(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace overlord::redisctl
