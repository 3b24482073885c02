#include "net/gather.h"

#include <gtest/gtest.h>

namespace overlord::net {
namespace {

constexpr uint64_t kTurn = 20'000;

// Runs turns of 20 us; inputs_after_rest and inputs_otherwise are what each brings. Returns how many rests there were.
int rests(int turns, uint64_t inputs_after_rest, uint64_t inputs_otherwise) {
  Gather gather;
  uint64_t now = 1'000'000'000;
  int count = 0;
  for (int i = 0; i < turns; ++i) {
    const bool rested = gather.should_rest();
    count += rested ? 1 : 0;
    now += rested ? Gather::kRestNs + kTurn : kTurn;
    gather.observe(rested ? inputs_after_rest : inputs_otherwise, now);
  }
  return count;
}

TEST(Gather, NeverRestsAtALowRate) { EXPECT_EQ(rests(10'000, 1, 1), 0); }

TEST(Gather, RestsWhileManyInputsComeTogether) { EXPECT_GT(rests(10'000, 12, 4), 9'000); }

TEST(Gather, StopsRestingWhenRestsBringLittle) { EXPECT_LT(rests(10'000, 1, 4), 200); }

TEST(Gather, StartsAgainWhenTheLoadChanges) {
  Gather gather;
  uint64_t now = 1'000'000'000;
  for (int i = 0; i < 5'000; ++i) {  // a single fast client: high rate, useless rests
    const bool rested = gather.should_rest();
    gather.observe(rested ? 1 : 4, now += kTurn);
  }
  int late = 0;
  for (int i = 0; i < 5'000; ++i) {
    const bool rested = gather.should_rest();
    gather.observe(12, now += rested ? 3 * kTurn : kTurn);
    if (i >= 2'500) late += rested ? 1 : 0;
  }
  EXPECT_GT(late, 2'000);
}

}  // namespace
}  // namespace overlord::net
