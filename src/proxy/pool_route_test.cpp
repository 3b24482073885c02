#include "proxy/pool_route.h"

#include <cerrno>
#include <deque>
#include <map>
#include <set>

#include "proxy/connection_fixture.h"

namespace overlord::proxy {
namespace {

using routing::Failure;
using routing::Request;
using routing::Wire;

constexpr int kServers = 4;
constexpr int32_t kFirstId = 10;

class PoolRouteTest : public testing::Test {
 protected:
  PoolRouteTest() {
    EXPECT_TRUE(log_init({.level = LogLevel::off, .file = {}}));
    config_.name = "pool";
    config_.cache_type = config::CacheType::redis;
    config_.node_connections = 1;
    for (int i = 0; i < kServers; ++i) {
      config::ServerConfig server;
      server.address.kind = config::Address::Kind::unix_socket;
      server.address.path = "/server" + std::to_string(i);
      server.alias = server.ring_name = "node" + std::to_string(i);
      server.weight = static_cast<uint32_t>(1 + i % 2);
      config_.servers.push_back(server);
    }
    config_.ping_fail_limit = 2;
    config_.ping_interval = std::chrono::hours(1);
    config_.eject_retry_interval = std::chrono::seconds(3);
  }
  void TearDown() override {
    pool_.reset();
    for (Asker& asker : askers_) turn_.requests.release_owner(*asker.request);
    end_turn();
    EXPECT_EQ(turn_.requests.in_use(), 0u);
    EXPECT_EQ(loop_.chunks().in_use(), 0u);
    EXPECT_TRUE(log_init({}));
  }

  void make() {
    next_ = kFirstId;
    pool_ =
        std::make_unique<PoolRoute>(turn_, std::make_shared<const config::ClusterConfig>(config_), resolver_, next_);
    EXPECT_EQ(next_, kFirstId + kServers);
    pool_->start();
    end_turn();
  }
  void make_and_accept_all() {
    make();
    for (int i = 0; i < kServers; ++i) greet(link_of(i));
  }
  void greet(Link& link) {
    loop_.accept(link);
    end_turn();
    link.sent.clear();
    loop_.receive(link, "+PONG\r\n");
    end_turn();
  }
  // The newest connection to a server.
  Link& link_of(int server) {
    const std::string& path = config_.servers[static_cast<size_t>(server)].address.path;
    for (auto link = loop_.links.rbegin(); link != loop_.links.rend(); ++link) {
      if ((*link)->path == path) return **link;
    }
    ADD_FAILURE() << "no connection to " << path;
    return *loop_.links.front();
  }
  void end_turn() {
    do turn_.end();
    while (turn_.hurry());
    loop_.end_receive();
  }
  void advance(uint64_t ns) {
    loop_.advance(ns);
    end_turn();
  }
  // Has every connection to the server refused, until it is out.
  void eject(int server) {
    Link* last = nullptr;
    for (int i = 0; i < 2; ++i) {
      Link& link = link_of(server);
      ASSERT_NE(&link, last);
      last = &link;
      loop_.fail(link, ECONNREFUSED);
      end_turn();
      if (i == 0) advance(60 * kMillisecond);
    }
    ASSERT_TRUE(pool_->backends()[static_cast<size_t>(server)]->ejected());
  }
  // Keys that differ early, since the usual hash brings those close together that differ only at their end.
  static std::string key_of(int i) { return std::to_string(static_cast<uint32_t>(i) * 2654435761u) + ":name"; }
  // The id that a ring of the servers without these gives, by the library alone.
  int32_t expected(std::string_view hashed, const std::set<int>& without = {}) {
    Expected& known = expected_[{config_.distribution, without}];
    if (known.ids.empty()) {
      std::vector<hashing::RingNode> nodes;
      for (int i = 0; i < kServers; ++i) {
        if (without.contains(i)) continue;
        const config::ServerConfig& server = config_.servers[static_cast<size_t>(i)];
        nodes.push_back({server.ring_name, server.weight});
        known.ids.push_back(kFirstId + i);
      }
      known.ring = hashing::Ring(nodes, config_.distribution, config_.hash_compat);
    }
    return known.ids.at(known.ring.lookup(hashing::hash(config_.hash_method, config_.hash_compat, hashed)));
  }
  Asker& send(std::string_view key) {
    Asker& asker = askers_.emplace_back();
    asker.request = &turn_.requests.take(Wire::redis, routing::Answer::reply, &asker);
    const std::string bytes = "GET " + std::string(key) + "\r\n";
    asker.request->bytes = bytes;
    asker.request->key = key;
    pool_->send(*asker.request);
    end_turn();
    return asker;
  }

