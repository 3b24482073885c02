#include "hashing/hash_tag.h"

#include <gtest/gtest.h>

namespace overlord::hashing {
namespace {

TEST(HashTag, FromConfigTheEmptyTextKeepsItsOldMeaning) {
  const HashTag overlord = HashTag::from_config("", Compat::overlord);
  EXPECT_TRUE(overlord.on());
  EXPECT_EQ(overlord.trim("a{b}c"), "b");
  const HashTag twemproxy = HashTag::from_config("", Compat::twemproxy);
  EXPECT_FALSE(twemproxy.on());
  EXPECT_EQ(twemproxy.trim("a{b}c"), "a{b}c");
}

TEST(HashTag, FromConfigNoneIsOffInBoth) {
  for (const Compat compat : {Compat::overlord, Compat::twemproxy}) {
    EXPECT_FALSE(HashTag::from_config("none", compat).on());
    EXPECT_EQ(HashTag::from_config("none", compat).trim("nXo}n{none}"), "nXo}n{none}");
  }
}

TEST(HashTag, FromConfigTwoBytesAreATag) {
  for (const Compat compat : {Compat::overlord, Compat::twemproxy}) {
    EXPECT_EQ(HashTag::from_config("<>", compat).trim("a<b>c"), "b");
    EXPECT_EQ(HashTag::from_config("$$", compat).trim("a$b$c"), "b");
    EXPECT_FALSE(HashTag::from_config("{", compat).on());
    EXPECT_FALSE(HashTag::from_config("{}}", compat).on());
  }
}

TEST(HashTag, NothingBetween) {
  EXPECT_EQ(HashTag("{}", Compat::overlord).trim("a{}b"), "");
  EXPECT_EQ(HashTag("{}", Compat::twemproxy).trim("a{}b"), "a{}b");
  // Only the first pair counts, here as in Redis Cluster.
  EXPECT_EQ(HashTag("{}", Compat::twemproxy).trim("a{}{b}"), "a{}{b}");
}

TEST(HashTag, BytesOfAnyValue) {
  using namespace std::string_view_literals;
  EXPECT_EQ(HashTag("\xff\0"sv, Compat::overlord).trim("a\xff\x80\0c"sv), "\x80");
  EXPECT_EQ(HashTag("{}", Compat::overlord).trim({}), "");
}

}  // namespace
}  // namespace overlord::hashing
