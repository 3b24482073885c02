// Coalesced retrievals that time out, whose connection is lost, or whose answer stops in the middle.

#include <cerrno>

#include "proxy/memcache_fixture.h"

namespace overlord::proxy {
namespace {

using routing::Failure;
using routing::Wire;
using State = BackendConnection::State;

TEST_F(MemcacheConnectionTest, TheLateAnswerOfAnExpiredGroupIsDropped) {
  up();
  Asker& quick = ask(Wire::memcache_line, "touch q 0\r\n");
  end_turn();
  advance(100 * kMillisecond);
  Asker& slow_a = get("slow_key_a");
  Asker& slow_b = get("slow_key_b");
  end_turn();
  advance(500 * kMillisecond);
  receive("TOUCHED\r\n");  // the backend is alive
  EXPECT_TRUE(quick.done);
  Asker& next = get("next_key");
  end_turn();
  advance(500 * kMillisecond + net::TimerWheel::kTickNs);
  EXPECT_TRUE(slow_a.failed(Failure::timed_out));
  EXPECT_TRUE(slow_b.failed(Failure::timed_out));
  EXPECT_FALSE(next.done);
  leave(slow_b);
  // Others are served meanwhile, with the memory that was given back.
  Asker& later = get("later_key");
  end_turn();
  receive(item("slow_key_a", "1") + item("slow_key_b", "2") + "END\r\n" + item("next_key", "3") + "END\r\n");
  ASSERT_TRUE(link().open);
  EXPECT_EQ(slow_a.reply, "");
  EXPECT_EQ(answer(next), item("next_key", "3") + "END\r\n");
  receive(item("later_key", "4") + "END\r\n");
  EXPECT_EQ(answer(later), item("later_key", "4") + "END\r\n");
}

TEST_F(MemcacheConnectionTest, TheRestOfAnItemThatStoppedArrivingIsDropped) {
  up();
  Asker& first = get("a");
  Asker& second = get("b");
  end_turn();
  advance(10 * kMillisecond);
  receive(item("a", "0123456789").substr(0, 18));
  advance(990 * kMillisecond);
  Asker& next = get("c");
  end_turn();
  advance(20 * kMillisecond + net::TimerWheel::kTickNs);
  EXPECT_TRUE(first.failed(Failure::timed_out));
  EXPECT_TRUE(second.failed(Failure::timed_out));
  receive(item("a", "0123456789").substr(18) + item("b", "2") + "END\r\n" + item("c", "3") + "END\r\n");
  EXPECT_EQ(answer(next), item("c", "3") + "END\r\n");
  EXPECT_TRUE(link().open);
}

TEST_F(MemcacheConnectionTest, LossFailsTheMembersThatHaveNoAnswer) {
  up();
  advance(1500 * kMillisecond);
  Asker& hit = get("a");
  Asker& cut = get("b");
  Asker& waiting = get("c");
  end_turn();
  Asker& behind = get_all({"d", "e"});
  end_turn();
  receive(item("a", "1") + item("b", "22222").substr(0, 15));
  loop.end(link());
  end_turn();
  EXPECT_EQ(answer(hit), item("a", "1") + "END\r\n");
  EXPECT_TRUE(cut.failed(Failure::connection_lost));
  EXPECT_TRUE(waiting.failed(Failure::connection_lost));
  EXPECT_TRUE(behind.done);
  EXPECT_EQ(answer(behind), "SERVER_ERROR backend connection lost\r\n");
  // The next connection begins clean.
  Asker& next = get("f");
  loop.accept(link());
  end_turn();
  EXPECT_EQ(take_sent(), "version\r\nget f\r\n");
  receive(std::string(kVersion) + item("f", "6") + "END\r\n");
  EXPECT_EQ(answer(next), item("f", "6") + "END\r\n");
}

TEST_F(MemcacheConnectionTest, AGroupThatWasOpenWhenTheConnectionBrokeIsNotSentOnTheNext) {
  up();
  advance(1500 * kMillisecond);
  Asker& lost = get("a");  // in the turn in which the error comes
  loop.fail(link(), ECONNRESET);
  end_turn();
  EXPECT_TRUE(lost.failed(Failure::connection_lost));
  ASSERT_EQ(dials(), 2u);
  loop.accept(link());
  end_turn();
  EXPECT_EQ(take_sent(), "version\r\n");
}

TEST_F(MemcacheConnectionTest, AHandshakeThatIsNoVersionIsRefused) {
  make(config::CacheType::memcache);
  Asker& a = get("a");
  end_turn();
  loop.accept(link());
  receive("ERROR\r\n");
  EXPECT_TRUE(a.failed(Failure::refused_auth));
  EXPECT_FALSE(link().open);
}

}  // namespace
}  // namespace overlord::proxy
