#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

namespace overlord {
namespace {

size_t by_search(uint64_t ns) {
  size_t i = 0;
  while (i < kHistogramBounds.size() && ns > kHistogramBounds[i] * 1000) ++i;
  return i;
}

TEST(Histogram, BoundsAreInclusiveAndSorted) {
  for (size_t i = 0; i < kHistogramBounds.size(); ++i) {
    const uint64_t bound = kHistogramBounds[i] * 1000;
    EXPECT_EQ(Histogram::bucket_of(bound), i);
    EXPECT_EQ(Histogram::bucket_of(bound - 1), i);
    EXPECT_EQ(Histogram::bucket_of(bound + 1), i + 1);
    if (i > 0) {
      EXPECT_LT(kHistogramBounds[i - 1], kHistogramBounds[i]);
    }
  }
  EXPECT_EQ(Histogram::bucket_of(0), 0U);
  EXPECT_EQ(Histogram::bucket_of(std::numeric_limits<uint64_t>::max()), kHistogramBounds.size());
}

TEST(Histogram, TheQuickWayFindsWhatASearchFinds) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t ns = random() >> (random() % 64);
    ASSERT_EQ(Histogram::bucket_of(ns), by_search(ns)) << ns;
  }
}

// Dashboards and alerts made for the Go program ask for these by their bounds.
TEST(Histogram, HasTheBoundsOfTheGoProgram) {
  for (const uint64_t bound : {1000, 2000, 4000, 10000}) {
    EXPECT_NE(std::find(kHistogramBounds.begin(), kHistogramBounds.end(), bound), kHistogramBounds.end()) << bound;
  }
}

TEST(Histogram, CountsAndMerges) {
  Histogram a;
  Histogram b;
  a.add(1);
  a.add(50'000);
  a.add(50'001);
  b.add(10'000'000'000);
  HistogramCounts sum = a.counts();
  EXPECT_EQ(sum.buckets[0], 2U);
  EXPECT_EQ(sum.buckets[1], 1U);
  EXPECT_EQ(sum.sum_ns, 100'002U);
  sum.merge(b.counts());
  EXPECT_EQ(sum.buckets.back(), 1U);
  EXPECT_EQ(sum.count(), 4U);
  EXPECT_EQ(sum.sum_ns, 10'000'100'002U);
}

}  // namespace
}  // namespace overlord
