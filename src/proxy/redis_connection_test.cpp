// The life of a backend connection (handshake, loss, back-off, deadlines) is tested here, with redis on top; what
// memcache adds is in memcache_connection_test.cpp.

#include <cerrno>

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

// Loss and return.

TEST_F(RedisConnectionTest, RequestsInFlightFailWhenTheConnectionIsLost) {
  for (const bool by_error : {false, true}) {
    up();
    Asker& partly = get("a");
    Asker& waiting = get("b");
    Asker& gone = get("c");
    leave(gone);
    receive("$5\r\nab");
    if (by_error) {
      loop.fail(link(), ECONNRESET);
    } else {
      loop.end(link());
    }
    end_turn();
    EXPECT_TRUE(partly.failed(Failure::connection_lost));
    EXPECT_TRUE(waiting.failed(Failure::connection_lost));
    EXPECT_FALSE(gone.done);
    EXPECT_EQ(connection->queue_size(), 0u);
    // It had lived a moment only: the next attempt waits, and requests do not.
    EXPECT_EQ(connection->state(), State::down);
    EXPECT_TRUE(get("d").failed(Failure::backend_down));
    connection.reset();
    leave_all();
  }
}

TEST_F(RedisConnectionTest, AConnectionThatLivedIsReplacedAtOnceAndRequestsWait) {
  up();
  advance(1500 * kMillisecond);
  Asker& lost = get("a");
  receive("$5\r\nab");
  loop.end(link());
  end_turn();
  EXPECT_TRUE(lost.failed(Failure::connection_lost));
  ASSERT_EQ(dials(), 2u);
  EXPECT_EQ(connection->state(), State::connecting);
  Asker& waits = get("b");
  EXPECT_FALSE(waits.done);
  loop.accept(link());
  end_turn();
  // Nothing of the half-read reply or of lost requests is left.
  EXPECT_EQ(take_sent(), std::string(kPing) + command("b"));
  receive("+PONG\r\n+B\r\n");
  EXPECT_TRUE(waits.is("+B\r\n"));
}

TEST_F(RedisConnectionTest, WhenTheReplacementFailsTooTheBackendIsDown) {
  up();
  advance(1500 * kMillisecond);
  loop.end(link());
  end_turn();
  ASSERT_EQ(dials(), 2u);
  Asker& waits = get("b");
  loop.fail(link(), ECONNREFUSED);
  end_turn();
  EXPECT_TRUE(waits.failed(Failure::backend_down));
  EXPECT_TRUE(get("c").failed(Failure::backend_down));
  EXPECT_EQ(dials(), 2u);
}

TEST_F(RedisConnectionTest, BackOffDoublesUpToASecond) {
  make(config::CacheType::redis);
  connection->open();
  uint64_t ceiling = 50 * kMillisecond;
  for (size_t attempt = 1; attempt < 10; ++attempt) {
    ASSERT_EQ(dials(), attempt);
    loop.fail(link(), ECONNREFUSED);
    end_turn();
    // Somewhere in the upper half of the delay, and a tick of the timers.
    advance(ceiling / 2 - 1);
    ASSERT_EQ(dials(), attempt) << "too early";
    advance(ceiling / 2 + 1 + net::TimerWheel::kTickNs);
    ASSERT_EQ(dials(), attempt + 1) << "too late";
    ceiling = std::min(ceiling * 2, 1000 * kMillisecond);
  }
  // Success starts it anew.
  greet(kPong);
  loop.end(link());
  advance(50 * kMillisecond + net::TimerWheel::kTickNs);
  EXPECT_EQ(dials(), 11u);
}

TEST_F(RedisConnectionTest, NothingOfALostConnectionIsSentOnTheNext) {
  up();
  advance(1500 * kMillisecond);
  Asker& lost = ask(Wire::redis, command("a"));  // in the turn in which the error comes
  loop.fail(link(), EPIPE);
  end_turn();
  EXPECT_TRUE(lost.failed(Failure::connection_lost));
  ASSERT_EQ(dials(), 2u);
  loop.accept(link());
  end_turn();
  EXPECT_EQ(take_sent(), kPing);
}

TEST_F(RedisConnectionTest, DestructionFailsWhatIsInFlight) {
  up();
  Asker& a = get("a");
  connection.reset();
  EXPECT_TRUE(a.failed(Failure::shutting_down));
}

// Deadlines.

TEST_F(RedisConnectionTest, ASilentBackendIsGivenUp) {
  up();
  advance(10 * kMillisecond);
  Asker& a = get("a");
  advance(600 * kMillisecond);
  Asker& b = get("b");
  advance(399 * kMillisecond);
  EXPECT_FALSE(a.done);
  advance(1 * kMillisecond + net::TimerWheel::kTickNs);
  // No byte came since a was sent, so nothing behind it is better off.
  EXPECT_TRUE(a.failed(Failure::timed_out));
  EXPECT_TRUE(b.failed(Failure::timed_out));
  EXPECT_FALSE(link().open);
}

