#include "proxy/ring_builder.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>
#include <utility>

#include "hashing/method.h"
#include "proxy/connection_fixture.h"
#include "proxy/pool_route.h"

namespace overlord::proxy {
namespace {

constexpr uint32_t kServers = 60;

config::ClusterConfig big_cluster() {
  config::ClusterConfig made;
  made.name = "big";
  made.cache_type = config::CacheType::redis;
  made.shown_version = "7.0.0";
  made.node_connections = 1;
  made.ping_auto_eject = true;
  made.ping_fail_limit = 1;
  made.dial_timeout = made.read_timeout = std::chrono::milliseconds(0);  // those that are not answered stay in the ring
  made.ping_interval = std::chrono::hours(1);
  made.eject_retry_interval = std::chrono::seconds(3);
  for (uint32_t i = 0; i < kServers; ++i) {
    config::ServerConfig server;
    server.address.kind = config::Address::Kind::unix_socket;
    server.address.path = "/server" + std::to_string(i);
    server.ring_name = "node" + std::to_string(i);
    server.weight = 1 + i % 3;
    made.servers.push_back(server);
  }
  return made;
}

class BigPoolTest : public testing::Test {
 protected:
  void SetUp() override {
    EXPECT_TRUE(log_init({.level = LogLevel::off, .file = {}}));
    pool_ = std::make_unique<PoolRoute>(turn_, config_, resolver_, next_);
    pool_->start();
    end_turn();
  }
  void TearDown() override {
    pool_.reset();
    end_turn();
    EXPECT_TRUE(log_init({}));
  }
  void end_turn() {
    do turn_.end();
    while (turn_.hurry());
    loop_.end_receive();
  }
  Link& link_of(uint32_t server) {
    const std::string path = "/server" + std::to_string(server);
    for (auto link = loop_.links.rbegin(); link != loop_.links.rend(); ++link) {
      if ((*link)->path == path) return **link;
    }
    ADD_FAILURE() << "no connection to " << path;
    return *loop_.links.front();
  }
  void eject(uint32_t server) {
    loop_.fail(link_of(server), ECONNREFUSED);
    end_turn();
    ASSERT_TRUE(pool_->backends()[server]->ejected());
  }
  void bring_back(uint32_t server) {
    loop_.advance(4 * 1'000'000'000ULL);
    end_turn();
    loop_.accept(link_of(server));
    end_turn();
    loop_.receive(link_of(server), "+PONG\r\n");
    end_turn();
    ASSERT_FALSE(pool_->backends()[server]->ejected());
  }
  // Keys go where a ring of all servers without these sends them.
  void expect_without(const std::set<uint32_t>& out) {
    std::vector<uint32_t> in;
    for (uint32_t i = 0; i < config_->servers.size(); ++i) {
      if (!out.contains(i)) in.push_back(i);
    }
    const auto ring = ring_over(*config_, in);
    for (int i = 0; i < 500; ++i) {
      const std::string key = std::to_string(static_cast<uint32_t>(i) * 2654435761u) + ":name";
      const uint32_t server = in.at(ring->lookup(hashing::hash(config_->hash_method, config_->hash_compat, key)));
      ASSERT_EQ(pool_->target(key), pool_->backends()[server]->id()) << key;
    }
  }

  config::ClusterSnapshot config_ = std::make_shared<const config::ClusterConfig>(big_cluster());
  ScriptedLoop loop_;
  Turn turn_{loop_};
  Resolver resolver_;
  int32_t next_ = 0;
  std::unique_ptr<PoolRoute> pool_;
};

TEST_F(BigPoolTest, KeysMoveWhenTheRingIsThere) {
  eject(7);
  expect_without({});  // nobody waits for the ring
  loop_.run_posted();
  expect_without({7});
  bring_back(7);
  expect_without({});  // this ring was there all the time
}

TEST_F(BigPoolTest, ManyThatLeaveAtOnceCostTwoRings) {
  const uint64_t before = pool_->placement();
  for (uint32_t i = 10; i < 20; ++i) eject(i);
  loop_.run_posted();
  expect_without({10});
  loop_.run_posted();
  expect_without({10, 11, 12, 13, 14, 15, 16, 17, 18, 19});
  EXPECT_EQ(pool_->placement(), before + 2);
}

TEST_F(BigPoolTest, ARingThatComesTooLateIsNotUsed) {
  eject(7);
  bring_back(7);
  eject(8);
  loop_.run_posted();  // without 7, which is back
  expect_without({});
  loop_.run_posted();
  expect_without({8});
}

TEST_F(BigPoolTest, AReloadWaitsForTheRingWithoutThoseThatAreOut) {
  eject(7);
  loop_.run_posted();
  auto next = std::make_shared<config::ClusterConfig>(*config_);
  next->servers.pop_back();
  next->servers[0].weight = 9;
  PoolChange change{.config = next, .ring = ring_of(*next)};
  for (uint32_t i = 0; i < next->servers.size(); ++i) change.kept.push_back(static_cast<int32_t>(i));
  EXPECT_FALSE(pool_->prepare(change));
  expect_without({7});
  loop_.run_posted();
  EXPECT_TRUE(pool_->prepare(change));
  pool_->commit(change);
  config_ = next;
  expect_without({7});
}

TEST_F(BigPoolTest, AReloadThatDoesNotWaitGetsTheRingAfterwards) {
  eject(7);  // its ring is still being built, for the pool as it was
  auto next = std::make_shared<config::ClusterConfig>(*config_);
  next->servers.pop_back();
  PoolChange change{.config = next, .ring = ring_of(*next)};
  for (uint32_t i = 0; i < next->servers.size(); ++i) change.kept.push_back(static_cast<int32_t>(i));
  pool_->commit(change);
  config_ = next;
  expect_without({});
  loop_.run_posted();
  expect_without({});
  loop_.run_posted();
  expect_without({7});
}

TEST_F(BigPoolTest, APoolMayGoWhileItsRingIsBuilt) {
  eject(7);
  pool_.reset();
  loop_.run_posted();
}

}  // namespace
}  // namespace overlord::proxy
