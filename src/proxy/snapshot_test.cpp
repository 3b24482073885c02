#include "proxy/snapshot.h"

#include <gtest/gtest.h>

#include <future>

#include "config/loader.h"
#include "proxy/proxy.h"

namespace overlord::proxy {
namespace {

using std::chrono::milliseconds;

BackendSnapshot backend(const std::string& node, uint64_t requests) {
  BackendSnapshot out;
  out.cluster = "c";
  out.node = node;
  out.requests = requests;
  out.queued = 1;
  out.connections.up = 2;
  out.failed[1][2] = 3;
  out.times[1].buckets[0] = 5;
  return out;
}

TEST(Snapshot, AddsUpWorkersAndAddressesThatStandTwice) {
  Snapshot all;
  all.workers = 2;
  for (uint32_t i = 0; i < 2; ++i) {
    WorkerSnapshot part;
    part.index = i;
    ClusterSnapshot cluster;
    cluster.name = "c";
    cluster.requests = 10;
    cluster.commands["get"].buckets[1] = 4;
    if (i == 1) cluster.commands["set"].buckets[1] = 1;
    cluster.backends = {backend("a", 1), backend("a", 2), backend("b", 4)};
    if (i == 1) cluster.backends[0].in_ring = false;
    if (i == 0) cluster.backends[2].failing = true;
    part.clusters = {cluster};
    if (i == 1) {  // one that only this worker has yet
      part.clusters.insert(part.clusters.begin(), ClusterSnapshot{});
      part.clusters.front().name = "new";
    }
    all.parts.push_back(part);
  }
  const std::vector<ClusterSnapshot> clusters = all.clusters();
  ASSERT_EQ(clusters.size(), 2U);
  EXPECT_EQ(clusters[1].name, "new");
  const ClusterSnapshot& c = clusters[0];
  EXPECT_EQ(c.requests, 20U);
  EXPECT_EQ(c.commands.at("get").buckets[1], 8U);
  EXPECT_EQ(c.commands.at("set").buckets[1], 1U);
  ASSERT_EQ(c.backends.size(), 2U);
  EXPECT_EQ(c.backends[0].node, "a");
  EXPECT_EQ(c.backends[0].requests, 6U);
  EXPECT_EQ(c.backends[0].queued, 4U);
  EXPECT_EQ(c.backends[0].connections.up, 8U);
  EXPECT_EQ(c.backends[0].failed[1][2], 12U);
  EXPECT_EQ(c.backends[0].times[1].buckets[0], 20U);
  EXPECT_FALSE(c.backends[0].in_ring);
  EXPECT_FALSE(c.backends[0].failing);
  EXPECT_EQ(c.backends[1].requests, 8U);
  EXPECT_TRUE(c.backends[1].in_ring);
  EXPECT_TRUE(c.backends[1].failing);
}

class LiveProxy : public testing::Test {
 protected:
  void SetUp() override {
    const auto file = config::load_cluster_text(
        "[[clusters]]\nname = \"a\"\ncache_type = \"redis\"\nlisten_addr = \"127.0.0.1:0\"\n"
        "servers = [\"127.0.0.1:1:1 one\", \"127.0.0.1:2:1 two\"]\n",
        "f");
    ASSERT_TRUE(file.ok());
    proxy = std::make_unique<Proxy>(
        config::make_configuration(config::ProcessConfig{.stat = "x", .workers = 2}, *file.value), Reloader::Load());
    const auto started = proxy->start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
  }

  std::unique_ptr<Proxy> proxy;
};

TEST_F(LiveProxy, AllWorkersAnswer) {
  const Snapshot snapshot = proxy->snapshot(milliseconds(20'000));
  EXPECT_EQ(snapshot.workers, 2U);
  EXPECT_TRUE(snapshot.silent.empty());
  ASSERT_EQ(snapshot.parts.size(), 2U);
  EXPECT_EQ(snapshot.parts[1].index, 1U);
  EXPECT_GT(snapshot.parts[0].requests.free, 0U);
  ASSERT_EQ(snapshot.clusters().size(), 1U);
  const ClusterSnapshot cluster = snapshot.clusters()[0];
  EXPECT_EQ(cluster.type, "redis");
  ASSERT_EQ(cluster.backends.size(), 2U);
  EXPECT_EQ(cluster.backends[1].node, "127.0.0.1:2");
  EXPECT_EQ(cluster.backends[1].alias, "two");
}

// A worker that hangs costs the time that was given, and its late answer nothing.
TEST_F(LiveProxy, AWorkerThatHangsIsLeftOut) {
  std::promise<void> go_on;
  std::shared_future<void> hang = go_on.get_future().share();
  proxy->workers()[0]->post([hang] { hang.wait(); });
  const Snapshot snapshot = proxy->snapshot(milliseconds(100));
  EXPECT_EQ(snapshot.silent, std::vector<uint32_t>{0});
  ASSERT_EQ(snapshot.parts.size(), 1U);
  EXPECT_EQ(snapshot.parts[0].index, 1U);
  go_on.set_value();
  EXPECT_TRUE(proxy->snapshot(milliseconds(20'000)).silent.empty());
}

}  // namespace
}  // namespace overlord::proxy
