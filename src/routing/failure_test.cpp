#include "routing/failure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace overlord::routing {
namespace {

// The line ends in its one CRLF and holds no other control character.
void expect_one_line(std::string_view line) {
  ASSERT_TRUE(line.ends_with("\r\n")) << line;
  const std::string_view text = line.substr(0, line.size() - 2);
  EXPECT_FALSE(text.empty());
  EXPECT_TRUE(std::none_of(text.begin(), text.end(), [](char c) { return c < ' ' || c == 0x7f; })) << line;
}

TEST(Failure, EveryOneHasANameAndBothLines) {
  std::set<std::string_view> names, redis, memcache;
  for (int i = 1; i < kFailureCount; ++i) {
    const auto failure = static_cast<Failure>(i);
    const std::string_view name = failure_name(failure);
    SCOPED_TRACE(name);
    EXPECT_FALSE(name.empty());
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos);
    expect_one_line(redis_error_line(failure));
    expect_one_line(memcache_error_line(failure));
    EXPECT_TRUE(redis_error_line(failure).starts_with("-"));
    EXPECT_TRUE(memcache_error_line(failure).starts_with("SERVER_ERROR "));
    names.insert(name);
    redis.insert(redis_error_line(failure));
    memcache.insert(memcache_error_line(failure));
  }
  // No two alike: a metric or a client could not tell them apart.
  EXPECT_EQ(names.size(), kFailureCount - 1u);
  EXPECT_EQ(redis.size(), kFailureCount - 1u);
  EXPECT_EQ(memcache.size(), kFailureCount - 1u);
}

TEST(Failure, NoneHasNoLine) {
  EXPECT_EQ(failure_name(Failure::none), "none");
  EXPECT_EQ(redis_error_line(Failure::none), "");
  EXPECT_EQ(memcache_error_line(Failure::none), "");
}

TEST(Failure, TheCountFitsTheLastOne) { EXPECT_EQ(static_cast<int>(Failure::redirect_loop), kFailureCount - 1); }

TEST(Failure, CrossNodeIsWhatClustersAnswer) {
  EXPECT_TRUE(redis_error_line(Failure::cross_node).starts_with("-CROSSSLOT "));
}

}  // namespace
}  // namespace overlord::routing
