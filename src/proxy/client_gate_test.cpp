#include "proxy/client_gate.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace overlord::proxy {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

TEST(ClientCount, LetsInAsManyAsTheLimitSays) {
  ClientCount count;
  EXPECT_TRUE(count.enter(2));
  EXPECT_TRUE(count.enter(2));
  EXPECT_FALSE(count.enter(2));
  EXPECT_TRUE(count.enter(0));
  EXPECT_EQ(count.get(), 3U);
  count.leave();
  count.leave();
  EXPECT_TRUE(count.enter(2));
}

TEST(ClientCount, IsExactWithManyThreads) {
  ClientCount count;
  constexpr uint32_t kLimit = 1000;
  std::atomic<uint32_t> let_in{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) let_in += count.enter(kLimit) ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(let_in, kLimit);
  EXPECT_EQ(count.get(), kLimit);
}

TEST(AcceptRate, SpreadsThemOverTheSecond) {
  AcceptRate rate;
  uint64_t now = 5 * kSecond;
  uint32_t taken = 0;
  for (const uint64_t end = now + 10 * kSecond; now < end;) {
    const uint64_t wait = rate.wait(now, 100);
    now += wait;
    if (wait > 0) continue;
    rate.count(now, 100);
    ++taken;
  }
  EXPECT_GE(taken, 1000U);
  EXPECT_LE(taken, 1000U + 10U);  // and what a tenth of a second allows at once
}

TEST(AcceptRate, OneASecondIsOneASecond) {
  AcceptRate rate;
  EXPECT_EQ(rate.wait(7 * kSecond, 1), 0U);
  rate.count(7 * kSecond, 1);
  EXPECT_EQ(rate.wait(7 * kSecond, 1), kSecond);
  EXPECT_EQ(rate.wait(8 * kSecond, 1), 0U);
  rate.count(20 * kSecond, 1);  // a pause saves nothing up
  EXPECT_EQ(rate.wait(20 * kSecond, 1), kSecond);
}

TEST(AcceptRate, NoLimitTakesAll) {
  AcceptRate rate;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(rate.wait(1, 0), 0U);
    rate.count(1, 0);
  }
}

}  // namespace
}  // namespace overlord::proxy
