#include "sketch/hot_keys.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "sketch/key_id.h"

namespace overlord::sketch {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// Keys drawn with a Zipf-like skew: key i about 1/(i+1) as often as key 0.
class Skewed {
 public:
  explicit Skewed(size_t keys) {
    std::vector<double> weights(keys);
    for (size_t i = 0; i < keys; ++i) weights[i] = 1.0 / static_cast<double>(i + 1);
    draw_ = std::discrete_distribution<size_t>(weights.begin(), weights.end());
  }
  std::string next() { return "key:" + std::to_string(draw_(random_)); }

 private:
  std::mt19937 random_{7};
  std::discrete_distribution<size_t> draw_;
};

TEST(HotKeys, NamesTheHottestOfManyInTheirOrder) {
  HotKeys sketch(42);
  sketch.housekeeping(kSecond);
  Skewed keys(100'000);
  constexpr int kRequests = 1'000'000;
  for (int i = 0; i < kRequests; ++i) sketch.touch(keys.next());
  const auto top = sketch.top(10, 6 * kSecond);
  ASSERT_EQ(top.size(), 10U);
  EXPECT_EQ(top[0].key, "key:0");
  EXPECT_EQ(top[1].key, "key:1");
  // The first of 100,000 such keys has a share of 8.27 percent: 16,500 a second over five seconds.
  EXPECT_NEAR(top[0].per_second, 16'500, 1'650);
  EXPECT_LE(top[0].surely, top[0].per_second);
  for (size_t i = 1; i < top.size(); ++i) EXPECT_LE(top[i].per_second, top[i - 1].per_second);
}

TEST(HotKeys, SaysNothingOfTrafficWithoutHotKeys) {
  HotKeys sketch(42);
  sketch.housekeeping(kSecond);
  for (int i = 0; i < 1'000'000; ++i) sketch.touch("key:" + std::to_string(i));
  EXPECT_TRUE(sketch.top(10, 2 * kSecond).empty());
}

TEST(HotKeys, FindsAKeyThatBecomesHotAfterManyOthers) {
  HotKeys sketch(1);
  sketch.housekeeping(kSecond);
  Skewed others(1'000);
  for (int i = 0; i < 2'000'000; ++i) sketch.touch(others.next());
  uint64_t now = kSecond;
  for (int second = 0; second < 60; ++second) {
    now += kSecond;
    sketch.housekeeping(now);
    for (int i = 0; i < 10'000; ++i) sketch.touch("new");
  }
  const auto top = sketch.top(1, now);
  ASSERT_EQ(top.size(), 1U);
  EXPECT_EQ(top[0].key, "new");
  EXPECT_NEAR(top[0].per_second, 10'000, 2'000);
}

TEST(HotKeys, ForgetsWhatIsAskedNoMore) {
  HotKeys sketch(1);
  sketch.housekeeping(kSecond);
  for (int i = 0; i < 100'000; ++i) sketch.touch("once");
  uint64_t now = kSecond;
  for (int i = 0; i < 20; ++i) sketch.housekeeping(now += HotKeys::kHalfLife);
  EXPECT_TRUE(sketch.top(10, now).empty());
}

TEST(HotKeys, APatternAsLongAsTheSamplingHidesNothing) {
  HotKeys sketch(99);
  sketch.housekeeping(kSecond);
  for (int i = 0; i < 1'000'000; ++i) sketch.touch("member:" + std::to_string(i % HotKeys::kSampleEvery));
  const auto top = sketch.top(100, 2 * kSecond);
  ASSERT_EQ(top.size(), HotKeys::kSampleEvery);
  for (const HotKey& key : top) EXPECT_NEAR(key.per_second, 15'625, 4'700) << key.key;
}

TEST(HotKeys, KeepsTheFrontOfALongKeyAndTellsLongKeysApart) {
  HotKeys sketch(5);
  sketch.housekeeping(kSecond);
  const std::string front(HotKeys::kKeyBytes, 'x');
  for (int i = 0; i < 10'000; ++i) {
    sketch.touch(front + "1");
    sketch.touch(front + "22");
  }
  const auto top = sketch.top(10, 2 * kSecond);
  ASSERT_EQ(top.size(), 2U);
  EXPECT_EQ(top[0].key, front);
  EXPECT_EQ(top[1].key, front);
  EXPECT_EQ(top[0].size + top[1].size, 2 * front.size() + 3);
}

TEST(HotKeys, SumsTheWorkers) {
  HotKeys first(5);
  HotKeys second(5);
  first.housekeeping(kSecond);
  second.housekeeping(kSecond);
  for (int i = 0; i < 50'000; ++i) {
    first.touch("shared");
    second.touch("shared");
    second.touch("own");
  }
  auto all = first.top(10, 2 * kSecond);
  for (const HotKey& key : second.top(10, 2 * kSecond)) all.push_back(key);
  const auto top = merged(all, 10);
  ASSERT_EQ(top.size(), 2U);
  EXPECT_EQ(top[0].key, "shared");
  EXPECT_NEAR(top[0].per_second, 100'000, 8'000);
}

TEST(KeyId, DependsOnEveryByteAndOnTheSecret) {
  const std::string key = "abcdefghijklmnopq";
  for (size_t i = 0; i < key.size(); ++i) {
    std::string other = key;
    other[i] ^= 1;
    EXPECT_NE(key_id(key, 3), key_id(other, 3)) << i;
  }
  EXPECT_NE(key_id(key, 3), key_id(key, 4));
  EXPECT_NE(key_id({"a\0", 2}, 3), key_id("a", 3));
}

}  // namespace
}  // namespace overlord::sketch