TEST_F(RedisConnectionTest, ALateReplyIsDroppedAndNotGivenToTheNext) {
  up();
  Asker& quick = get("quick");
  advance(100 * kMillisecond);
  Asker& slow = get("slow");
  advance(500 * kMillisecond);
  receive("+quick\r\n");  // the backend is alive
  EXPECT_TRUE(quick.is("+quick\r\n"));
  Asker& next = get("next");
  advance(500 * kMillisecond + net::TimerWheel::kTickNs);
  EXPECT_TRUE(slow.failed(Failure::timed_out));
  EXPECT_FALSE(next.done);
  ASSERT_TRUE(link().open);
  const std::string kept_by_slow = slow.reply;
  receive("+slow\r\n+next\r\n");
  EXPECT_TRUE(next.is("+next\r\n"));
  EXPECT_EQ(slow.reply, kept_by_slow);
  EXPECT_EQ(slow.request->reply_view(), "");
}

TEST_F(RedisConnectionTest, ALateLargeReplyIsDroppedToo) {
  up();
  Asker& quick = get("quick");
  advance(100 * kMillisecond);
  Asker& slow = get("slow");
  advance(500 * kMillisecond);
  receive("+quick\r\n");
  advance(500 * kMillisecond + net::TimerWheel::kTickNs);
  ASSERT_TRUE(slow.failed(Failure::timed_out));
  leave(slow);
  Asker& next = get("next");
  const std::string large = bulk(std::string(200'000, 'v'));
  for (size_t at = 0; at < large.size(); at += 10'000) {
    receive(large.substr(at, 10'000));
    EXPECT_LE(loop.chunks().in_use(), 1u);
  }
  receive("+next\r\n");
  EXPECT_TRUE(next.is("+next\r\n"));
  EXPECT_TRUE(quick.is("+quick\r\n"));
}

TEST_F(RedisConnectionTest, AReplyThatIsArrivingMovesItsDeadline) {
  up();
  Asker& a = get("a");
  const std::string reply = bulk("0123456789");
  for (const char c : reply) {
    advance(900 * kMillisecond);
    ASSERT_FALSE(a.done);
    receive({&c, 1});
  }
  EXPECT_TRUE(a.is(reply));
}

TEST_F(RedisConnectionTest, AReplyThatStopsArrivingIsGivenUp) {
  up();
  Asker& a = get("a");
  advance(100 * kMillisecond);
  receive("$5\r\nab");
  advance(950 * kMillisecond);
  EXPECT_FALSE(a.done);
  advance(100 * kMillisecond);
  EXPECT_TRUE(a.failed(Failure::timed_out));
}

TEST_F(RedisConnectionTest, ConnectingHasItsOwnDeadline) {
  config.dial_timeout = std::chrono::milliseconds(200);
  make(config::CacheType::redis);
  Asker& a = get("a");
  advance(199 * kMillisecond);
  EXPECT_FALSE(a.done);
  advance(1 * kMillisecond + net::TimerWheel::kTickNs);
  EXPECT_TRUE(a.failed(Failure::backend_down));
  EXPECT_FALSE(link().open);
}

TEST_F(RedisConnectionTest, ABackendThatTakesNoBytesIsGivenUp) {
  config.read_timeout = std::chrono::milliseconds(0);
  up();
  link().blocked = true;
  Asker& a = get("a");
  for (int i = 0; i < 4 && !a.done; ++i) advance(1000 * kMillisecond);
  EXPECT_TRUE(a.failed(Failure::timed_out));
}

TEST_F(RedisConnectionTest, WithoutADeadlineRequestsWaitForEver) {
  config.read_timeout = std::chrono::milliseconds(0);
  up();
  Asker& a = get("a");
  for (int i = 0; i < 100; ++i) advance(3000 * kMillisecond);
  EXPECT_FALSE(a.done);
  receive("+A\r\n");
  EXPECT_TRUE(a.is("+A\r\n"));
}

// Health.

TEST_F(RedisConnectionTest, FailuresInARowEjectAndAHandshakeBringsBack) {
  config.ping_auto_eject = true;
  config.ping_fail_limit = 3;
  config.eject_retry_interval = std::chrono::seconds(3);
  make(config::CacheType::redis);
  connection->open();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(backend->ejected());
    loop.fail(link(), ECONNREFUSED);
    end_turn();
    if (i < 2) advance(250 * kMillisecond);
  }
  EXPECT_TRUE(backend->ejected());
  EXPECT_EQ(health_changes, 1);
  const size_t before = dials();
  advance(2990 * kMillisecond);
  EXPECT_EQ(dials(), before);
  advance(20 * kMillisecond);
  ASSERT_EQ(dials(), before + 1);
  EXPECT_TRUE(backend->ejected());
  greet(kPong);
  EXPECT_FALSE(backend->ejected());
  EXPECT_EQ(health_changes, 2);
}

TEST_F(RedisConnectionTest, ProbesGoOutOnlyWhenNothingElseProvesLife) {
  up();
  connection->probe();
  end_turn();
  EXPECT_EQ(take_sent(), kPing);
  receive(kPong);
  Asker& a = get("a");
  take_sent();
  connection->probe();
  end_turn();
  EXPECT_EQ(take_sent(), "");
  receive("+A\r\n");
  EXPECT_TRUE(a.done);
}

TEST_F(RedisConnectionTest, AProbeThatIsNotAnsweredIsAFailure) {
  up();
  advance(5 * kMillisecond);
  connection->probe();
  end_turn();
  advance(1010 * kMillisecond);
  EXPECT_FALSE(link().open);
  EXPECT_EQ(backend->counters().failures.get(), 1u);
}

}  // namespace
}  // namespace overlord::proxy
