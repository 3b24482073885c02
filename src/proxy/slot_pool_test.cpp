// A pool over a Redis Cluster whose nodes the test plays: what goes where, in which order, and what never happens twice.
#include "proxy/slot_pool.h"

#include <cerrno>
#include <deque>

#include "protocol/redis/command.h"
#include "protocol/redis/writer.h"
#include "proxy/connection_fixture.h"

namespace overlord::proxy {
namespace {

using routing::Failure;
using routing::Request;
using routing::Wire;

constexpr std::string_view kQuestion = "*2\r\n$7\r\nCLUSTER\r\n$6\r\nSHARDS\r\n";
constexpr std::string_view kAsking = "*1\r\n$6\r\nASKING\r\n";
constexpr std::string_view kOk = "+OK\r\n";
// Two nodes with half of the slots each.
constexpr int kFirst = 7001;
constexpr int kSecond = 7002;

std::string words(std::initializer_list<std::string_view> list) {
  std::string out;
  redis::append_command(out, std::span(list.begin(), list.size()));
  return out;
}

class SlotPoolTest : public testing::Test {
 protected:
  // One client, whose requests are in flight together.
  struct Client {
    routing::Lane lane;
    Request* last = nullptr;
  };

  SlotPoolTest() {
    EXPECT_TRUE(log_init({.level = LogLevel::off, .file = {}}));
    config_.name = "pool";
    config_.cache_type = config::CacheType::redis_cluster;
    config_.node_connections = 1;
    config_.read_timeout = std::chrono::seconds(1);
    config::ServerConfig seed;
    seed.address.host = "10.0.0.1";
    seed.address.port = kFirst;
    config_.servers.push_back(seed);
  }
  void TearDown() override {
    for (Asker& asker : askers_) leave(asker);
    pool_.reset();
    end_turn();
    EXPECT_EQ(turn_.requests.in_use(), 0u);
    EXPECT_EQ(loop_.chunks().in_use(), 0u);
    EXPECT_TRUE(log_init({}));
  }

  void make() {
    pool_ =
        std::make_unique<SlotPool>(turn_, std::make_shared<const config::ClusterConfig>(config_), resolver_, next_id_);
    pool_->start();
    advance(10 * kMillisecond);
  }
  // With the map learned and both nodes connected.
  void up() {
    make();
    greet(kFirst);
    ASSERT_EQ(take(kFirst), kQuestion);
    say(kFirst, shards(8191));
    advance(10 * kMillisecond);
    greet(kSecond);
  }
  // The first node has the slots up to `last`, the second has the others.
  static std::string shards(int last) {
    const auto shard = [](int first, int to, int port) {
      return "*4\r\n$5\r\nslots\r\n*2\r\n:" + std::to_string(first) + "\r\n:" + std::to_string(to) +
             "\r\n$5\r\nnodes\r\n*1\r\n*6\r\n$4\r\nport\r\n:" + std::to_string(port) +
             "\r\n$8\r\nendpoint\r\n$8\r\n10.0.0.1\r\n$4\r\nrole\r\n$6\r\nmaster\r\n";
    };
    return "*2\r\n" + shard(0, last, kFirst) + shard(last + 1, 16383, kSecond);
  }
  // The newest connection to a node.
  Link& link(int port) {
    const std::string wanted = "10.0.0.1:" + std::to_string(port);
    for (auto at = loop_.links.rbegin(); at != loop_.links.rend(); ++at) {
      if ((*at)->address == wanted) return **at;
    }
    ADD_FAILURE() << "no connection to " << wanted;
    return *loop_.links.front();
  }
  void greet(int port) {
    Link& fresh = link(port);
    loop_.accept(fresh);
    end_turn();
    const std::string_view ping = "*1\r\n$4\r\nPING\r\n";
    ASSERT_TRUE(fresh.sent.starts_with(ping)) << fresh.sent;
    fresh.sent.erase(0, ping.size());
    say(port, "+PONG\r\n");
  }
  std::string take(int port) { return std::exchange(link(port).sent, {}); }
  void say(int port, std::string_view bytes) {
    loop_.receive(link(port), bytes);
    end_turn();
  }
  // Answers what a node was sent: questions with the map, all else with `reply`. Returns all else.
  std::string serve(int port, const std::string& map, std::string_view reply) {
    std::string served;
    std::string sent = take(port);
    while (!sent.empty()) {
      if (sent.starts_with(kQuestion)) {
        sent.erase(0, kQuestion.size());
        say(port, map);
        continue;
      }
      const size_t end = sent.find('*', 1);
      served += sent.substr(0, end);
      sent.erase(0, end);
      say(port, reply);
    }
    return served;
  }
  void end_turn() {
    do turn_.end();
    while (turn_.hurry());
    loop_.end_receive();
  }
  void advance(uint64_t ns) {
    for (uint64_t done = 0; done < ns; done += 5 * kMillisecond) {
      loop_.advance(5 * kMillisecond);
      end_turn();
    }
  }

