#include "proxy/memory_budget.h"

#include <gtest/gtest.h>

namespace overlord::proxy {
namespace {

using Action = MemoryBudget::Action;
constexpr uint64_t kStart = 1'000'000'000;

TEST(MemoryBudget, PausesAboveTheLimitAndResumesSomeBelowIt) {
  MemoryBudget budget(800);
  EXPECT_EQ(budget.look(800, kStart), Action::none);
  EXPECT_EQ(budget.look(801, kStart), Action::pause);
  EXPECT_TRUE(budget.is_short());
  EXPECT_EQ(budget.look(801, kStart), Action::none);
  EXPECT_EQ(budget.look(750, kStart), Action::none);
  EXPECT_TRUE(budget.is_short());
  EXPECT_EQ(budget.look(700, kStart), Action::resume);
  EXPECT_FALSE(budget.is_short());
  EXPECT_EQ(budget.look(0, kStart), Action::none);
}

TEST(MemoryBudget, ClosesWhenPausingDoesNotHelp) {
  MemoryBudget budget(800);
  EXPECT_EQ(budget.look(900, kStart), Action::pause);
  EXPECT_EQ(budget.look(900, kStart + MemoryBudget::kPatience - 1), Action::none);
  const uint64_t closed = kStart + MemoryBudget::kPatience;
  EXPECT_EQ(budget.look(900, closed), Action::close);
  EXPECT_EQ(budget.look(900, closed + 1), Action::none);
  EXPECT_EQ(budget.look(900, closed + MemoryBudget::kBetweenCloses), Action::close);
  // Just below the limit is not enough to read on, so it must not stay there.
  EXPECT_EQ(budget.look(790, closed + 2 * MemoryBudget::kBetweenCloses), Action::close);
  EXPECT_EQ(budget.look(700, closed + 2 * MemoryBudget::kBetweenCloses), Action::resume);
}

TEST(MemoryBudget, DoesNotWaitWhileMemoryGrowsAllTheSame) {
  MemoryBudget budget(800);
  EXPECT_EQ(budget.look(900, kStart), Action::pause);
  EXPECT_EQ(budget.look(1001, kStart + 1), Action::close);
  EXPECT_EQ(budget.look(1001, kStart + 2), Action::none);
  EXPECT_EQ(budget.look(1001, kStart + 1 + MemoryBudget::kBetweenCloses), Action::close);
}

}  // namespace
}  // namespace overlord::proxy