  struct Expected {
    hashing::Ring ring;
    std::vector<int32_t> ids;
  };
  std::map<std::pair<hashing::Distribution, std::set<int>>, Expected> expected_;
  ScriptedLoop loop_;
  Turn turn_{loop_};
  Resolver resolver_;
  int32_t next_ = kFirstId;
  config::ClusterConfig config_ = [] {
    config::ClusterConfig made;
    made.shown_version = "7.0.0";  // backends are not asked
    return made;
  }();
  std::unique_ptr<PoolRoute> pool_;
  std::deque<Asker> askers_;
};

TEST_F(PoolRouteTest, TargetAndSendGoWhereTheRingSays) {
  for (const auto distribution : {hashing::Distribution::ketama, hashing::Distribution::modula}) {
    config_.distribution = distribution;
    make_and_accept_all();
    std::map<int32_t, int> counts;
    for (int i = 0; i < 200; ++i) {
      const std::string key = key_of(i);
      const int32_t target = pool_->target(key);
      ASSERT_EQ(target, expected(key)) << key;
      ++counts[target];
      Asker& asker = send(key);
      for (int server = 0; server < kServers; ++server) {
        const std::string sent = std::exchange(link_of(server).sent, {});
        ASSERT_EQ(sent, server == target - kFirstId ? "GET " + key + "\r\n" : "") << key;
      }
      loop_.receive(link_of(target - kFirstId), "$-1\r\n");
      end_turn();
      EXPECT_TRUE(asker.is("$-1\r\n"));
    }
    EXPECT_EQ(counts.size(), static_cast<size_t>(kServers));
  }
}

TEST_F(PoolRouteTest, OnlyTheHashTagCounts) {
  make_and_accept_all();
  for (const std::string user : {"1", "22", "333", ""}) {
    EXPECT_EQ(pool_->target("{" + user + "}.name"), expected(user));
    EXPECT_EQ(pool_->target("mail.{" + user + "}"), expected(user));
  }
  EXPECT_EQ(pool_->target("{open"), expected("{open"));
}

TEST_F(PoolRouteTest, BackendsHaveTheIdsOfTheirOrder) {
  make();
  for (int i = 0; i < kServers; ++i) {
    const Backend& backend = *pool_->backends()[static_cast<size_t>(i)];
    EXPECT_EQ(backend.id(), kFirstId + i);
    EXPECT_EQ(backend.server().ring_name, config_.servers[static_cast<size_t>(i)].ring_name);
  }
}

TEST_F(PoolRouteTest, AnEjectedBackendGetsNothingAndComesBack) {
  config_.ping_auto_eject = true;
  make();
  for (int i = 0; i < kServers; ++i) {
    if (i != 2) greet(link_of(i));
  }
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i) keys.push_back(key_of(i));

  eject(2);
  for (const std::string& key : keys) {
    ASSERT_EQ(pool_->target(key), expected(key, {2})) << key;
    ASSERT_NE(pool_->target(key), kFirstId + 2);
  }
  EXPECT_EQ(pool_->backends()[2]->counters().ejections.get(), 1u);

