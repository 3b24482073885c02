#include "proxy/memcache_answer.h"

#include "proxy/answer_fixture.h"

namespace overlord::proxy {
namespace {

class MemcacheAnswerTest : public AnswerTest {
 protected:
  std::string write(Request& request) {
    ChunkQueue out;
    write_memcache_answer(request, pool_, out);
    return text_of(out, request);
  }
  std::string stats(Request& request, const std::string& own = "") {
    ChunkQueue out;
    out.append(chunks_, merged_memcache_stats(request, pool_, own));
    return text_of(out, request);
  }
  static std::string item(std::string_view key, std::string_view value) {
    return "VALUE " + std::string(key) + " 0 " + std::to_string(value.size()) + "\r\n" + std::string(value) + "\r\n";
  }
};

TEST_F(MemcacheAnswerTest, OneReplyAsItIs) {
  Request& stored = parent(Answer::reply);
  give_reply(stored, "STORED\r\n");
  EXPECT_EQ(write(stored), "STORED\r\n");

  Request& refused = parent(Answer::reply);
  give_reply(refused, "SERVER_ERROR out of memory storing object\r\n", true);
  refused.error_reply = true;
  EXPECT_EQ(write(refused), "SERVER_ERROR out of memory storing object\r\n");
}

TEST_F(MemcacheAnswerTest, RetrievalOfOneKey) {
  Request& hit = parent(Answer::retrieval);
  give_reply(hit, item("k", "END\r\n"));
  EXPECT_EQ(write(hit), item("k", "END\r\n") + "END\r\n");

  const std::string large(100000, 'v');
  Request& pieces = parent(Answer::retrieval);
  give_reply(pieces, item("k", large), true);
  EXPECT_EQ(write(pieces), item("k", large) + "END\r\n");

  Request& miss = parent(Answer::retrieval);
  EXPECT_EQ(write(miss), "END\r\n");

  Request& error = parent(Answer::retrieval);
  give_reply(error, "SERVER_ERROR busy\r\n");
  error.error_reply = true;
  EXPECT_EQ(write(error), "SERVER_ERROR busy\r\n");
}

TEST_F(MemcacheAnswerTest, RetrievalOfSeveralKeysIsInTheirOrder) {
  Request& request = parent(Answer::retrieval);
  child(request, item("b", "2"));
  child(request, "");  // a miss
  child(request, item("a", "1"), true);
  child(request, item("b", "2"));
  EXPECT_EQ(write(request), item("b", "2") + item("a", "1") + item("b", "2") + "END\r\n");

  Request& none = parent(Answer::retrieval);
  child(none, "");
  child(none, "");
  EXPECT_EQ(write(none), "END\r\n");
}

TEST_F(MemcacheAnswerTest, RetrievalWithAnErrorIsTheErrorAlone) {
  Request& request = parent(Answer::retrieval);
  child(request, item("a", "1"));
  error_child(request, "SERVER_ERROR first\r\n");
  failed_child(request, Failure::backend_down);
  EXPECT_EQ(write(request), "SERVER_ERROR first\r\n");

  Request& failed = parent(Answer::retrieval);
  child(failed, item("a", "1"));
  failed_child(failed, Failure::backend_down);
  error_child(failed, "SERVER_ERROR second\r\n");
  EXPECT_EQ(write(failed), "SERVER_ERROR backend is down\r\n");
}

TEST_F(MemcacheAnswerTest, AllOk) {
  Request& request = parent(Answer::all_ok);
  child(request, "OK\r\n");
  child(request, "OK\r\n");
  EXPECT_EQ(write(request), "OK\r\n");

  Request& failed = parent(Answer::all_ok);
  child(failed, "OK\r\n");
  error_child(failed, "CLIENT_ERROR flush_all not allowed\r\n");
  failed_child(failed, Failure::timed_out);
  EXPECT_EQ(write(failed), "CLIENT_ERROR flush_all not allowed\r\n");
}

TEST_F(MemcacheAnswerTest, StatsAreMerged) {
  Request& request = parent(Answer::stats);
  child(request, "STAT pid 7\r\nSTAT get_hits 10\r\nSTAT uptime 5\r\nEND\r\n");
  child(request, "STAT pid 8\r\nSTAT get_hits 32\r\nSTAT uptime 9\r\nEND\r\n", true);
  EXPECT_EQ(stats(request), "STAT pid 7\r\nSTAT get_hits 42\r\nSTAT uptime 9\r\nEND\r\n");
}

TEST_F(MemcacheAnswerTest, StatsOfTheProxyStandBeforeTheEnd) {
  Request& request = parent(Answer::stats);
  child(request, "STAT get_hits 10\r\nEND\r\n");
  EXPECT_EQ(stats(request, "STAT overlord_x 1\r\n"), "STAT get_hits 10\r\nSTAT overlord_x 1\r\nEND\r\n");
}

TEST_F(MemcacheAnswerTest, StatsSayHowManyBackendsAreSilent) {
  Request& request = parent(Answer::stats);
  failed_child(request, Failure::backend_down);
  child(request, "STAT get_hits 10\r\nEND\r\n");
  failed_child(request, Failure::timed_out);
  EXPECT_EQ(stats(request), "STAT get_hits 10\r\nSTAT overlord_backends_without_answer 2\r\nEND\r\n");

  Request& with_own = parent(Answer::stats);
  child(with_own, "STAT get_hits 10\r\nEND\r\n");
  failed_child(with_own, Failure::backend_down);
  EXPECT_EQ(stats(with_own, "STAT overlord_x 1\r\n"),
            "STAT get_hits 10\r\nSTAT overlord_x 1\r\nSTAT overlord_backends_without_answer 1\r\nEND\r\n");
}

TEST_F(MemcacheAnswerTest, StatsOfNobodyAreAFailure) {
  Request& request = parent(Answer::stats);
  failed_child(request, Failure::backend_down);
  failed_child(request, Failure::timed_out);
  EXPECT_EQ(stats(request, "STAT overlord_x 1\r\n"), "SERVER_ERROR backend timed out\r\n");

  Request& empty = parent(Answer::stats);
  EXPECT_EQ(stats(empty), "SERVER_ERROR no backend is available\r\n");
}

TEST_F(MemcacheAnswerTest, StatsReset) {
  Request& request = parent(Answer::stats);
  request.key = "reset";
  child(request, "RESET\r\n");
  child(request, "RESET\r\n");
  EXPECT_EQ(stats(request, "STAT overlord_x 1\r\n"), "RESET\r\n");
}

TEST_F(MemcacheAnswerTest, StatsWithAnErrorOnly) {
  Request& request = parent(Answer::stats);
  error_child(request, "CLIENT_ERROR no such stats\r\n");
  error_child(request, "ERROR\r\n");
  EXPECT_EQ(stats(request, "STAT overlord_x 1\r\n"), "CLIENT_ERROR no such stats\r\n");
}

}  // namespace
}  // namespace overlord::proxy
