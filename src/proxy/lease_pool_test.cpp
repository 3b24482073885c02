// Connections that one client has for itself, on a scripted loop.

#include "proxy/lease_pool.h"

#include "proxy/connection_fixture.h"
#include "proxy/leased_connection.h"

namespace overlord::proxy {
namespace {

using routing::Failure;
using routing::Wire;

constexpr uint64_t kSecond = 1000 * kMillisecond;
const std::string kPing = "*1\r\n$4\r\nPING\r\n";
const std::string kUnwatch = "*1\r\n$7\r\nUNWATCH\r\n";

struct Client : routing::RequestOwner {
  void on_finished(routing::Request& request) noexcept override {
    answered = true;
    failure = request.failure;
    reply = request.reply_view();
  }
  bool answered = false;
  Failure failure = Failure::none;
  std::string reply;
};

class LeasePoolTest : public ConnectionTest {
 protected:
  LeasePoolTest() {
    config.limits.max_leased_connections = 2;
    make(config::CacheType::redis);
  }

  Client client;
  LeasedConnection lease{client};
  LeasedConnection one{client};
  LeasedConnection two{client};
  LeasedConnection three{client};

  // What a client's request on its lease looks like.
  Asker& send(LeasedConnection& on, std::string_view bytes, LeasedConnection::After after,
              uint64_t patience = LeasedConnection::kReadTimeout) {
    Asker& asker = askers.back();
    const std::string volatile_bytes(bytes);
    asker.request->bytes = volatile_bytes;
    on.send(*asker.request, after, patience);
    return asker;
  }
  bool take(LeasedConnection& on) { return on.take(*backend, *new_asker(Wire::redis, routing::Answer::reply).request); }
};

using After = LeasedConnection::After;

TEST_F(LeasePoolTest, IsUsedAgainOnceCleared) {
  ASSERT_TRUE(take(lease));
  send(lease, "WATCH", After::keep);
  end_turn();
  loop.accept(link());
  end_turn();
  EXPECT_EQ(take_sent(), kPing + "WATCH");
  receive("+PONG\r\n+OK\r\n");
  EXPECT_EQ(client.reply, "+OK\r\n");
  EXPECT_TRUE(lease.held());
  lease.end();
  end_turn();
  EXPECT_EQ(take_sent(), kUnwatch);
  // Its undo is not answered: another client gets another connection.
  ASSERT_TRUE(take(one));
  send(one, "EXEC", After::give_back);
  EXPECT_EQ(dials(), 2u);
  loop.receive(*loop.links.front(), "+OK\r\n");
  end_turn();
  ASSERT_TRUE(take(two));
  send(two, "EXEC", After::give_back);
  end_turn();
  EXPECT_EQ(dials(), 2u);
  EXPECT_EQ(std::exchange(loop.links.front()->sent, {}), "EXEC");
  EXPECT_EQ(backend->leases().in_use(), 2u);
  client.answered = false;
  loop.receive(*loop.links.front(), "*0\r\n");
  end_turn();
  EXPECT_TRUE(client.answered);
  EXPECT_FALSE(two.held());
  EXPECT_EQ(backend->leases().in_use(), 1u);
}

TEST_F(LeasePoolTest, HasALimit) {
  ASSERT_TRUE(take(one));
  ASSERT_TRUE(take(two));
  EXPECT_FALSE(take(three));
  EXPECT_TRUE(askers.back().failed(Failure::no_lease));
  one.give_back();
  EXPECT_TRUE(take(three));
}

TEST_F(LeasePoolTest, ABlockedOneIsClosedWhenItsClientLeaves) {
  ASSERT_TRUE(take(lease));
  Asker& asker = send(lease, "BLPOP", After::give_back, 0);
  end_turn();
  loop.accept(link());
  receive("+PONG\r\n");
  advance(100 * kSecond);  // for ever
  EXPECT_FALSE(client.answered);
  EXPECT_TRUE(lease.blocked());
  leave(asker);
  lease.end();
  EXPECT_FALSE(link().open);
  EXPECT_EQ(backend->leases().in_use(), 0u);
  ASSERT_TRUE(take(lease));
  EXPECT_EQ(dials(), 1u) << "opened again only when something is sent";
}

TEST_F(LeasePoolTest, ABlockedOneHasItsOwnPatience) {
  ASSERT_TRUE(take(lease));
  send(lease, "BLPOP", After::give_back, 5 * kSecond);
  end_turn();
  loop.accept(link());
  receive("+PONG\r\n");
  advance(4 * kSecond);
  EXPECT_FALSE(client.answered);
  advance(2 * kSecond);
  EXPECT_TRUE(client.answered);
  EXPECT_EQ(client.failure, Failure::timed_out);
  EXPECT_FALSE(lease.held());
  EXPECT_FALSE(lease.broken()) << "no state was set";
}

TEST_F(LeasePoolTest, ALostOneIsRememberedUntilTheStateEnds) {
  ASSERT_TRUE(take(lease));
  send(lease, "WATCH", After::keep);
  end_turn();
  loop.accept(link());
  receive("+PONG\r\n+OK\r\n");
  loop.end(link());
  end_turn();
  EXPECT_FALSE(lease.held());
  EXPECT_TRUE(lease.broken());
  EXPECT_EQ(dials(), 1u) << "nobody needs it now";
  EXPECT_EQ(backend->leases().in_use(), 0u);
  lease.forget();
  EXPECT_FALSE(lease.broken());
}

TEST_F(LeasePoolTest, AnErrorLeavesNoState) {
  ASSERT_TRUE(take(lease));
  send(lease, "WATCH", After::keep);
  end_turn();
  loop.accept(link());
  receive("+PONG\r\n-LOADING\r\n");
  EXPECT_EQ(client.reply, "-LOADING\r\n");
  EXPECT_FALSE(lease.held());
}

TEST_F(LeasePoolTest, IdleOnesAreClosedAndForgotten) {
  ASSERT_TRUE(take(lease));
  send(lease, "EXEC", After::give_back);
  end_turn();
  loop.accept(link());
  receive("+PONG\r\n*0\r\n");
  backend->leases().close_idle();
  EXPECT_TRUE(link().open);
  advance(3 * kSecond);
  backend->leases().close_idle();
  EXPECT_FALSE(link().open);
}

TEST_F(LeasePoolTest, ARefusedConnectionFailsItsRequest) {
  ASSERT_TRUE(take(lease));
  send(lease, "WATCH", After::keep);
  end_turn();
  loop.fail(link(), ECONNREFUSED);
  end_turn();
  EXPECT_EQ(client.failure, Failure::backend_down);
  EXPECT_FALSE(lease.held());
  EXPECT_EQ(backend->leases().in_use(), 0u);
  advance(10 * kSecond);
  EXPECT_EQ(dials(), 1u);
}

// Transactions: several replies, of which the last is the answer.

class PreludeTest : public LeasePoolTest {
 protected:
  Asker& ask_transaction(uint32_t preludes) {
    Asker& asker = new_asker(Wire::redis, routing::Answer::exec);
    asker.request->bytes = "T";
    asker.request->preludes = preludes;
    connection->send(*asker.request);
    return asker;
  }
};

TEST_F(PreludeTest, OnlyTheLastReplyIsTheAnswer) {
  bring_up("+PONG\r\n");
  Asker& transaction = ask_transaction(3);
  Asker& next = ask(Wire::redis, "N");
  end_turn();
  for (const char c : std::string_view("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:2\r\n$1\r\nx\r\n")) receive({&c, 1});
  EXPECT_TRUE(transaction.is("*2\r\n:1\r\n:2\r\n"));
  EXPECT_TRUE(next.is("$1\r\nx\r\n"));
}

TEST_F(PreludeTest, TheFirstErrorBecomesTheReply) {
  for (const bool split : {false, true}) {
    if (!split) bring_up("+PONG\r\n");
    Asker& transaction = ask_transaction(4);
    Asker& next = ask(Wire::redis, "N");
    end_turn();
    const std::string_view all = "+OK\r\n+QUEUED\r\n-OOM first\r\n-OOM second\r\n-EXECABORT because\r\n$1\r\nx\r\n";
    for (size_t at = 0; at < all.size(); at += split ? 1 : all.size()) receive(all.substr(at, split ? 1 : all.size()));
    EXPECT_TRUE(transaction.is("-OOM first\r\n")) << transaction.reply;
    EXPECT_TRUE(transaction.request->queue_error);
    EXPECT_TRUE(next.is("$1\r\nx\r\n"));
  }
}

TEST_F(PreludeTest, AnAbortedTransactionThatRanIsNotBelieved) {
  bring_up("+PONG\r\n");
  Asker& transaction = ask_transaction(1);
  Asker& next = ask(Wire::redis, "N");
  end_turn();
  receive("-OOM\r\n*0\r\n$1\r\nx\r\n");
  EXPECT_TRUE(transaction.is("-OOM\r\n"));
  EXPECT_TRUE(next.failed(Failure::bad_reply));
}

TEST_F(PreludeTest, ALostConnectionFailsItInTheMiddle) {
  bring_up("+PONG\r\n");
  Asker& transaction = ask_transaction(2);
  end_turn();
  receive("+OK\r\n+QUEUED\r\n*1\r\n+O");
  loop.end(link());
  end_turn();
  EXPECT_TRUE(transaction.failed(Failure::connection_lost));
}

}  // namespace
}  // namespace overlord::proxy
