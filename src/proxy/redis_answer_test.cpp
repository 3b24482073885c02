#include "proxy/redis_answer.h"

#include "proxy/answer_fixture.h"

namespace overlord::proxy {
namespace {

constexpr std::string_view kBadReply = "-ERR backend sent a malformed reply\r\n";

class RedisAnswerTest : public AnswerTest {
 protected:
  std::string write(Request& request) {
    ChunkQueue out;
    write_redis_answer(request, pool_, out);
    return text_of(out, request);
  }

  // An MGET whose key i went to child map[i].
  Request& mget(const std::vector<uint16_t>& map) {
    Request& request = parent(Answer::mget);
    request.key_count = static_cast<uint32_t>(map.size());
    request.key_map = buffers_.take(map.size() * sizeof(uint16_t));
    std::memcpy(request.key_map.data, map.data(), map.size() * sizeof(uint16_t));
    return request;
  }
  Request& part(Request& of, uint32_t keys, std::string_view reply, bool chained = false) {
    Request& r = child(of, reply, chained);
    r.key_count = keys;
    return r;
  }

  static std::string bulk(std::string_view text) {
    return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
  }
};

TEST_F(RedisAnswerTest, OneReplyAsItIs) {
  Request& slice = parent(Answer::reply);
  give_reply(slice, "+PONG\r\n");
  EXPECT_EQ(write(slice), "+PONG\r\n");

  Request& chained = parent(Answer::reply);
  const std::string large = bulk(std::string(100000, 'v'));
  give_reply(chained, large, true);
  EXPECT_EQ(write(chained), large);
}

TEST_F(RedisAnswerTest, OnlyChildIsForwarded) {
  Request& whole = parent(Answer::forward_child);
  child(whole, "*1\r\n$1\r\na\r\n", true);
  EXPECT_EQ(write(whole), "*1\r\n$1\r\na\r\n");

  Request& refused = parent(Answer::forward_child);
  error_child(refused, "-WRONGTYPE of value\r\n");
  EXPECT_EQ(write(refused), "-WRONGTYPE of value\r\n");

  Request& failed = parent(Answer::forward_child);
  failed_child(failed, Failure::timed_out);
  EXPECT_EQ(write(failed), "-ERR backend timed out\r\n");
}

TEST_F(RedisAnswerTest, MgetIsInTheOrderOfTheKeys) {
  for (const bool chained : {false, true}) {
    // Keys a b c a nil, the first child having a, c, a and the second b and the missing one.
    Request& request = mget({0, 1, 0, 0, 1});
    part(request, 3, "*3\r\n" + bulk("A") + bulk("") + bulk("A"), chained);
    part(request, 2, "*2\r\n" + bulk("B\r\n*9\r\n") + "$-1\r\n", chained);
    EXPECT_EQ(write(request), "*5\r\n" + bulk("A") + bulk("B\r\n*9\r\n") + bulk("") + bulk("A") + "$-1\r\n");
  }
}

TEST_F(RedisAnswerTest, MgetElementsNeedNotBeBulks) {
  const std::string odd[] = {
      ":12\r\n", "+simple\r\n",       "_\r\n", "*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", "-ERR of this key\r\n", ",1.5\r\n",
      "*-1\r\n", "%1\r\n+k\r\n*0\r\n"};
  for (const std::string& element : odd) {
    Request& request = mget({0, 1, 0, 1});
    part(request, 2, "*2\r\n" + element + bulk("after"));
    part(request, 2, "*2\r\n" + bulk("before") + element);
    EXPECT_EQ(write(request), "*4\r\n" + element + bulk("before") + bulk("after") + element);
  }
}

TEST_F(RedisAnswerTest, MgetOverManyBackends) {
  for (const int children : {63, 64, 65, 300}) {
    // Every child twice, the second time from behind.
    std::vector<uint16_t> map;
    for (int i = 0; i < children; ++i) map.push_back(static_cast<uint16_t>(i));
    for (int i = children; i-- > 0;) map.push_back(static_cast<uint16_t>(i));
    Request& request = mget(map);
    std::string expected = "*" + std::to_string(map.size()) + "\r\n";
    for (int i = 0; i < children; ++i) {
      part(request, 2, "*2\r\n" + bulk("first" + std::to_string(i)) + bulk("second" + std::to_string(i)));
      expected += bulk("first" + std::to_string(i));
    }
    for (int i = children; i-- > 0;) expected += bulk("second" + std::to_string(i));
    EXPECT_EQ(write(request), expected) << children;
  }
}

TEST_F(RedisAnswerTest, MgetWithLargeValues) {
  const std::string large(3 * kChunkSize, 'L');
  Request& request = mget({1, 0, 1});
  part(request, 1, "*1\r\n" + bulk("small"));
  part(request, 2, "*2\r\n" + bulk(large) + bulk(large + "x"), true);
  EXPECT_EQ(write(request), "*3\r\n" + bulk(large) + bulk("small") + bulk(large + "x"));
}

TEST_F(RedisAnswerTest, MgetPartsThatDoNotFitAreABadReply) {
  const std::string_view bad[] = {
      "*1\r\n$1\r\nx\r\n",                        // too few
      "*3\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\nz\r\n",  // too many
      "*-1\r\n",
      "*0\r\n",
      "$1\r\nx\r\n",  // not an array
      "+OK\r\n",
      "_\r\n",
      "~2\r\n$1\r\nx\r\n$1\r\ny\r\n",
  };
  for (const std::string_view reply : bad) {
    for (const bool first : {true, false}) {
      Request& request = mget({0, 1, 1, 0});
      part(request, 2, first ? reply : "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
      part(request, 2, first ? "*2\r\n$1\r\na\r\n$1\r\nb\r\n" : reply);
      EXPECT_EQ(write(request), kBadReply) << reply;
    }
  }
}

TEST_F(RedisAnswerTest, FirstErrorInTheOrderOfTheChildrenWins) {
  for (const Answer answer : {Answer::mget, Answer::mset, Answer::sum, Answer::all_ok}) {
    Request& request = parent(answer);
    child(request, "+OK\r\n");
    error_child(request, "-OOM first\r\n");
    failed_child(request, Failure::connection_lost);
    EXPECT_EQ(write(request), "-OOM first\r\n");

    Request& other = parent(answer);
    child(other, "+OK\r\n");
    failed_child(other, Failure::no_backend);
    error_child(other, "-OOM second\r\n");
    EXPECT_EQ(write(other), "-ERR no backend is available\r\n");
  }
}

TEST_F(RedisAnswerTest, EveryFailureOfAChildHasItsLine) {
  for (int i = 1; i < routing::kFailureCount; ++i) {
    Request& request = parent(Answer::sum);
    child(request, ":1\r\n");
    failed_child(request, static_cast<Failure>(i));
    EXPECT_EQ(write(request), routing::redis_error_line(static_cast<Failure>(i)));
  }
}

TEST_F(RedisAnswerTest, OkWhenAllAre) {
  for (const Answer answer : {Answer::mset, Answer::all_ok}) {
    Request& request = parent(answer);
    child(request, "+OK\r\n");
    child(request, "+OK\r\n", true);
    EXPECT_EQ(write(request), "+OK\r\n");
  }
}

TEST_F(RedisAnswerTest, Sums) {
  Request& request = parent(Answer::sum);
  child(request, ":2\r\n");
  child(request, ":0\r\n");
  child(request, ":1234567890123\r\n", true);
  EXPECT_EQ(write(request), ":1234567890125\r\n");

  Request& negative = parent(Answer::sum);
  child(negative, ":-5\r\n");
  child(negative, ":2\r\n");
  EXPECT_EQ(write(negative), ":-3\r\n");
}

TEST_F(RedisAnswerTest, PartsThatAreNoIntegersAreABadReply) {
  for (const std::string_view reply :
       {"+OK\r\n", "$1\r\n1\r\n", ":\r\n", ":x\r\n", ":1x\r\n", ":9223372036854775808\r\n", "*0\r\n"}) {
    Request& request = parent(Answer::sum);
    child(request, ":1\r\n");
    child(request, reply);
    EXPECT_EQ(write(request), kBadReply) << reply;
  }
}

TEST_F(RedisAnswerTest, ASumThatOverflowsIsABadReply) {
  Request& high = parent(Answer::sum);
  child(high, ":9223372036854775807\r\n");
  child(high, ":1\r\n");
  EXPECT_EQ(write(high), kBadReply);

  Request& low = parent(Answer::sum);
  child(low, ":-9223372036854775808\r\n");
  child(low, ":-1\r\n");
  EXPECT_EQ(write(low), kBadReply);

  Request& edge = parent(Answer::sum);
  child(edge, ":9223372036854775807\r\n");
  child(edge, ":0\r\n");
  EXPECT_EQ(write(edge), ":9223372036854775807\r\n");
}

}  // namespace
}  // namespace overlord::proxy
