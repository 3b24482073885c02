// Handshake and replies of a redis connection. What happens when it breaks or is slow: connection_life_test.cpp.

#include "proxy/connection_fixture.h"

namespace overlord::proxy {
namespace {

using routing::Failure;
using routing::Wire;
using State = BackendConnection::State;

constexpr std::string_view kPing = "*1\r\n$4\r\nPING\r\n";
constexpr std::string_view kPong = "+PONG\r\n";

class RedisConnectionTest : public ConnectionTest {
 protected:
  void up() {
    make(config::CacheType::redis);
    bring_up(kPong);
  }
  Asker& get(std::string_view key) {
    Asker& asker = ask(Wire::redis, command(key));
    end_turn();
    return asker;
  }
  static std::string command(std::string_view key) {
    return "*2\r\n$3\r\nGET\r\n$" + std::to_string(key.size()) + "\r\n" + std::string(key) + "\r\n";
  }
  static std::string bulk(std::string_view text) {
    return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
  }
};

TEST_F(RedisConnectionTest, RequestsTravelBehindTheHandshake) {
  make(config::CacheType::redis);
  Asker& a = get("a");  // opens the connection
  EXPECT_EQ(connection->state(), State::connecting);
  loop.accept(link());
  end_turn();
  EXPECT_EQ(take_sent(), std::string(kPing) + command("a"));
  receive(std::string(kPong) + "$1\r\nA\r\n");
  EXPECT_EQ(connection->state(), State::up);
  EXPECT_TRUE(a.is("$1\r\nA\r\n"));
  EXPECT_TRUE(connection->idle());
}

TEST_F(RedisConnectionTest, AuthComesFirst) {
  config.redis_auth = "se cret";
  make(config::CacheType::redis);
  connection->open();
  loop.accept(link());
  end_turn();
  EXPECT_EQ(take_sent(), "*2\r\n$4\r\nAUTH\r\n$7\r\nse cret\r\n" + std::string(kPing));
  receive("+OK\r\n");
  EXPECT_EQ(connection->state(), State::connecting);
  receive(kPong);
  EXPECT_EQ(connection->state(), State::up);
}

TEST_F(RedisConnectionTest, RefusedAuthClosesAndFailsRequestsFromThenOn) {
  config.redis_auth = "wrong";
  make(config::CacheType::redis);
  Asker& waiting = get("a");
  loop.accept(link());
  end_turn();
  receive("-WRONGPASS invalid username-password pair\r\n");
  EXPECT_FALSE(link().open);
  EXPECT_EQ(connection->state(), State::down);
  EXPECT_TRUE(waiting.failed(Failure::refused_auth));
  EXPECT_TRUE(get("b").failed(Failure::refused_auth));
  EXPECT_EQ(dials(), 1u);

  // The password was put right on the server's side.
  advance(60 * kMillisecond);
  ASSERT_EQ(dials(), 2u);
  EXPECT_TRUE(get("c").failed(Failure::refused_auth));
  loop.accept(link());
  receive("+OK\r\n+PONG\r\n");
  EXPECT_EQ(connection->state(), State::up);
  Asker& served = get("d");
  receive("$-1\r\n");
  EXPECT_TRUE(served.is("$-1\r\n"));
}

TEST_F(RedisConnectionTest, AServerThatLoadsIsAlive) {
  make(config::CacheType::redis);
  bring_up("-LOADING Redis is loading the dataset in memory\r\n");
  Asker& a = get("a");
  receive("-LOADING Redis is loading the dataset in memory\r\n");
  EXPECT_TRUE(a.is("-LOADING Redis is loading the dataset in memory\r\n"));
  EXPECT_TRUE(a.error_reply);
}

TEST_F(RedisConnectionTest, RepliesGoToTheirRequestsInOrder) {
  up();
  Asker& a = get("a");
  Asker& b = get("b");
  Asker& c = get("c");
  EXPECT_EQ(take_sent(), command("a") + command("b") + command("c"));
  EXPECT_EQ(connection->queue_size(), 3u);
  receive("$1\r\nA\r\n-ERR of b\r\n*2\r\n:1\r\n$-1\r\n");
  EXPECT_TRUE(a.is("$1\r\nA\r\n"));
  EXPECT_TRUE(b.is("-ERR of b\r\n"));
  EXPECT_TRUE(c.is("*2\r\n:1\r\n$-1\r\n"));
  EXPECT_EQ(answered, (std::vector<Asker*>{&a, &b, &c}));
  EXPECT_FALSE(a.error_reply);
  EXPECT_TRUE(b.error_reply);
  EXPECT_FALSE(c.error_reply);
}

TEST_F(RedisConnectionTest, RequestsOfOneTurnLeaveTogether) {
  up();
  ask(Wire::redis, "PING\r\n");
  ask(Wire::redis, "PING\r\n");
  EXPECT_EQ(take_sent(), "");
  end_turn();
  EXPECT_EQ(take_sent(), "PING\r\nPING\r\n");
  receive("+PONG\r\n+PONG\r\n");
}

TEST_F(RedisConnectionTest, RepliesCutAnywhere) {
  up();
  const std::string first = "*3\r\n$3\r\na\r\n\r\n:-12\r\n*0\r\n", second = "-ERR no\r\n", third = bulk("");
  const std::string all = first + second + third;
  for (size_t cut = 1; cut < all.size(); ++cut) {
    for (size_t again = cut + 1; again <= all.size(); ++again) {
      Asker& a = get("a");
      Asker& b = get("b");
      Asker& c = get("c");
      receive(all.substr(0, cut));
      receive(all.substr(cut, again - cut));
      if (again < all.size()) receive(all.substr(again));
      ASSERT_TRUE(a.is(first) && b.is(second) && c.is(third)) << cut << " " << again;
      ASSERT_TRUE(!a.error_reply && b.error_reply && !c.error_reply);
      leave_all();
    }
  }
}

TEST_F(RedisConnectionTest, RepliesByteByByte) {
  up();
  const std::string reply = "*2\r\n" + bulk("value") + "+x\r\n";
  Asker& a = get("a");
  Asker& b = get("b");
  for (const char c : reply + reply) receive({&c, 1});
  EXPECT_TRUE(a.is(reply) && b.is(reply));
}

TEST_F(RedisConnectionTest, SlicesOutliveTheTurn) {
  up();
  Asker& a = get("a");
  receive("$5\r\nvalue\r\n");  // the receive buffer is overwritten when this returns
  EXPECT_EQ(a.request->reply_view(), "$5\r\nvalue\r\n");
}

TEST_F(RedisConnectionTest, PushesAreNobodysReply) {
  up();
  Asker& a = get("a");
  receive(">2\r\n+inval");
  EXPECT_FALSE(a.done);
  receive("idate\r\n*1\r\n$1\r\nk\r\n+A\r\n");
  EXPECT_TRUE(a.is("+A\r\n"));
}

TEST_F(RedisConnectionTest, LargeRepliesArePassedOnAndPauseTheConnection) {
  up();
  Asker& a = get("a");
  a.pausing = true;
  const std::string large = bulk(std::string(100'000, 'v'));
  receive(large.substr(0, 50'000));
  EXPECT_EQ(a.progress, 0);
  EXPECT_TRUE(connection->usable());
  receive(large.substr(50'000, 40'000));
  EXPECT_EQ(a.progress, 1);
  EXPECT_FALSE(link().receiving);
  EXPECT_FALSE(connection->usable());
  connection->resume_reply();
  EXPECT_TRUE(link().receiving);
  a.pausing = false;
  receive(large.substr(90'000));
  EXPECT_TRUE(a.is(large));
  EXPECT_TRUE(connection->usable());
}

TEST_F(RedisConnectionTest, AReaderThatLeavesUnblocksTheConnection) {
  up();
  Asker& slow = get("a");
  Asker& next = get("b");
  slow.pausing = true;
  const std::string large = bulk(std::string(100'000, 'v'));
  receive(large.substr(0, 90'000));
  ASSERT_FALSE(link().receiving);
  leave(slow);
  advance(100 * kMillisecond);  // noticed by the connection itself
  ASSERT_TRUE(link().receiving);
  receive(large.substr(90'000) + "+next\r\n");
  EXPECT_FALSE(slow.done);
  EXPECT_TRUE(next.is("+next\r\n"));
}

TEST_F(RedisConnectionTest, AReplyThatIsNotTheProtocolEndsTheConnection) {
  for (const std::string_view garbage : {"hello\r\n", "$-2\r\n", "*x\r\n", "$3\r\nabcd\r\n", "\r\n"}) {
    up();
    Asker& a = get("a");
    Asker& b = get("b");
    receive(garbage);
    EXPECT_TRUE(a.failed(Failure::bad_reply)) << garbage;
    EXPECT_TRUE(b.failed(Failure::bad_reply));
    EXPECT_FALSE(link().open);
    connection.reset();
    leave_all();
  }
}

TEST_F(RedisConnectionTest, BytesThatNobodyAskedForEndTheConnection) {
  up();
  Asker& a = get("a");
  receive("+A\r\n+B\r\n");
  EXPECT_TRUE(a.is("+A\r\n"));
  EXPECT_FALSE(link().open);
  EXPECT_EQ(connection->state(), State::down);
}

TEST_F(RedisConnectionTest, AClientThatLeftIsSkipped) {
  up();
  Asker& gone = get("a");
  Asker& stays = get("b");
  leave(gone);
  Asker& later = get("c");  // may take its memory? not while it is queued
  receive("+A\r\n+B\r\n+C\r\n");
  EXPECT_FALSE(gone.done);
  EXPECT_TRUE(stays.is("+B\r\n"));
  EXPECT_TRUE(later.is("+C\r\n"));
}

TEST_F(RedisConnectionTest, TooManyWaitingRequestsFailAtOnce) {
  config.limits.max_node_queue = 2;
  up();
  Asker& a = get("a");
  Asker& b = get("b");
  EXPECT_TRUE(get("c").failed(Failure::queue_full));
  receive("+A\r\n");
  Asker& d = get("d");
  receive("+B\r\n+D\r\n");
  EXPECT_TRUE(a.is("+A\r\n") && b.is("+B\r\n") && d.is("+D\r\n"));
}

}  // namespace
}  // namespace overlord::proxy
