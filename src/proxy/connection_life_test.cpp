// The life of a backend connection: loss, back-off, deadlines, health. With redis on top; what memcache adds is in
// memcache_connection_test.cpp.

#include <cerrno>

#include "proxy/connection_fixture.h"

namespace overlord::proxy {
namespace {

using routing::Failure;
using routing::Wire;
using State = BackendConnection::State;

constexpr std::string_view kPing = "*1\r\n$4\r\nPING\r\n";
constexpr std::string_view kPong = "+PONG\r\n";

class ConnectionLifeTest : public ConnectionTest {
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

// Loss and return.

TEST_F(ConnectionLifeTest, RequestsInFlightFailWhenTheConnectionIsLost) {
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

TEST_F(ConnectionLifeTest, AConnectionThatLivedIsReplacedAtOnceAndRequestsWait) {
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

TEST_F(ConnectionLifeTest, WhenTheReplacementFailsTooTheBackendIsDown) {
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

TEST_F(ConnectionLifeTest, BackOffDoublesUpToASecond) {
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

TEST_F(ConnectionLifeTest, NothingOfALostConnectionIsSentOnTheNext) {
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

TEST_F(ConnectionLifeTest, DestructionFailsWhatIsInFlight) {
  up();
  Asker& a = get("a");
  connection.reset();
  EXPECT_TRUE(a.failed(Failure::shutting_down));
}

// Deadlines.

TEST_F(ConnectionLifeTest, ASilentBackendIsGivenUp) {
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

TEST_F(ConnectionLifeTest, ALateReplyIsDroppedAndNotGivenToTheNext) {
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

TEST_F(ConnectionLifeTest, ALateLargeReplyIsDroppedToo) {
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

TEST_F(ConnectionLifeTest, AReplyThatIsArrivingMovesItsDeadline) {
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

TEST_F(ConnectionLifeTest, AReplyThatStopsArrivingIsGivenUp) {
  up();
  Asker& a = get("a");
  advance(100 * kMillisecond);
  receive("$5\r\nab");
  advance(950 * kMillisecond);
  EXPECT_FALSE(a.done);
  advance(100 * kMillisecond);
  EXPECT_TRUE(a.failed(Failure::timed_out));
}

TEST_F(ConnectionLifeTest, ConnectingHasItsOwnDeadline) {
  config.dial_timeout = std::chrono::milliseconds(200);
  make(config::CacheType::redis);
  Asker& a = get("a");
  advance(199 * kMillisecond);
  EXPECT_FALSE(a.done);
  advance(1 * kMillisecond + net::TimerWheel::kTickNs);
  EXPECT_TRUE(a.failed(Failure::backend_down));
  EXPECT_FALSE(link().open);
}

TEST_F(ConnectionLifeTest, ABackendThatTakesNoBytesIsGivenUp) {
  config.read_timeout = std::chrono::milliseconds(0);
  up();
  link().blocked = true;
  Asker& a = get("a");
  for (int i = 0; i < 4 && !a.done; ++i) advance(1000 * kMillisecond);
  EXPECT_TRUE(a.failed(Failure::timed_out));
}

TEST_F(ConnectionLifeTest, WithoutADeadlineRequestsWaitForEver) {
  config.read_timeout = std::chrono::milliseconds(0);
  up();
  Asker& a = get("a");
  for (int i = 0; i < 100; ++i) advance(3000 * kMillisecond);
  EXPECT_FALSE(a.done);
  receive("+A\r\n");
  EXPECT_TRUE(a.is("+A\r\n"));
}

// Health.

TEST_F(ConnectionLifeTest, FailuresInARowEjectAndAHandshakeBringsBack) {
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

TEST_F(ConnectionLifeTest, AClientThatLeavesInMidRequestIsNoFailureOfTheBackend) {
  config.ping_auto_eject = true;
  config.ping_fail_limit = 1;
  up();
  for (int i = 0; i < 3; ++i) {
    Asker& asker = new_asker(Wire::redis, routing::Answer::reply);
    asker.request->bytes = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9\r\nhalf";
    asker.request->uploading = true;
    connection->send(*asker.request);
    end_turn();
    const size_t before = dials();
    connection->upload_aborted();
    end_turn();
    EXPECT_TRUE(asker.done);
    EXPECT_FALSE(backend->ejected());
    EXPECT_FALSE(connection->failing());  // nobody else's requests are refused
    ASSERT_EQ(dials(), before + 1);
    greet(kPong);
  }
  EXPECT_EQ(health_changes, 0);
  EXPECT_EQ(backend->counters().failures.get(), 0u);
}

TEST_F(ConnectionLifeTest, ProbesGoOutOnlyWhenNothingElseProvesLife) {
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

TEST_F(ConnectionLifeTest, AProbeThatIsNotAnsweredIsAFailure) {
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
