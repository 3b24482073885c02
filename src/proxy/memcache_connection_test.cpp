// Coalesced retrievals: what several clients ask for leaves as one command, and its answer is dealt back.

#include "proxy/memcache_fixture.h"

namespace overlord::proxy {
namespace {

using routing::Failure;
using routing::Wire;

TEST_F(MemcacheConnectionTest, GetsOfOneTurnAreOneLine) {
  up();
  Asker& a = get("a");
  Asker& b = get("b");
  Asker& c = get("c");
  EXPECT_EQ(connection->queue_size(), 1u);
  end_turn();
  EXPECT_EQ(take_sent(), "get a b c\r\n");
  receive(item("a", "1") + item("c", "3") + "END\r\n");
  EXPECT_EQ(answer(a), item("a", "1") + "END\r\n");
  EXPECT_EQ(answer(b), "END\r\n");
  EXPECT_EQ(answer(c), item("c", "3") + "END\r\n");
  EXPECT_TRUE(connection->idle());
}

TEST_F(MemcacheConnectionTest, TurnsAreNotMixed) {
  up();
  Asker& a = get("a");
  end_turn();
  Asker& b = get("b");
  end_turn();
  EXPECT_EQ(take_sent(), "get a\r\nget b\r\n");
  receive("END\r\n" + item("b", "2") + "END\r\n");
  EXPECT_EQ(answer(a), "END\r\n");
  EXPECT_EQ(answer(b), item("b", "2") + "END\r\n");
}

TEST_F(MemcacheConnectionTest, WithTwoGroupsOnTheirWayTheThirdGathersKeys) {
  up();
  Asker& a = get("a");
  end_turn();
  Asker& b = get("b");
  end_turn();
  EXPECT_EQ(take_sent(), "get a\r\nget b\r\n");
  Asker& c = get("c");
  end_turn();
  Asker& d = get("d");
  end_turn();
  EXPECT_EQ(take_sent(), "");
  receive("END\r\n");
  EXPECT_EQ(take_sent(), "get c d\r\n");
  receive("END\r\n" + item("d", "4") + "END\r\n");
  EXPECT_EQ(answer(a), "END\r\n");
  EXPECT_EQ(answer(b), "END\r\n");
  EXPECT_EQ(answer(c), "END\r\n");
  EXPECT_EQ(answer(d), item("d", "4") + "END\r\n");
  EXPECT_TRUE(connection->idle());
}

TEST_F(MemcacheConnectionTest, NothingOvertakesAGroupThatGathersKeys) {
  up();
  for (const std::string_view key : {"a", "b"}) {
    get(key);
    end_turn();
  }
  take_sent();
  Asker& c = get("c");
  end_turn();
  Asker& removed = ask(Wire::memcache_line, "delete c\r\n");
  end_turn();
  EXPECT_EQ(take_sent(), "get c\r\ndelete c\r\n");
  receive("END\r\nEND\r\n" + item("c", "3") + "END\r\nDELETED\r\n");
  EXPECT_EQ(answer(c), item("c", "3") + "END\r\n");
  EXPECT_TRUE(removed.done);
  leave_all();
}

TEST_F(MemcacheConnectionTest, AGroupThatGathersKeysFailsWithItsConnection) {
  up();
  for (const std::string_view key : {"a", "b"}) {
    get(key);
    end_turn();
  }
  take_sent();
  Asker& c = get("c");
  end_turn();
  connection->on_end();
  EXPECT_TRUE(c.failed(Failure::connection_lost));
  leave_all();
}

TEST_F(MemcacheConnectionTest, EveryCombinationOfHitsAndMisses) {
  up();
  const std::string keys[] = {"a", "b", "c", "d"};
  for (unsigned hits = 0; hits < 16; ++hits) {
    std::vector<Asker*> clients;
    std::string reply;
    for (size_t i = 0; i < 4; ++i) {
      clients.push_back(&get(keys[i]));
      if ((hits >> i & 1) != 0) reply += item(keys[i], "v" + keys[i]);
    }
    end_turn();
    receive(reply + "END\r\n");
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(answer(*clients[i]), ((hits >> i & 1) != 0 ? item(keys[i], "v" + keys[i]) : "") + "END\r\n") << hits;
    }
  }
}

TEST_F(MemcacheConnectionTest, SeveralClientsMayAskForOneKey) {
  up();
  Asker& first = get("k");
  Asker& other = get("x");
  Asker& second = get("k");
  Asker& third = get("k");
  end_turn();
  EXPECT_EQ(take_sent(), "get k x k k\r\n");
  receive(item("k", "1") + item("k", "1") + item("k", "1") + "END\r\n");
  EXPECT_EQ(answer(first), item("k", "1") + "END\r\n");
  EXPECT_EQ(answer(other), "END\r\n");
  EXPECT_EQ(answer(second), item("k", "1") + "END\r\n");
  EXPECT_EQ(answer(third), item("k", "1") + "END\r\n");
}

TEST_F(MemcacheConnectionTest, MultiGetsAreDealtBackToTheirClients) {
  up();
  Asker& first = get_all({"a", "b", "a"});
  Asker& second = get_all({"b", "c"});
  end_turn();
  EXPECT_EQ(take_sent(), "get a b a b c\r\n");
  receive(item("a", "1") + item("b", "2") + item("a", "1") + item("b", "2") + "END\r\n");
  EXPECT_EQ(answer(first), item("a", "1") + item("b", "2") + item("a", "1") + "END\r\n");
  EXPECT_EQ(answer(second), item("b", "2") + "END\r\n");
}

TEST_F(MemcacheConnectionTest, OnlyTheSameCommandIsShared) {
  up();
  for (const auto& [key, retrieval] : {std::pair{"a", "get"},
                                       {"b", "get"},
                                       {"c", "gets"},
                                       {"d", "gets"},
                                       {"e", "gat 10"},
                                       {"f", "gat 20"},
                                       {"g", "gat 20"},
                                       {"h", "get"}}) {
    get(key, retrieval);
  }
  end_turn();
  EXPECT_EQ(take_sent(), "get a b\r\ngets c d\r\ngat 10 e\r\ngat 20 f g\r\nget h\r\n");
  receive("END\r\nVALUE d 5 1 99\r\nx\r\nEND\r\nEND\r\n" + item("g", "y") + "END\r\nEND\r\n");
  EXPECT_EQ(answer(askers[2]), "END\r\n");
  EXPECT_EQ(answer(askers[3]), "VALUE d 5 1 99\r\nx\r\nEND\r\n");
  EXPECT_EQ(answer(askers[6]), item("g", "y") + "END\r\n");
}

TEST_F(MemcacheConnectionTest, OtherCommandsKeepTheirPlace) {
  up();
  Asker& before = get("a");
  Asker& write = ask(Wire::memcache_line, "set a 0 0 1\r\nx\r\n");
  Asker& after = get("a");
  end_turn();
  EXPECT_EQ(take_sent(), "get a\r\nset a 0 0 1\r\nx\r\nget a\r\n");
  receive("END\r\nSTORED\r\n" + item("a", "x") + "END\r\n");
  EXPECT_EQ(answer(before), "END\r\n");
  EXPECT_TRUE(write.is("STORED\r\n"));
  EXPECT_EQ(answer(after), item("a", "x") + "END\r\n");
}

TEST_F(MemcacheConnectionTest, WithoutCoalescingClientsAreApart) {
  config.coalesce_gets = false;
  up();
  get("a");
  get("b");
  get_all({"c", "d"});
  get_all({"e", "f"});
  end_turn();
  EXPECT_EQ(take_sent(), "get a\r\nget b\r\nget c d\r\nget e f\r\n");
  receive("END\r\nEND\r\nEND\r\nEND\r\n");
  EXPECT_EQ(answered.size(), 4u);
}

TEST_F(MemcacheConnectionTest, AGroupHasAtMostAHundredKeys) {
  up();
  for (int i = 0; i < 201; ++i) get("k" + std::to_string(i));
  EXPECT_EQ(connection->queue_size(), 3u);
  end_turn();
  const std::string sent = take_sent();
  EXPECT_NE(sent.find(" k99\r\nget k100 "), std::string::npos);
  EXPECT_NE(sent.find(" k199\r\nget k200\r\n"), std::string::npos);
  receive(item("k99", "x") + "END\r\n" + item("k100", "y") + "END\r\n" + item("k200", "z") + "END\r\n");
  EXPECT_EQ(answer(askers[99]), item("k99", "x") + "END\r\n");
  EXPECT_EQ(answer(askers[100]), item("k100", "y") + "END\r\n");
  EXPECT_EQ(answer(askers[200]), item("k200", "z") + "END\r\n");
  EXPECT_EQ(answered.size(), 201u);
}

TEST_F(MemcacheConnectionTest, AGroupLineHasABound) {
  up();
  // 250 is the longest key there is; all retrievals' words and their numbers come on top.
  for (const size_t size : {250, 249, 248, 203, 202}) {
    const std::string word = size == 203 ? "gats 4294967295" : "get";
    for (int i = 0; i < 70; ++i) get(std::string(size - 2, 'k') + std::to_string(10 + i), word);
    end_turn();
    std::string sent = take_sent();
    size_t lines = 0;
    while (!sent.empty()) {
      const size_t line = sent.find("\r\n") + 2;
      EXPECT_LE(line, 8192u);
      EXPECT_TRUE(line > 7900 || line == sent.size());
      sent.erase(0, line);
      ++lines;
    }
    EXPECT_EQ(lines, connection->queue_size());
    EXPECT_GT(lines, 1u);
    while (lines-- > 0) receive("END\r\n");
    leave_all();
  }
}

TEST_F(MemcacheConnectionTest, AnswersCutAnywhere) {
  up();
  const std::string all = item("a", "1\r\n23") + item("c", "") + "END\r\n" + "STORED\r\n";
  for (size_t cut = 1; cut < all.size(); ++cut) {
    for (size_t again = cut + 1; again <= all.size(); ++again) {
      Asker& a = get("a");
      Asker& b = get("b");
      Asker& c = get("c");
      Asker& set = ask(Wire::memcache_line, "set x 0 0 1\r\nx\r\n");
      end_turn();
      receive(all.substr(0, cut));
      receive(all.substr(cut, again - cut));
      if (again < all.size()) receive(all.substr(again));
      ASSERT_EQ(answer(a), item("a", "1\r\n23") + "END\r\n") << cut << " " << again;
      ASSERT_EQ(answer(b), "END\r\n");
      ASSERT_EQ(answer(c), item("c", "") + "END\r\n");
      ASSERT_TRUE(set.is("STORED\r\n"));
      leave_all();
    }
  }
}

TEST_F(MemcacheConnectionTest, AnswersByteByByte) {
  up();
  Asker& a = get_all({"a", "b", "c"});
  Asker& version = ask(Wire::memcache_line, "version\r\n");
  end_turn();
  for (const char c : item("a", "value") + item("c", "\r\n") + "END\r\nVERSION 1\r\n") receive({&c, 1});
  EXPECT_EQ(answer(a), item("a", "value") + item("c", "\r\n") + "END\r\n");
  EXPECT_TRUE(version.is("VERSION 1\r\n"));
}

TEST_F(MemcacheConnectionTest, AnEarlyEndMeansMisses) {
  up();
  Asker& a = get("a");
  Asker& b = get("b");
  end_turn();
  receive("END\r\n");
  EXPECT_EQ(answer(a), "END\r\n");
  EXPECT_EQ(answer(b), "END\r\n");
}

TEST_F(MemcacheConnectionTest, AnErrorInTheMiddleIsForThoseWithoutAnAnswer) {
  up();
  Asker& hit = get("a");
  Asker& passed_over = get("b");
  Asker& arrived = get("c");
  Asker& left_one = get("d");
  Asker& left_two = get("e");
  Asker& behind = ask(Wire::memcache_line, "delete x\r\n");
  end_turn();
  receive(item("a", "1") + item("c", "3") + "SERVER_ERROR out of memory writing get response\r\nDELETED\r\n");
  EXPECT_EQ(answer(hit), item("a", "1") + "END\r\n");
  EXPECT_EQ(answer(passed_over), "END\r\n");
  EXPECT_EQ(answer(arrived), item("c", "3") + "END\r\n");
  EXPECT_EQ(answer(left_one), "SERVER_ERROR out of memory writing get response\r\n");
  EXPECT_EQ(answer(left_two), "SERVER_ERROR out of memory writing get response\r\n");
  EXPECT_TRUE(behind.is("DELETED\r\n"));
  EXPECT_TRUE(link().open);
}

TEST_F(MemcacheConnectionTest, AnswersThatAreNotToTheQuestionEndTheConnection) {
  expect_bad(item("z", "1"));                   // nobody asked for it
  expect_bad(item("aa", "1"));                  // a key that another one begins
  expect_bad(item("b", "1") + item("a", "1"));  // out of order
  expect_bad(item("b", "1") + item("b", "1"));  // twice
  expect_bad("STORED\r\n");                     // of another command
  expect_bad("STAT pid 1\r\n");
  expect_bad("VALUE a 0 1\r\nxy\r\n");        // longer than it says
  expect_bad("VALUE a 0 3\r\nx\r\nEND\r\n");  // shorter
  expect_bad("VALUE a 0 x\r\n");
  expect_bad("END\n");
  expect_bad("HTTP/1.1 400 Bad Request\r\n");
  expect_bad(std::string(5000, 'x'));  // a line without an end
  expect_bad("END\r\nEND\r\n");        // for the delete
  expect_bad("END\r\n" + item("c", "1"));
}

TEST_F(MemcacheConnectionTest, ABodyWithoutItsLineEndIsSeenWhereverItIsCut) {
  for (const std::string reply : {"VALUE a 0 2\r\nxyz\r\n", "VALUE a 0 2\r\nxy\rz\n", "VALUE a 0 2\r\nxy\n\r\n"}) {
    for (size_t cut = 1; cut < reply.size(); ++cut) {
      up();
      Asker& a = get("a");
      end_turn();
      receive(reply.substr(0, cut));
      if (link().open) receive(reply.substr(cut));
      ASSERT_TRUE(a.failed(Failure::bad_reply)) << reply << " cut at " << cut;
      leave_all();
      connection.reset();
    }
  }
}

TEST_F(MemcacheConnectionTest, ALineThatNeverEndsIsBoundedHoweverItComes) {
  up();
  Asker& a = get("a");
  end_turn();
  for (int i = 0; i < 5000 && link().open; ++i) receive("S");
  EXPECT_TRUE(a.failed(Failure::bad_reply));
}

TEST_F(MemcacheConnectionTest, ClientsThatLeftAreSkipped) {
  up();
  Asker& a = get("a");
  Asker& gone = get("b");
  Asker& gone_multi = get_all({"c", "d"});
  Asker& e = get("e");
  leave(gone);  // before the group is even sent
  end_turn();
  leave(gone_multi);
  EXPECT_EQ(take_sent(), "get a b c d e\r\n");
  receive(item("a", "1") + item("b", "2") + item("c", "3") + item("d", "4").substr(0, 14));
  receive(item("d", "4").substr(14) + item("e", "5") + "END\r\n");
  EXPECT_FALSE(gone.done || gone_multi.done);
  EXPECT_EQ(answer(a), item("a", "1") + "END\r\n");
  EXPECT_EQ(answer(e), item("e", "5") + "END\r\n");
}

TEST_F(MemcacheConnectionTest, LargeItemsArePassedOnInPieces) {
  up();
  Asker& large = get("a");
  Asker& small = get("b");
  end_turn();
  const std::string value = item("a", std::string(300'000, 'v'));
  for (size_t at = 0; at < value.size(); at += 30'000) receive(value.substr(at, 30'000));
  EXPECT_GT(large.progress, 3);
  EXPECT_TRUE(large.is(value));
  EXPECT_FALSE(small.done);
  receive(item("b", "2") + "END\r\n");
  EXPECT_EQ(answer(small), item("b", "2") + "END\r\n");
}

TEST_F(MemcacheConnectionTest, StatsAreOneAnswer) {
  up();
  Asker& stats = ask(Wire::memcache_stats, "stats\r\n");
  Asker& refused = ask(Wire::memcache_stats, "stats nonsense\r\n");
  Asker& reset = ask(Wire::memcache_stats, "stats reset\r\n");
  end_turn();
  receive("STAT pid 1\r\nSTAT get_");
  receive("hits 5\r\nEND\r\nCLIENT_ERROR bad\r\nRESET\r\n");
  EXPECT_TRUE(stats.is("STAT pid 1\r\nSTAT get_hits 5\r\nEND\r\n"));
  EXPECT_TRUE(refused.is("CLIENT_ERROR bad\r\n"));
  EXPECT_TRUE(refused.error_reply);
  EXPECT_TRUE(reset.is("RESET\r\n"));
}

TEST_F(MemcacheConnectionTest, ErrorLinesOfOtherCommands) {
  up();
  Asker& set = ask(Wire::memcache_line, "set a 0 0 1\r\nx\r\n");
  Asker& touch = ask(Wire::memcache_line, "touch a 0\r\n");
  end_turn();
  receive("SERVER_ERROR out of memory storing object\r\nTOUCHED\r\n");
  EXPECT_TRUE(set.is("SERVER_ERROR out of memory storing object\r\n"));
  EXPECT_TRUE(set.error_reply);
  EXPECT_FALSE(touch.error_reply);
}

}  // namespace
}  // namespace overlord::proxy
