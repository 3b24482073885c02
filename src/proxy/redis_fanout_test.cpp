#include "proxy/redis_fanout.h"

#include "proxy/answer_fixture.h"
#include "proxy/redis_answer.h"

namespace overlord::proxy {
namespace {

constexpr std::string_view kBadReply = "-ERR backend sent a malformed reply\r\n";

class FanoutTest : public AnswerTest {
 protected:
  Request& merged(std::string_view name) {
    Request& request = parent(Answer::merged);
    const size_t bar = name.find('|');
    request.command = redis::find_command(name.substr(0, bar));
    if (bar != std::string_view::npos) request.command = redis::find_subcommand(*request.command, name.substr(bar + 1));
    return request;
  }
  std::string write(Request& request) {
    ChunkQueue out;
    write_redis_answer(request, pool_, out);
    return text_of(out, request);
  }
};

TEST_F(FanoutTest, KeysAreAppended) {
  for (const bool chained : {false, true}) {
    Request& keys = merged("keys");
    child(keys, "*2\r\n$1\r\na\r\n$1\r\nb\r\n", chained);
    child(keys, "*0\r\n", chained);
    child(keys, "*1\r\n$4\r\nc\r\nd\r\n", chained);
    EXPECT_EQ(write(keys), "*3\r\n$1\r\na\r\n$1\r\nb\r\n$4\r\nc\r\nd\r\n");
  }
  Request& only_chain = merged("keys");
  Request& r = child(only_chain, "");
  r.reply_chain.append(chunks_, "*1\r\n$1\r\na\r\n");
  EXPECT_EQ(write(only_chain), "*1\r\n$1\r\na\r\n");
}

TEST_F(FanoutTest, AnErrorOrAStrangeReplyIsTheAnswer) {
  Request& failed = merged("keys");
  child(failed, "*1\r\n$1\r\na\r\n");
  failed_child(failed, Failure::too_large);
  EXPECT_EQ(write(failed), "-ERR reply is larger than the proxy may hold\r\n");
  Request& error = merged("script|exists");
  error_child(error, "-LOADING\r\n");
  child(error, "*0\r\n");
  EXPECT_EQ(write(error), "-LOADING\r\n");
  for (const std::string_view strange : {"+OK\r\n", ":1\r\n", "*-1\r\n", "$-1\r\n"}) {
    Request& keys = merged("keys");
    child(keys, strange);
    EXPECT_EQ(write(keys), kBadReply);
  }
}

TEST_F(FanoutTest, TheNodeWithTheFewestReplicasDecides) {
  Request& wait = merged("wait");
  for (const std::string_view count : {":2\r\n", ":1\r\n", ":3\r\n"}) child(wait, count);
  EXPECT_EQ(write(wait), ":1\r\n");
  Request& lost = merged("wait");
  child(lost, ":2\r\n");
  failed_child(lost, Failure::timed_out);
  EXPECT_EQ(write(lost), routing::redis_error_line(Failure::timed_out));
  Request& strange = merged("wait");
  child(strange, ":2\r\n");
  child(strange, "+OK\r\n");
  EXPECT_EQ(write(strange), kBadReply);
}

TEST_F(FanoutTest, DocsAreTheNodesButForWhatIsRefused) {
  constexpr std::string_view kAsked = "*4\r\n$7\r\nCOMMAND\r\n$4\r\nDOCS\r\n$3\r\nGET\r\n$7\r\nMONITOR\r\n";
  const auto docs_after = [&](const auto& answer_child) {
    Request& docs = merged("command|docs");
    docs.bytes = kAsked;
    EXPECT_TRUE(pool_.keep_bytes(docs));
    answer_child(docs);
    return write(docs);
  };
  const auto own = [](std::string_view name, std::string_view words) {
    const std::string bulk =
        "$" + std::to_string(name.size()) + "\r\n" + std::string(name) + "\r\n*6\r\n$7\r\nsummary\r\n$";
    return bulk + std::to_string(words.size()) + "\r\n" + std::string(words) + "\r\n";
  };
  const std::string get = own("get", "Through the proxy: goes to the key's node");
  const std::string monitor = own("monitor", "Not supported through the proxy");
  for (const bool chained : {false, true}) {
    const std::string text = docs_after([&](Request& docs) {
      child(docs, "*6\r\n$3\r\nget\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n$7\r\nmonitor\r\n*0\r\n$4\r\nnews\r\n*0\r\n",
            chained);
    });
    EXPECT_TRUE(text.starts_with("*6\r\n$3\r\nget\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n" + monitor)) << text;
    EXPECT_TRUE(text.ends_with("$4\r\nnews\r\n*0\r\n")) << text;
  }
  // No answer, or a strange one: all is the proxy's.
  for (const std::string_view strange : {"+OK\r\n", "*-1\r\n", "*1\r\n:1\r\n", "*2\r\n:1\r\n:1\r\n",
                                         "*2\r\n$-1\r\n*0\r\n", "*4\r\n$3\r\nget\r\n*0\r\n*0\r\n*0\r\n"}) {
    const std::string text = docs_after([&](Request& docs) { child(docs, strange); });
    EXPECT_TRUE(text.starts_with("*4\r\n" + get)) << text;
    EXPECT_NE(text.find(monitor), std::string::npos) << text;
  }
  EXPECT_TRUE(docs_after([&](Request& docs) { error_child(docs, "-ERR no\r\n"); }).starts_with("*4\r\n" + get));
  EXPECT_TRUE(
      docs_after([&](Request& docs) { failed_child(docs, Failure::backend_down); }).starts_with("*4\r\n" + get));
}

TEST_F(FanoutTest, ExistsOnAllNodes) {
  Request& exists = merged("script|exists");
  child(exists, "*4\r\n:1\r\n:1\r\n:0\r\n:0\r\n", true);
  child(exists, "*4\r\n:1\r\n:0\r\n:1\r\n:0\r\n");
  EXPECT_EQ(write(exists), "*4\r\n:1\r\n:0\r\n:0\r\n:0\r\n");
  Request& uneven = merged("script|exists");
  child(uneven, "*1\r\n:1\r\n");
  child(uneven, "*2\r\n:1\r\n:1\r\n");
  EXPECT_EQ(write(uneven), kBadReply);
}

TEST_F(FanoutTest, OneKilledIsEnough) {
  Request& killed = merged("script|kill");
  error_child(killed, "-NOTBUSY no\r\n");
  child(killed, "+OK\r\n");
  failed_child(killed, Failure::timed_out);
  EXPECT_EQ(write(killed), "+OK\r\n");
  Request& none = merged("script|kill");
  error_child(none, "-NOTBUSY no\r\n");
  error_child(none, "-NOTBUSY no\r\n");
  EXPECT_EQ(write(none), "-NOTBUSY no\r\n");
  Request& refused = merged("script|kill");
  error_child(refused, "-NOTBUSY no\r\n");
  error_child(refused, "-UNKILLABLE it wrote\r\n");
  EXPECT_EQ(write(refused), "-UNKILLABLE it wrote\r\n");
  Request& down = merged("function|kill");
  failed_child(down, Failure::backend_down);
  error_child(down, "-NOTBUSY no\r\n");
  EXPECT_EQ(write(down), "-ERR backend is down\r\n");
}

TEST_F(FanoutTest, TheRunningFunctionIsShown) {
  const std::string idle = "*4\r\n$14\r\nrunning_script\r\n$-1\r\n$7\r\nengines\r\n*0\r\n";
  const std::string busy = "*4\r\n$14\r\nrunning_script\r\n*2\r\n$4\r\nname\r\n$1\r\nf\r\n$7\r\nengines\r\n*0\r\n";
  Request& one = merged("function|stats");
  child(one, idle);
  child(one, busy, true);
  EXPECT_EQ(write(one), busy);
  Request& none = merged("function|stats");
  child(none, idle);
  child(none, idle);
  EXPECT_EQ(write(none), idle);
}

TEST_F(FanoutTest, RandomKeysAreWeighed) {
  int big = 0;
  for (int i = 0; i < 2000; ++i) {
    Request& random = merged("randomkey");
    child(random, "$1\r\na\r\n");
    child(random, ":1\r\n");
    child(random, "$-1\r\n");
    child(random, ":0\r\n");
    child(random, "$1\r\nb\r\n");
    child(random, ":99\r\n");
    failed_child(random, Failure::backend_down);
    failed_child(random, Failure::backend_down);
    const std::string answer = write(random);
    ASSERT_TRUE(answer == "$1\r\na\r\n" || answer == "$1\r\nb\r\n") << answer;
    big += answer == "$1\r\nb\r\n" ? 1 : 0;
  }
  EXPECT_GT(big, 1900);
  EXPECT_LT(big, 2000);
  Request& empty = merged("randomkey");
  child(empty, "$-1\r\n");
  child(empty, ":0\r\n");
  EXPECT_EQ(write(empty), "$-1\r\n");
  Request& down = merged("randomkey");
  child(down, "$-1\r\n");
  child(down, ":0\r\n");
  failed_child(down, Failure::backend_down);
  failed_child(down, Failure::backend_down);
  EXPECT_EQ(write(down), "-ERR backend is down\r\n");
}

// A page of a scan: the node with tag 5, behind it the one with tag 9.
TEST_F(FanoutTest, ScanCursorsNameTheNode) {
  const auto page = [&](std::string_view reply, bool chained = false, uint32_t next = 9) {
    Request& scan = merged("scan");
    scan.key_hash = 5;
    scan.key_count = next;
    child(scan, reply, chained);
    return write(scan);
  };
  EXPECT_EQ(page("*2\r\n$1\r\n3\r\n*1\r\n$1\r\nk\r\n"), "*2\r\n$5\r\n98309\r\n*1\r\n$1\r\nk\r\n");
  EXPECT_EQ(page("*2\r\n$1\r\n3\r\n*1\r\n$1\r\nk\r\n", true), "*2\r\n$5\r\n98309\r\n*1\r\n$1\r\nk\r\n");
  EXPECT_EQ(page("*2\r\n$1\r\n0\r\n*0\r\n"), "*2\r\n$1\r\n9\r\n*0\r\n");
  EXPECT_EQ(page("*2\r\n$1\r\n0\r\n*0\r\n", false, 0), "*2\r\n$1\r\n0\r\n*0\r\n");
  EXPECT_EQ(page("*2\r\n$15\r\n281474976710656\r\n*0\r\n"),
            "-ERR a backend's SCAN cursor is too large for this proxy\r\n");
  for (const std::string_view strange : {"*2\r\n$-1\r\n*0\r\n", "*1\r\n$1\r\n0\r\n", "+OK\r\n",
                                         "*2\r\n$1\r\nx\r\n*0\r\n", "*2\r\n:0\r\n*0\r\n", "*2\r\n$0\r\n\r\n*0\r\n"}) {
    EXPECT_EQ(page(strange), kBadReply) << strange;
  }
}

}  // namespace
}  // namespace overlord::proxy
