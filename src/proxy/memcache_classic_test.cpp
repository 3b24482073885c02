// Meta commands, and retrievals with a time, at a node that knows neither.

#include "proxy/memcache_fixture.h"

namespace overlord::proxy {
namespace {

using routing::Failure;
using routing::Wire;

class MemcacheClassicTest : public MemcacheConnectionTest {
 protected:
  void SetUp() override { up("VERSION 1.4.39\r\n"); }
  // What `command` is sent as, and what becomes of the node's reply.
  void expect(std::string_view command, std::string_view sent, std::string_view reply, std::string_view answer) {
    SCOPED_TRACE(std::string(command) + std::string(reply));
    Asker& asker = meta(command);
    end_turn();
    EXPECT_EQ(take_sent(), sent);
    receive(reply);
    EXPECT_TRUE(asker.is(answer)) << answer;
    EXPECT_TRUE(connection->idle());
  }
  void refused(std::string_view command, std::string_view answer) { expect(command, "", "", answer); }
};

TEST_F(MemcacheClassicTest, Retrievals) {
  expect("mg a v f c\r\n", "gets a\r\n", "VALUE a 5 3 77\r\nabc\r\nEND\r\n", "VA 3 f5 c77\r\nabc\r\n");
  expect("mg a s k Oxy\r\n", "gets a\r\n", "VALUE a 5 3 77\r\nabc\r\nEND\r\n", "HD s3 ka Oxy\r\n");
  expect("mg a v k\r\n", "gets a\r\n", "END\r\n", "EN ka\r\n");
  expect("mg a v\r\n", "gets a\r\n", "SERVER_ERROR busy\r\n", "SERVER_ERROR busy\r\n");
  expect("mg YQ== b v k\r\n", "gets a\r\n", "VALUE a 0 0 1\r\n\r\nEND\r\n", "VA 0 kYQ== b\r\n\r\n");
}

TEST_F(MemcacheClassicTest, Touches) {
  expect("mg a T30\r\n", "touch a 30\r\n", "TOUCHED\r\n", "HD\r\n");
  expect("mg a T30\r\n", "touch a 30\r\n", "NOT_FOUND\r\n", "EN\r\n");
  const std::string_view both = "touch a 30\r\ngets a\r\n";
  expect("mg a T30 f c v\r\n", both, "TOUCHED\r\nVALUE a 5 3 7\r\nabc\r\nEND\r\n", "VA 3 f5 c7\r\nabc\r\n");
  expect("mg a T30 f c\r\n", both, "TOUCHED\r\nVALUE a 5 3 7\r\nabc\r\nEND\r\n", "HD f5 c7\r\n");
  expect("mg a T30 f c v\r\n", both, "NOT_FOUND\r\nEND\r\n", "EN\r\n");
  // Made or deleted by somebody between the two.
  expect("mg a T30 f c v\r\n", both, "NOT_FOUND\r\nVALUE a 5 3 7\r\nabc\r\nEND\r\n", "EN\r\n");
  expect("mg a T30 f c v\r\n", both, "TOUCHED\r\nEND\r\n", "EN\r\n");
  expect("mg a T30 v\r\n", both, "ERROR\r\nVALUE a 5 3 7\r\nabc\r\nEND\r\n", "ERROR\r\n");
}

TEST_F(MemcacheClassicTest, Storage) {
  expect("ms a 3 F5 T9 c\r\nabc\r\n", "set a 5 9 3\r\nabc\r\n", "STORED\r\n", "HD c0\r\n");
  expect("ms a 3 T-1\r\nabc\r\n", "set a 0 2592001 3\r\nabc\r\n", "STORED\r\n", "HD\r\n");
  expect("ms a 3 ME\r\nabc\r\n", "add a 0 0 3\r\nabc\r\n", "NOT_STORED\r\n", "NS\r\n");
  expect("ms a 3 MR k\r\nabc\r\n", "replace a 0 0 3\r\nabc\r\n", "NOT_STORED\r\n", "NS ka\r\n");
  expect("ms a 3 MA\r\nabc\r\n", "append a 0 0 3\r\nabc\r\n", "NOT_STORED\r\n", "NS\r\n");
  expect("ms a 3 MP\r\nabc\r\n", "prepend a 0 0 3\r\nabc\r\n", "STORED\r\n", "HD\r\n");
  expect("ms a 3 C8\r\nabc\r\n", "cas a 0 0 3 8\r\nabc\r\n", "EXISTS\r\n", "EX\r\n");
  expect("ms a 3 C8\r\nabc\r\n", "cas a 0 0 3 8\r\nabc\r\n", "NOT_FOUND\r\n", "NF\r\n");
  expect("ms a 3\r\nabc\r\n", "set a 0 0 3\r\nabc\r\n", "SERVER_ERROR object too large for cache\r\n",
         "SERVER_ERROR object too large for cache\r\n");
}

TEST_F(MemcacheClassicTest, Deletes) {
  expect("md a\r\n", "delete a\r\n", "DELETED\r\n", "HD\r\n");
  expect("md a k\r\n", "delete a\r\n", "NOT_FOUND\r\n", "NF ka\r\n");
  const std::string_view gone = "cas a 0 2592001 0 8\r\n\r\n";
  expect("md a C8\r\n", gone, "STORED\r\n", "HD\r\n");
  expect("md a C8\r\n", gone, "EXISTS\r\n", "EX\r\n");
  expect("md a C8\r\n", gone, "NOT_FOUND\r\n", "NF\r\n");
}

TEST_F(MemcacheClassicTest, Arithmetic) {
  expect("ma a D4 v\r\n", "incr a 4\r\n", "17\r\n", "VA 2\r\n17\r\n");
  expect("ma a MD D4\r\n", "decr a 4\r\n", "0\r\n", "HD\r\n");
  expect("ma a v c\r\n", "incr a 1\r\n", "1\r\n", "VA 1 c0\r\n1\r\n");
  expect("ma a\r\n", "incr a 1\r\n", "NOT_FOUND\r\n", "NF\r\n");
  const std::string_view not_numeric = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
  expect("ma a\r\n", "incr a 1\r\n", not_numeric, not_numeric);
  const std::string_view both = "incr a 1\r\nadd a 0 60 2\r\n15\r\n";
  expect("ma a N60 J15 v\r\n", both, "8\r\nNOT_STORED\r\n", "VA 1\r\n8\r\n");
  expect("ma a N60 J15 v\r\n", both, "0\r\nNOT_STORED\r\n", "VA 1\r\n0\r\n");
  expect("ma a N60 J15 v\r\n", both, "NOT_FOUND\r\nSTORED\r\n", "VA 2\r\n15\r\n");
  expect("ma a N60 J15 v\r\n", both, "8\r\nSTORED\r\n", "VA 2\r\n15\r\n");  // deleted between the two
  expect("ma a N60 J15 v\r\n", both, "NOT_FOUND\r\nNOT_STORED\r\n",
         "SERVER_ERROR item made by another client meanwhile, try again\r\n");
  expect("ma a N60 J15 v\r\n", both, "NOT_FOUND\r\nSERVER_ERROR out of memory storing object\r\n",
         "SERVER_ERROR out of memory storing object\r\n");
  expect("ma a N60 J15 v\r\n", both, "8\r\nSERVER_ERROR out of memory storing object\r\n", "VA 1\r\n8\r\n");
  expect("ma a N60 J15 v\r\n", both, std::string(not_numeric) + "NOT_STORED\r\n", not_numeric);
}

TEST_F(MemcacheClassicTest, WhatCannotBeAskedIsRefused) {
  const std::string_view flag = "CLIENT_ERROR flag not possible with a backend without meta commands\r\n";
  for (const std::string_view command : {"mg a N30\r\n", "mg a h\r\n", "mg a t v\r\n", "md a I\r\n", "ma a T3\r\n",
                                         "ma a C5\r\n", "ms a 1 MA C5\r\nx\r\n", "ms a 1 MP C5\r\nx\r\n"}) {
    refused(command, flag);
  }
  refused("me a\r\n", "CLIENT_ERROR command not possible with a backend without meta commands\r\n");
  refused("mg YSBi b v\r\n", "CLIENT_ERROR key not possible with a backend without meta commands\r\n");
  refused("ms YSBi 3 b\r\nabc\r\n", "CLIENT_ERROR key not possible with a backend without meta commands\r\n");
}

TEST_F(MemcacheClassicTest, RetrievalsWithATime) {
  Asker& plain = get("b", "gets");
  Asker& hit = get("a", "gats 30");
  Asker& miss = get("c", "gat 30");
  Asker& error = get("d", "gat 30");
  end_turn();
  EXPECT_EQ(take_sent(), "gets b\r\ntouch a 30\r\ngets a\r\ntouch c 30\r\nget c\r\ntouch d 30\r\nget d\r\n");
  receive("END\r\nTOUCHED\r\nVALUE a 5 3 7\r\nabc\r\nEND\r\nNOT_FOUND\r\nEND\r\n");
  receive("SERVER_ERROR no\r\nVALUE d 0 1\r\nx\r\nEND\r\n");
  EXPECT_TRUE(plain.is(""));
  EXPECT_TRUE(hit.is("VALUE a 5 3 7\r\nabc\r\n"));
  EXPECT_TRUE(miss.is(""));
  EXPECT_TRUE(error.is("SERVER_ERROR no\r\n"));
}

TEST_F(MemcacheClassicTest, EveryCutOfTheReplies) {
  const std::string replies =
      "TOUCHED\r\nVALUE a 5 3 7\r\nabc\r\nEND\r\n8\r\nNOT_STORED\r\nVALUE a 5 3 7\r\nabc\r\nEND\r\nDELETED\r\n";
  for (size_t cut = 1; cut < replies.size(); ++cut) {
    SCOPED_TRACE(cut);
    Asker& touched = meta("mg a T30 f v\r\n");
    Asker& counted = meta("ma a N60 v\r\n");
    Asker& shown = meta("mg a s\r\n");
    Asker& last = ask(Wire::memcache_line, "delete a\r\n");
    end_turn();
    receive(replies.substr(0, cut));
    receive(replies.substr(cut));
    EXPECT_TRUE(touched.is("VA 3 f5\r\nabc\r\n"));
    EXPECT_TRUE(counted.is("VA 1\r\n8\r\n"));
    EXPECT_TRUE(shown.is("HD s3\r\n"));
    EXPECT_TRUE(last.is("DELETED\r\n"));
  }
}

TEST_F(MemcacheClassicTest, RepliesThatTheCommandCannotHave) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"mg a v\r\n", "STORED\r\n"},
      {"mg a v\r\n", "VALUE b 0 1 1\r\nx\r\nEND\r\n"},
      {"mg a v\r\n", "VALUE a 0 1 1\r\nx\r\nVALUE a 0 1 1\r\nx\r\nEND\r\n"},
      {"mg a v\r\n", "VALUE a 0 1 1\r\nx\r\nSTORED\r\n"},
      {"mg a T3 v\r\n", "VALUE a 0 1 1\r\nx\r\nEND\r\nEND\r\n"},
      {"mg a T3 v\r\n", "STORED\r\nEND\r\n"},
      {"ms a 1\r\nx\r\n", "END\r\n"},
      {"ms a 1\r\nx\r\n", "VALUE a 0 1 1\r\nx\r\nEND\r\n"},
      {"ms a 1\r\nx\r\n", "17\r\n"},
      {"md a\r\n", "TOUCHED\r\n"},
      {"ma a v\r\n", "STORED\r\n"},
      {"ma a N1 v\r\n", "5\r\n6\r\n"},
  };
  for (const auto& [command, reply] : cases) {
    SCOPED_TRACE(std::string(command) + std::string(reply));
    SetUp();
    Asker& asker = meta(command);
    end_turn();
    receive(reply);
    EXPECT_TRUE(asker.failed(Failure::bad_reply));
    leave_all();
    connection.reset();
  }
}