  Asker& send(Client& client, std::string_view name, std::string_view key, std::string_view value = {}) {
    Asker& asker = askers_.emplace_back();
    asker.request = &turn_.requests.take(Wire::redis, routing::Answer::reply, &asker);
    Request& request = *asker.request;
    const std::string bytes = value.empty() ? words({name, key}) : words({name, key, value});
    request.command = redis::find_command(name);
    request.lane = &client.lane;
    request.in_order = false;
    for (const Asker& other : askers_) {
      if (other.request != nullptr && other.request != &request && other.request->lane == &client.lane && !other.done) {
        request.in_order = true;
      }
    }
    if (client.last != nullptr) client.last->next = &request;
    client.last = &request;
    request.bytes = bytes;
    request.key = key;
    pool_->send(request);
    end_turn();
    return asker;
  }
  void leave(Asker& asker) {
    if (asker.request != nullptr) turn_.requests.release_owner(*std::exchange(asker.request, nullptr));
  }
  // Keys of the two halves: their slots are 15495 and 3300.
  static constexpr std::string_view kHigh = "a";
  static constexpr std::string_view kLow = "b";

  ScriptedLoop loop_;
  Turn turn_{loop_};
  Resolver resolver_;
  config::ClusterConfig config_ = [] {
    config::ClusterConfig made;
    made.shown_version = "7.0.0";  // backends are not asked
    return made;
  }();
  int32_t next_id_ = 1;
  std::unique_ptr<SlotPool> pool_;
  Client client_;
  std::deque<Asker> askers_;
};

TEST_F(SlotPoolTest, RequestsWaitForTheMapAndGoToTheirNodes) {
  make();
  Asker& early = send(client_, "get", kLow);
  greet(kFirst);
  EXPECT_EQ(take(kFirst), kQuestion);
  say(kFirst, shards(8191));
  advance(10 * kMillisecond);
  greet(kSecond);
  std::string low;
  // Another question may follow, at either node.
  for (int i = 0; i < 40; ++i) {
    advance(5 * kMillisecond);
    low += serve(kFirst, shards(8191), "$1\r\nx\r\n");
    EXPECT_EQ(serve(kSecond, shards(8191), "-ERR\r\n"), "");
  }
  EXPECT_EQ(low, words({"get", kLow}));
  EXPECT_TRUE(early.is("$1\r\nx\r\n"));
  Asker& high = send(client_, "get", kHigh);
  EXPECT_EQ(serve(kSecond, shards(8191), "$-1\r\n"), words({"get", kHigh}));
  EXPECT_TRUE(high.is("$-1\r\n"));
}

TEST_F(SlotPoolTest, WithoutAnybodyToAskRequestsFailInTime) {
  make();
  Asker& asker = send(client_, "get", kLow);
  for (int i = 0; i < 30; ++i) {
    if (link(kFirst).open && !link(kFirst).connected) loop_.fail(link(kFirst), ECONNREFUSED);
    advance(50 * kMillisecond);
  }
  EXPECT_TRUE(asker.failed(Failure::slot_not_served));
}

TEST_F(SlotPoolTest, MovedIsFollowedAndLearnedAndOneQuestionAsked) {
  up();
  Asker& first = send(client_, "set", kLow, "1");
  Client other;
  Asker& second = send(other, "set", kLow, "2");
  EXPECT_EQ(take(kFirst), words({"set", kLow, "1"}) + words({"set", kLow, "2"}));
  say(kFirst, "-MOVED 3300 10.0.0.1:7002\r\n-MOVED 3300 10.0.0.1:7002\r\n");
  EXPECT_EQ(take(kSecond), words({"set", kLow, "1"}) + words({"set", kLow, "2"}));
  say(kSecond, "+OK\r\n-ERR no\r\n");
  EXPECT_TRUE(first.is(kOk));
  EXPECT_TRUE(second.is("-ERR no\r\n"));
  EXPECT_TRUE(second.error_reply);
  Client third;
  send(third, "get", kLow);
  EXPECT_TRUE(take(kSecond).ends_with(words({"get", kLow})));
  advance(40 * kMillisecond);
  advance(100 * kMillisecond);
  const std::string asked = take(kFirst) + take(kSecond);
  EXPECT_EQ(asked, kQuestion);  // for two redirections
}

TEST_F(SlotPoolTest, AnOldDescriptionDoesNotUndoWhatMovedTaught) {
  up();
  send(client_, "get", kLow);
  take(kFirst);
  say(kFirst, "-MOVED 3300 10.0.0.1:7002\r\n");
  EXPECT_EQ(take(kSecond), words({"get", kLow}));
  say(kSecond, "$-1\r\n");
  const auto describe = [&](uint64_t within) {
    std::string asked;
    for (uint64_t waited = 0; asked.empty() && waited < within; waited += 100 * kMillisecond) {
      advance(100 * kMillisecond);
      for (const int port : {kFirst, kSecond}) {
        if (const std::string sent = take(port); sent.ends_with(kQuestion)) {
          asked += sent;
          say(port, shards(8191));
          advance(10 * kMillisecond);
        }
      }
    }
    EXPECT_EQ(asked, kQuestion);
  };
  const auto get = [&](int owner) {
    Client client;
    Asker& asker = send(client, "get", kLow);
    EXPECT_EQ(take(owner), words({"get", kLow}));
    say(owner, "$-1\r\n");
    EXPECT_TRUE(asker.is("$-1\r\n"));
  };
  describe(1'000 * kMillisecond);
  get(kSecond);
  // A node that says so still when all have had time to hear of it is right.
  describe(20'000 * kMillisecond);
  get(kFirst);
}

TEST_F(SlotPoolTest, MovedToANodeThatIsNotKnownYet) {
  up();
  Asker& asker = send(client_, "get", kLow);
  take(kFirst);
  say(kFirst, "-MOVED 3300 10.0.0.1:7009\r\n");
  greet(7009);
  EXPECT_EQ(take(7009), words({"get", kLow}));
  say(7009, "$1\r\nx\r\n");
  EXPECT_TRUE(asker.is("$1\r\nx\r\n"));
}

TEST_F(SlotPoolTest, AnEndpointWithoutAHostIsTheNodeThatAnswered) {
  up();
  Asker& asker = send(client_, "get", kLow);
  say(kFirst, "-MOVED 3300 :7002\r\n");
  EXPECT_EQ(take(kSecond), words({"get", kLow}));
  say(kSecond, "$-1\r\n");
  EXPECT_TRUE(asker.is("$-1\r\n"));
}

TEST_F(SlotPoolTest, AskGoesBehindAskingAndIsNotLearned) {
  up();
  Asker& asker = send(client_, "set", kLow, "1");
  take(kFirst);
  say(kFirst, "-ASK 3300 10.0.0.1:7002\r\n");
  EXPECT_EQ(take(kSecond), std::string(kAsking) + words({"set", kLow, "1"}));
  say(kSecond, "+OK\r\n+OK\r\n");
  EXPECT_TRUE(asker.is(kOk));
  send(client_, "get", kLow);
  EXPECT_EQ(take(kFirst), words({"get", kLow}));
}

TEST_F(SlotPoolTest, RedirectionsInACircleEnd) {
  up();
  Asker& asker = send(client_, "get", kLow);
  for (int i = 0; i < 10 && !asker.done; ++i) {
    say(i % 2 == 0 ? kFirst : kSecond, i % 2 == 0 ? "-MOVED 3300 10.0.0.1:7002\r\n" : "-MOVED 3300 10.0.0.1:7001\r\n");
  }
  EXPECT_TRUE(asker.failed(Failure::redirect_loop));
}

TEST_F(SlotPoolTest, TryAgainIsTriedAgainAndWhatComesLaterWaits) {
  up();
  Asker& first = send(client_, "set", kLow, "1");
  take(kFirst);
  say(kFirst, "-TRYAGAIN Multiple keys request during rehashing of slot\r\n");
  Asker& second = send(client_, "set", kLow, "2");
  Asker& third = send(client_, "get", kHigh);
  EXPECT_EQ(take(kFirst), "");
  advance(20 * kMillisecond);
  EXPECT_EQ(take(kFirst), words({"set", kLow, "1"}));
  EXPECT_EQ(take(kSecond), "");
  say(kFirst, kOk);
  EXPECT_TRUE(first.is(kOk));
  advance(20 * kMillisecond);
  EXPECT_EQ(take(kFirst), words({"set", kLow, "2"}));
  EXPECT_EQ(take(kSecond), words({"get", kHigh}));
  say(kFirst, kOk);
  say(kSecond, "$-1\r\n");
  EXPECT_TRUE(second.is(kOk));
  EXPECT_TRUE(third.is("$-1\r\n"));
}

TEST_F(SlotPoolTest, WhatHasBeenOvertakenIsNotTriedAgain) {
  up();
  Asker& first = send(client_, "set", kLow, "1");
  Asker& second = send(client_, "set", kLow, "2");
  take(kFirst);
  say(kFirst, "-TRYAGAIN x\r\n+OK\r\n");
  EXPECT_TRUE(first.is("-TRYAGAIN x\r\n"));
  EXPECT_TRUE(second.is(kOk));
}

TEST_F(SlotPoolTest, TheServersErrorComesWhenTimeIsOver) {
  up();
  Asker& asker = send(client_, "set", kLow, "1");
  size_t tries = 0;
  for (int i = 0; i < 400 && !asker.done; ++i) {
    if (take(kFirst).ends_with(words({"set", kLow, "1"}))) {
      ++tries;
      say(kFirst, "-LOADING x\r\n");
    }
    advance(5 * kMillisecond);
  }
  EXPECT_TRUE(asker.is("-LOADING x\r\n"));
  EXPECT_GT(tries, 8u);
  EXPECT_LT(tries, 30u);
}

TEST_F(SlotPoolTest, AWriteThatMayHaveBeenExecutedIsNotSentAgain) {
  up();
  Client other;
  Asker& write = send(client_, "set", kLow, "1");
  Asker& read = send(other, "get", kLow);
  EXPECT_EQ(take(kFirst), words({"set", kLow, "1"}) + words({"get", kLow}));
  loop_.fail(link(kFirst), ECONNRESET);
  end_turn();
  EXPECT_TRUE(write.failed(Failure::connection_lost));
  EXPECT_FALSE(read.done);
  advance(60 * kMillisecond);
  greet(kFirst);
  advance(200 * kMillisecond);
  const std::string sent = take(kFirst);
  EXPECT_NE(sent.find(words({"get", kLow})), std::string::npos) << sent;
  EXPECT_EQ(sent.find("set"), std::string::npos) << sent;
}

TEST_F(SlotPoolTest, AWriteThatNeverLeftIsSentToTheNewOwner) {
  up();
  loop_.fail(link(kFirst), ECONNRESET);  // it lived too short to be replaced at once
  end_turn();
  Asker& asker = send(client_, "set", kLow, "1");
  EXPECT_FALSE(asker.done);
  std::string served;
  for (int i = 0; i < 60; ++i) {
    advance(5 * kMillisecond);
    served += serve(kSecond, shards(100), kOk);  // it has taken nearly all
  }
  EXPECT_EQ(served, words({"set", kLow, "1"}));
  EXPECT_TRUE(asker.is(kOk));
}

TEST_F(SlotPoolTest, AClientInFlightKeepsItsWayWhenASlotMoves) {
  up();
  Asker& first = send(client_, "set", kLow, "1");
  Client other;
  send(other, "get", kLow);
  take(kFirst);
  // The other's answer comes first, as if it had come by another connection: the map changes under our client.
  Client third;
  Asker& teacher = send(third, "get", kLow);
  (void)teacher;
  say(kFirst, "+OK\r\n-MOVED 3300 10.0.0.1:7002\r\n");
  EXPECT_TRUE(first.is(kOk));
  // `third` still waits for the first node; what it sends now goes there as well.
  take(kFirst);
  take(kSecond);
  send(third, "set", kLow, "2");
  EXPECT_EQ(take(kFirst), words({"set", kLow, "2"}));
  EXPECT_EQ(take(kSecond), "");
  // A client with nothing in flight goes to the new owner.
  send(client_, "get", kLow);
  EXPECT_EQ(take(kSecond), words({"get", kLow}));
}

TEST_F(SlotPoolTest, ScriptsCannotTeachTheMap) {
  up();
  Asker& asker = send(client_, "eval", kLow);
  take(kFirst);
  say(kFirst, "-MOVED 3300 10.9.9.9:22\r\n");
  for (const auto& one : loop_.links) EXPECT_NE(one->address, "10.9.9.9:22");
  EXPECT_FALSE(asker.done);
  Client other;
  send(other, "get", kLow);
  EXPECT_TRUE(take(kFirst).ends_with(words({"get", kLow})));
}

TEST_F(SlotPoolTest, ClientsThatLeaveWhileTheirRequestsAreUnderWay) {
  up();
  Asker& waiting = send(client_, "set", kLow, "1");
  take(kFirst);
  say(kFirst, "-TRYAGAIN x\r\n");
  Asker& parked = send(client_, "set", kLow, "2");
  Client other;
  Asker& redirected = send(other, "get", kLow);
  take(kFirst);
  say(kFirst, "-ASK 3300 10.0.0.1:7002\r\n");
  leave(waiting);
  leave(parked);
  leave(redirected);
  take(kSecond);
  say(kSecond, "+OK\r\n$1\r\nx\r\n");
  advance(100 * kMillisecond);
  EXPECT_EQ(take(kFirst), "");
  EXPECT_FALSE(redirected.done);
}

TEST_F(SlotPoolTest, AHoleFailsOnlyItsSlots) {
  make();
  greet(kFirst);
  take(kFirst);
  std::string reply = shards(8191);
  const size_t at = reply.find(":16383");
  reply.replace(at, 6, ":15000");
  say(kFirst, reply);
  advance(10 * kMillisecond);
  EXPECT_TRUE(send(client_, "get", kHigh).failed(Failure::slot_not_served));
  EXPECT_EQ(pool_->target(kHigh), routing::kNoTarget);
  Asker& low = send(client_, "get", kLow);
  EXPECT_EQ(take(kFirst), words({"get", kLow}));
  EXPECT_FALSE(low.done);
}

TEST_F(SlotPoolTest, KeysAreGroupedBySlot) {
  up();
  EXPECT_EQ(pool_->group("{x}1"), pool_->group("{x}2"));
  EXPECT_NE(pool_->group(kLow), pool_->group("f"));
  EXPECT_EQ(pool_->group(kLow), 3300);
  std::vector<Backend*> owners;
  pool_->owners(owners);
  EXPECT_EQ(owners.size(), 2u);
  std::string text;
  pool_->explain(kLow, text);
  EXPECT_NE(text.find("3300 -> pool/10.0.0.1:7001"), std::string::npos) << text;
}

}  // namespace
}  // namespace overlord::proxy
