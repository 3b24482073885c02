#include "proxy/cluster_view.h"

#include <gtest/gtest.h>

namespace overlord::proxy {
namespace {

config::Address at(std::string host, uint16_t port) { return {.host = std::move(host), .port = port}; }

TEST(ClusterView, OneProxyHasEverySlot) {
  const ClusterView view({at("10.0.0.1", 6379)}, 0);
  EXPECT_EQ(view.id().size(), 40u);
  EXPECT_EQ(view.nodes_text(), view.id() + " 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-16383\n");
  std::string slots;
  view.append_slots(slots);
  EXPECT_EQ(slots, "*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$8\r\n10.0.0.1\r\n:6379\r\n$40\r\n" + view.id() + "\r\n*0\r\n");
}

TEST(ClusterView, SeveralDivideTheSlotsWithoutHoleOrOverlap) {
  std::vector<config::Address> proxies;
  for (uint16_t i = 0; i < 7; ++i) proxies.push_back(at("p", static_cast<uint16_t>(100 + i)));
  const std::string text = ClusterView(proxies, 3).nodes_text();
  int next = 0;
  size_t line = 0;
  for (size_t end; (end = text.find('\n', line)) != std::string::npos; line = end + 1) {
    int first = -1;
    int last = -1;
    ASSERT_EQ(std::sscanf(text.c_str() + text.rfind(' ', end), "%d-%d", &first, &last), 2);
    EXPECT_EQ(first, next);
    next = last + 1;
  }
  EXPECT_EQ(next, 16384);
}

TEST(ClusterView, TheIdDependsOnTheAddressAlone) {
  const ClusterView alone({at("a", 1)}, 0);
  const ClusterView second({at("b", 1), at("a", 1)}, 1);
  EXPECT_EQ(alone.id(), second.id());
  EXPECT_NE(alone.id(), ClusterView({at("a", 2)}, 0).id());
}

}  // namespace
}  // namespace overlord::proxy
