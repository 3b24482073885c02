// Meta commands on a backend connection: their replies, whole and in pieces, and what ends the connection.

#include "proxy/memcache_fixture.h"

namespace overlord::proxy {
namespace {

using routing::Answer;
using routing::Failure;
using routing::Wire;

class MemcacheMetaTest : public MemcacheConnectionTest {
 protected:
  // One that shows `key` behind so many flags.
  Asker& showing(std::string_view bytes, std::string_view key, uint8_t before) {
    Asker& asker = new_asker(Wire::memcache_meta, Answer::reply);
    asker.request->key_map = turn.buffers.take(key.size());
    key.copy(asker.request->key_map.data, key.size());
    asker.request->key_count = static_cast<uint32_t>(key.size());
    asker.request->key_before_hit = asker.request->key_before_miss = before;
    asker.request->bytes = bytes;
    connection->send(*asker.request);
    return asker;
  }
};

TEST_F(MemcacheMetaTest, RepliesGoToTheirRequests) {
  up();
  Asker& get = meta("mg a v\r\n");
  Asker& text = ask(Wire::memcache_line, "delete b\r\n");
  Asker& set = meta("ms c 2\r\nMN\r\n");
  Asker& miss = meta("mg d k\r\n");
  Asker& error = meta("mg e z\r\n");
  end_turn();
  EXPECT_EQ(take_sent(), "mg a v\r\ndelete b\r\nms c 2\r\nMN\r\nmg d k\r\nmg e z\r\n");
  receive("VA 5 s5\r\nHD\r\nX\r\nDELETED\r\nHD\r\nEN kd\r\nCLIENT_ERROR invalid flag\r\n");
  EXPECT_TRUE(get.is("VA 5 s5\r\nHD\r\nX\r\n"));
  EXPECT_TRUE(text.is("DELETED\r\n"));
  EXPECT_TRUE(set.is("HD\r\n"));
  EXPECT_TRUE(miss.is("EN kd\r\n"));
  EXPECT_TRUE(error.is("CLIENT_ERROR invalid flag\r\n"));
  EXPECT_TRUE(error.error_reply);
  EXPECT_FALSE(miss.error_reply);
  EXPECT_TRUE(connection->idle());
}

TEST_F(MemcacheMetaTest, EveryCutOfAReply) {
  const std::string reply = "VA 3 s3 kCg\r\nabc\r\n";
  const std::string all = reply + "HD\r\n" + reply;
  for (size_t cut = 1; cut < all.size(); ++cut) {
    SCOPED_TRACE(cut);
    up();
    Asker& first = meta("mg a v s k\r\n");
    Asker& second = meta("md a\r\n");
    Asker& third = meta("mg a v s k\r\n");
    end_turn();
    receive(std::string_view(all).substr(0, cut));
    receive(std::string_view(all).substr(cut));
    EXPECT_TRUE(first.is(reply));
    EXPECT_TRUE(second.is("HD\r\n"));
    EXPECT_TRUE(third.is(reply));
    EXPECT_TRUE(connection->idle());
    leave_all();
    connection.reset();
  }
}

TEST_F(MemcacheMetaTest, AHiddenKeyIsShown) {
  up();
  Asker& hit = showing("mg Cg== b t v\r\n", "Cg==", 1);
  Asker& miss = showing("mg Cg== b\r\n", "Cg==", 0);
  Asker& late = showing("mg Cg== b t v\r\n", "Cg==", 1);
  end_turn();
  receive("VA 3 t5\r\nabc\r\nEN\r\nVA 3 ");
  receive("t5\r\nab");
  receive("c\r\n");
  EXPECT_TRUE(hit.is("VA 3 t5 kCg== b\r\nabc\r\n"));
  EXPECT_TRUE(miss.is("EN kCg== b\r\n"));
  EXPECT_TRUE(late.is("VA 3 t5 kCg== b\r\nabc\r\n"));
}

TEST_F(MemcacheMetaTest, WhatIsNoReplyEndsTheConnection) {
  for (const std::string_view bad : {"STORED\r\n", "END\r\n", "VALUE a 0 1\r\nx\r\n", "VA x\r\n", "VA 1\r\nabc", "HD\n",
                                     "HD \x01\r\n", "nonsense\r\n"}) {
    SCOPED_TRACE(std::string(bad));
    up();
    Asker& asked = meta("mg a v\r\n");
    Asker& behind = ask(Wire::memcache_line, "delete c\r\n");
    end_turn();
    receive(bad);
    EXPECT_TRUE(asked.failed(Failure::bad_reply));
    EXPECT_TRUE(behind.failed(Failure::bad_reply));
    EXPECT_FALSE(link().open);
    leave_all();
    connection.reset();
  }
}

TEST_F(MemcacheMetaTest, HalfAValueAndTheEnd) {
  up();
  Asker& asked = meta("mg a v\r\n");
  Asker& behind = meta("md a\r\n");
  end_turn();
  receive("VA 10\r\nabc");
  EXPECT_FALSE(asked.done);
  loop.end(link());
  end_turn();
  EXPECT_TRUE(asked.failed(Failure::connection_lost));
  EXPECT_TRUE(behind.failed(Failure::connection_lost));
}

TEST_F(MemcacheMetaTest, ALateReplyIsDropped) {
  up();
  Asker& first = meta("mg a v\r\n");
  Asker& slow = meta("mg b v\r\n");
  end_turn();
  advance(500 * kMillisecond);
  receive("VA 1\r\nA\r\n");
  advance(600 * kMillisecond);
  EXPECT_TRUE(first.is("VA 1\r\nA\r\n"));
  EXPECT_TRUE(slow.failed(Failure::timed_out));
  Asker& next = meta("mg c v\r\n");
  end_turn();
  receive("VA 1\r\nB");
  receive("\r\nVA 1\r\nC\r\n");
  EXPECT_TRUE(next.is("VA 1\r\nC\r\n"));
}

TEST_F(MemcacheMetaTest, AClientThatLeftGetsNothingAndTheNextOneItsOwn) {
  up();
  Asker& gone = meta("mg a v\r\n");
  Asker& stays = meta("mg b v\r\n");
  end_turn();
  leave(gone);
  receive("VA 1\r\nA\r\nVA 1\r\nB\r\n");
  EXPECT_FALSE(gone.done);
  EXPECT_TRUE(stays.is("VA 1\r\nB\r\n"));
}

TEST_F(MemcacheMetaTest, ANodeBefore16ThatWasAskedTooSoonIsGivenUp) {
  make(config::CacheType::memcache);
  Asker& early = meta("ms a 5\r\nget b\r\n");
  Asker& other = ask(Wire::memcache_line, "delete c\r\n");
  end_turn();
  loop.accept(link());
  end_turn();
  receive("VERSION 1.4.39\r\nERROR\r\nEND\r\nNOT_FOUND\r\n");
  EXPECT_TRUE(early.failed(Failure::bad_reply));
  EXPECT_TRUE(other.failed(Failure::bad_reply));
}

// As twemproxy does, which passes on the version of the memcached behind it.
TEST_F(MemcacheMetaTest, ANodeThatClosesAtMetaCommandsIsAskedInOlderOnes) {
  up();
  Asker& lost = meta("mg a v\r\n");
  end_turn();
  loop.end(link());
  end_turn();
  EXPECT_TRUE(lost.failed(Failure::connection_lost));
  connection->open();
  end_turn();
  loop.accept(link());
  end_turn();
  EXPECT_EQ(take_sent(), "version\r\n");
  receive("VERSION 1.6.18\r\n");
  EXPECT_EQ(take_sent(), "mn\r\n");
  loop.fail(link(), ECONNRESET);
  end_turn();
  connection->open();
  end_turn();
  loop.accept(link());
  end_turn();
  EXPECT_EQ(take_sent(), "version\r\n");
  receive("VERSION 1.6.18\r\n");
  Asker& served = meta("mg a v\r\n");
  end_turn();
  EXPECT_EQ(take_sent(), "gets a\r\n");
  receive("END\r\n");
  EXPECT_TRUE(served.is("EN\r\n"));
}

TEST_F(MemcacheMetaTest, ANodeThatDiedAtAMetaCommandIsAskedThemAgain) {
  up();
  meta("mg a v\r\n");
  end_turn();
  loop.end(link());
  end_turn();
  connection->open();
  end_turn();
  loop.accept(link());
  end_turn();
  EXPECT_EQ(take_sent(), "version\r\n");
  receive("VERSION 1.6.18\r\n");
  EXPECT_EQ(take_sent(), "mn\r\n");
  EXPECT_EQ(connection->state(), BackendConnection::State::connecting);
  receive("MN\r\n");
  Asker& served = meta("mg a v\r\n");
  end_turn();
  EXPECT_EQ(take_sent(), "mg a v\r\n");
  receive("EN\r\n");
  EXPECT_TRUE(served.is("EN\r\n"));
  loop.end(link());  // it has shown what it knows: nothing is doubted any more
  end_turn();
  connection->open();
  end_turn();
  loop.accept(link());
  end_turn();
  EXPECT_EQ(take_sent(), "version\r\n");
}

TEST_F(MemcacheMetaTest, OtherServersVersionsAreTakenForNew) {
  for (const std::string_view version :
       {"VERSION 1.6.0\r\n", "VERSION 1.10.1\r\n", "VERSION 2.0\r\n", "VERSION df-1.5.0\r\n"}) {
    up(version);
    meta("mn\r\n");
    end_turn();
    EXPECT_EQ(take_sent(), "mn\r\n") << version;
    receive("MN\r\n");
    leave_all();
    connection.reset();
  }
}

}  // namespace
}  // namespace overlord::proxy
