#include "sketch/big_keys.h"

#include <gtest/gtest.h>

#include <string>

namespace overlord::sketch {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

void note(BigKeys& keys, const std::string& key, uint64_t bytes, uint64_t now = kSecond) {
  if (keys.wants(bytes)) keys.note(key, key.size(), bytes, now);
}

TEST(BigKeys, KeepsTheLargestOfMany) {
  BigKeys keys(1);
  for (uint64_t i = 0; i < 10'000; ++i) note(keys, "key:" + std::to_string(i), 5'000 + (i * 7919) % 10'000);
  const auto top = keys.top(100);
  ASSERT_EQ(top.size(), BigKeys::kEntries);
  for (size_t i = 0; i < top.size(); ++i) EXPECT_EQ(top[i].bytes, 14'999 - i);
}

TEST(BigKeys, SmallValuesAreNotBig) {
  BigKeys keys(1);
  note(keys, "small", BigKeys::kSmallest);
  EXPECT_TRUE(keys.top(10).empty());
}

TEST(BigKeys, AKeyHasTheSizeThatWasSeenLast) {
  BigKeys keys(1);
  note(keys, "a", 100'000);
  note(keys, "b", 50'000);
  note(keys, "a", 20'000, 2 * kSecond);
  const auto top = keys.top(10);
  ASSERT_EQ(top.size(), 2U);
  EXPECT_EQ(top[0].key, "b");
  EXPECT_EQ(top[1].bytes, 20'000U);
  EXPECT_EQ(top[1].seen_at, 2 * kSecond);
}

TEST(BigKeys, AFullTableWantsOnlyWhatIsLargerThanItsLeast) {
  BigKeys keys(1);
  for (uint64_t i = 0; i < BigKeys::kEntries; ++i) note(keys, "key:" + std::to_string(i), 10'000 + i);
  EXPECT_FALSE(keys.wants(10'000));
  EXPECT_TRUE(keys.wants(10'001));
  note(keys, "new", 20'000);
  EXPECT_FALSE(keys.wants(10'001));
  EXPECT_EQ(keys.top(1)[0].key, "new");
}

TEST(BigKeys, ForgetsWhatIsNotSeenAnyMore) {
  BigKeys keys(1);
  for (uint64_t i = 0; i < BigKeys::kEntries; ++i) note(keys, "key:" + std::to_string(i), 10'000 + i);
  note(keys, "key:3", 10'003, 2 * kSecond);  // not above the least, but above what a table with room wants
  note(keys, "late", 30'000, 2 * kSecond);
  keys.housekeeping(kSecond + BigKeys::kForget);
  const auto top = keys.top(10);
  ASSERT_EQ(top.size(), 2U);
  EXPECT_EQ(top[0].key, "late");
  EXPECT_TRUE(keys.wants(BigKeys::kSmallest + 1));
}

TEST(BigKeys, OfSeveralWorkersTheLatestCounts) {
  BigKeys first(1);
  BigKeys second(1);
  note(first, "a", 100'000, kSecond);
  note(second, "a", 30'000, 2 * kSecond);
  note(second, "b", 40'000, kSecond);
  auto all = first.top(10);
  for (const BigKey& key : second.top(10)) all.push_back(key);
  const auto top = merged(all, 10);
  ASSERT_EQ(top.size(), 2U);
  EXPECT_EQ(top[0].key, "b");
  EXPECT_EQ(top[1].bytes, 30'000U);
}

}  // namespace
}  // namespace overlord::sketch