  // It is tried again, and once it answers it has its keys back.
  const Link* before = &link_of(2);
  advance(3000 * kMillisecond + 2 * net::TimerWheel::kTickNs);
  ASSERT_NE(&link_of(2), before);
  EXPECT_EQ(pool_->target(key_of(1)), expected(key_of(1), {2}));
  greet(link_of(2));
  for (const std::string& key : keys) ASSERT_EQ(pool_->target(key), expected(key)) << key;
}

TEST_F(PoolRouteTest, SeveralMayBeOutAtOnce) {
  config_.ping_auto_eject = true;
  make();
  greet(link_of(0));
  greet(link_of(3));
  eject(1);
  eject(2);
  for (int i = 0; i < 100; ++i) {
    const std::string key = key_of(i);
    ASSERT_EQ(pool_->target(key), expected(key, {1, 2}));
  }
  // What was sent goes to who is named.
  const int32_t target = pool_->target("k1");
  send("k1");
  EXPECT_EQ(link_of(target - kFirstId).sent, "GET k1\r\n");
}

TEST_F(PoolRouteTest, AReloadKeepsWhatIsTheSameAndLetsTheRestFinish) {
  make_and_accept_all();
  const auto key_for = [this](int32_t id) {
    for (int i = 0;; ++i) {
      if (pool_->target(key_of(i)) == id) return key_of(i);
    }
  };
  const std::string of_first = key_for(kFirstId);
  Asker& late = send(of_first);
  // The first server goes, the second weighs more, a fifth comes.
  PoolChange change;
  auto next = std::make_shared<config::ClusterConfig>(config_);
  next->servers.erase(next->servers.begin());
  next->servers[0].weight = 7;
  next->servers.push_back(config_.servers[0]);
  next->servers.back().address.path = "/fifth";
  next->servers.back().alias = next->servers.back().ring_name = "fifth";
  change.config = next;
  change.kept = {1, 2, 3, -1};
  change.ring = ring_of(*next);

  EXPECT_FALSE(pool_->prepare(change));
  end_turn();
  EXPECT_EQ(pool_->target(of_first), kFirstId);  // nothing has changed yet
  ASSERT_EQ(loop_.links.back()->path, "/fifth");
  greet(*loop_.links.back());
  EXPECT_TRUE(pool_->prepare(change));
  const uint64_t placement = pool_->placement();
  pool_->commit(change);
  EXPECT_NE(pool_->placement(), placement);

  ASSERT_EQ(pool_->backends().size(), 4u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pool_->backends()[static_cast<size_t>(i)]->id(), kFirstId + 1 + i);
  EXPECT_EQ(pool_->backends()[0]->server().weight, 7u);
  EXPECT_EQ(pool_->backends()[3]->id(), kFirstId + kServers);
  EXPECT_EQ(pool_->find(kFirstId), nullptr);
  for (int i = 0; i < 300; ++i) {
    const uint32_t index = change.ring->lookup(hashing::hash(next->hash_method, next->hash_compat, key_of(i)));
    ASSERT_EQ(pool_->target(key_of(i)), pool_->backends()[index]->id());
  }
  // What was in flight is answered; then the connection closes.
  Link& first = link_of(0);
  advance(200 * kMillisecond);
  ASSERT_TRUE(first.open);
  loop_.receive(first, "$1\r\nx\r\n");
  end_turn();
  EXPECT_TRUE(late.is("$1\r\nx\r\n"));
  for (int i = 0; i < 3; ++i) advance(60 * kMillisecond);
  EXPECT_FALSE(first.open);
  for (int i = 1; i < kServers; ++i) EXPECT_TRUE(link_of(i).open);
}

TEST_F(PoolRouteTest, WhatDoesNotEndAtALeavingBackendFails) {
  make_and_accept_all();
  std::string key = "a";
  while (pool_->target(key) != kFirstId) key += "a";
  Asker& waits = send(key);
  PoolChange change;
  auto next = std::make_shared<config::ClusterConfig>(config_);
  next->read_timeout = std::chrono::milliseconds(0);
  next->servers.erase(next->servers.begin());
  change.config = next;
  change.kept = {1, 2, 3};
  change.ring = ring_of(*next);
  pool_->backends()[0]->use(next, config_.servers[0]);  // no deadline of its own
  EXPECT_TRUE(pool_->prepare(change));
  pool_->commit(change);
  for (uint64_t waited = 0; waited + 1000 * kMillisecond < LeavingBackends::kPatience; waited += 1000 * kMillisecond) {
    advance(1000 * kMillisecond);
    ASSERT_FALSE(waits.done);
  }
  advance(2000 * kMillisecond);
  EXPECT_TRUE(waits.failed(Failure::connection_lost));
  const size_t links = loop_.links.size();
  advance(5000 * kMillisecond);
  EXPECT_EQ(loop_.links.size(), links);  // and it is not tried again
}

TEST_F(PoolRouteTest, NewConnectionsReplaceThoseOfTheSameServers) {
  make_and_accept_all();
  PoolChange change;
  auto next = std::make_shared<config::ClusterConfig>(config_);
  next->redis_auth = "secret";
  change.config = next;
  change.kept = {0, 1, 2, 3};
  change.new_connections = true;
  EXPECT_FALSE(pool_->prepare(change));
  end_turn();
  for (int i = 0; i < kServers; ++i) {
    EXPECT_EQ(link_of(i).sent, "");
    loop_.accept(link_of(i));
    end_turn();
    EXPECT_TRUE(link_of(i).sent.starts_with("*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n")) << link_of(i).sent;
    loop_.receive(link_of(i), "+OK\r\n+PONG\r\n");
    end_turn();
    EXPECT_EQ(pool_->prepare(change), i + 1 == kServers);
  }
  const int32_t before = pool_->target("k");
  pool_->commit(change);
  EXPECT_EQ(pool_->target("k"), before + kServers);  // the same server by another backend
}

TEST_F(PoolRouteTest, WithoutAutoEjectADownBackendKeepsItsKeys) {
  make();
  for (int i = 0; i < 4; ++i) {
    loop_.fail(link_of(1), ECONNREFUSED);
    advance(1010 * kMillisecond);
  }
  for (int i = 0; i < 100; ++i) {
    const std::string key = key_of(i);
    ASSERT_EQ(pool_->target(key), expected(key));
    if (pool_->target(key) != kFirstId + 1) continue;
    EXPECT_TRUE(send(key).failed(Failure::backend_down));
  }
}

TEST_F(PoolRouteTest, WithEveryBackendOutRequestsFailAtOnce) {
  config_.ping_auto_eject = true;
  make();
  for (int i = 0; i < kServers; ++i) eject(i);
  EXPECT_EQ(pool_->target("k"), routing::kNoTarget);
  EXPECT_TRUE(send("k").failed(Failure::no_backend));
  std::string text;
  pool_->explain("k", text);
  EXPECT_TRUE(text.ends_with(" -> no backend in the ring\n")) << text;
}

TEST_F(PoolRouteTest, BroadcastReachesEveryBackendAlsoThoseThatAreOut) {
  config_.ping_auto_eject = true;
  make();
  for (int i = 0; i < kServers; ++i) {
    if (i != 1) greet(link_of(i));
  }
  eject(1);
  Asker& asker = askers_.emplace_back();
  asker.request = &turn_.requests.take(Wire::none, routing::Answer::all_ok, &asker);
  pool_->broadcast(*asker.request, Wire::redis, "FLUSHALL\r\n");
  end_turn();
  EXPECT_EQ(asker.request->child_count, 4u);
  EXPECT_FALSE(asker.done);
  for (int i = 0; i < kServers; ++i) {
    if (i == 1) continue;
    EXPECT_EQ(link_of(i).sent, "FLUSHALL\r\n");
    loop_.receive(link_of(i), "+OK\r\n");
    end_turn();
  }
  EXPECT_TRUE(asker.done);
  std::vector<Failure> failures;
  for (Request* child = asker.request->children; child != nullptr; child = child->next) {
    failures.push_back(child->failure);
  }
  EXPECT_EQ(failures, (std::vector{Failure::none, Failure::backend_down, Failure::none, Failure::none}));
}

TEST_F(PoolRouteTest, ExplainSaysTheWholeWay) {
  make();
  for (const auto& [key, hashed] :
       {std::pair<std::string, std::string>{"plain", "plain"}, {"{user}.name", "user"}, {"", ""}}) {
    std::string text = "before\n";
    pool_->explain(key, text);
    const auto node = static_cast<size_t>(expected(hashed) - kFirstId);
    const uint32_t value = hashing::hash(config_.hash_method, config_.hash_compat, hashed);
    EXPECT_EQ(text, "before\npool pool: hash of '" + hashed + "' is " + std::to_string(value) + " -> pool/node" +
                        std::to_string(node) + " (unix:/server" + std::to_string(node) + ")\n");
  }
}

}  // namespace
}  // namespace overlord::proxy