TEST_F(MemcacheClassicTest, RepliesToRequestsThatTimedOutAreDropped) {
  Asker& first = ask(Wire::memcache_line, "delete z\r\n");
  Asker& touched = meta("mg a T30 f v\r\n");
  Asker& counted = meta("ma a N60 v\r\n");
  end_turn();
  advance(100 * kMillisecond);
  receive("DELETED\r\n");
  EXPECT_TRUE(first.done);
  advance(950 * kMillisecond);
  EXPECT_TRUE(touched.failed(Failure::timed_out));
  EXPECT_TRUE(counted.failed(Failure::timed_out));
  Asker& next = meta("mg b v\r\n");
  end_turn();
  receive("TOUCHED\r\nVALUE a 5 3 7\r\nabc\r\nEND\r\n8\r\nNOT_STORED\r\nVALUE b 0 1 1\r\nx\r\nEND\r\n");
  EXPECT_TRUE(next.is("VA 1\r\nx\r\n"));
  EXPECT_TRUE(connection->idle());
}

TEST_F(MemcacheClassicTest, LateRepliesAreDropped) {
  Asker& late = meta("mg a T30 f v\r\n");
  Asker& next = meta("mg b v\r\n");
  end_turn();
  leave(late);
  receive("TOUCHED\r\nVALUE a 5 3 7\r\nabc\r\nEND\r\nVALUE b 0 1 1\r\nx\r\nEND\r\n");
  EXPECT_TRUE(next.is("VA 1\r\nx\r\n"));
  EXPECT_TRUE(connection->idle());
}

}  // namespace
}  // namespace overlord::proxy
