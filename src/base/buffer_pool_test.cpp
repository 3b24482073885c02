#include "base/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace overlord {
namespace {

constexpr size_t kLargestPooled = 64 * 1024;

class BufferPoolTest : public testing::Test {
 protected:
  // Takes `count` buffers at once and gives them all back.
  void burst(size_t count, size_t size) {
    std::vector<Buffer> buffers(count);
    for (Buffer& buffer : buffers) buffer = pool_.take(size);
    for (Buffer& buffer : buffers) pool_.give(buffer);
  }

  BufferPool pool_;
};

TEST_F(BufferPoolTest, CapacityIsTheNextPowerOfTwo) {
  const std::pair<size_t, uint64_t> cases[] = {
      {0, 64},      {1, 64},      {63, 64},        {64, 64},           {65, 128},
      {128, 128},   {129, 256},   {1000, 1024},    {32 * 1024, 32768}, {32 * 1024 + 1, 65536},
      {4096, 4096}, {4097, 8192}, {65536, 65536u},
  };
  for (const auto& [asked, capacity] : cases) {
    Buffer buffer = pool_.take(asked);
    EXPECT_EQ(buffer.capacity, capacity) << asked;
    std::memset(buffer.data, 0x5a, buffer.capacity);
    pool_.give(buffer);
    EXPECT_FALSE(buffer);
    EXPECT_EQ(buffer.capacity, 0u);
  }
}

TEST_F(BufferPoolTest, GivenBuffersAreUsedAgainWithinTheirClass) {
  Buffer first = pool_.take(100);
  char* const memory = first.data;
  pool_.give(first);
  EXPECT_EQ(pool_.free_bytes(), 128u);

  Buffer smaller = pool_.take(64);
  EXPECT_NE(smaller.data, memory);
  EXPECT_EQ(pool_.free_bytes(), 128u);
  Buffer same = pool_.take(65);
  EXPECT_EQ(same.data, memory);
  EXPECT_EQ(pool_.free_bytes(), 0u);
  pool_.give(smaller);
  pool_.give(same);
  EXPECT_EQ(pool_.free_bytes(), 64u + 128u);
}

TEST_F(BufferPoolTest, LargeBuffersAreNotKept) {
  Buffer large = pool_.take(kLargestPooled + 1);
  EXPECT_EQ(large.capacity, kLargestPooled + 4096);
  std::memset(large.data, 1, large.capacity);
  pool_.give(large);
  EXPECT_EQ(pool_.free_bytes(), 0u);
  EXPECT_FALSE(large);
}

TEST_F(BufferPoolTest, GivingNothingIsNothing) {
  Buffer none;
  pool_.give(none);
  EXPECT_EQ(pool_.free_bytes(), 0u);
}

TEST_F(BufferPoolTest, GrowKeepsTheUsedBytes) {
  std::string expected;
  Buffer buffer;
  // Through every class and into the sizes that come from the heap.
  for (size_t used = 0; used < 3 * kLargestPooled; used += 97) {
    pool_.grow(buffer, expected.size(), used + 97);
    ASSERT_GE(buffer.capacity, used + 97);
    for (size_t i = used; i < used + 97; ++i) {
      const char c = static_cast<char>(i * 131 % 251);
      expected.push_back(c);
      buffer.data[i] = c;
    }
    ASSERT_EQ(std::memcmp(buffer.data, expected.data(), expected.size()), 0) << used;
  }
  pool_.give(buffer);
}

TEST_F(BufferPoolTest, GrowLeavesALargeEnoughBufferAlone) {
  Buffer buffer = pool_.take(64);
  char* const memory = buffer.data;
  pool_.grow(buffer, 10, 64);
  EXPECT_EQ(buffer.data, memory);
  EXPECT_EQ(buffer.capacity, 64u);
  // At least doubles, so that growing by small steps stays cheap.
  pool_.grow(buffer, 10, 65);
  EXPECT_EQ(buffer.capacity, 128u);
  EXPECT_EQ(pool_.free_bytes(), 64u);
  pool_.give(buffer);
}

TEST_F(BufferPoolTest, TrimKeepsTwiceWhatWasNeededSinceTheLastOne) {
  constexpr size_t kSize = 64 * 1024;
  burst(64, kSize);
  pool_.trim();  // all 64 were out at once meanwhile
  EXPECT_EQ(pool_.free_bytes(), 64 * kSize);

  burst(20, kSize);
  pool_.trim();
  EXPECT_EQ(pool_.free_bytes(), 40 * kSize);
}

TEST_F(BufferPoolTest, TrimOfAnIdlePoolEndsAtWhatIsAlwaysKept) {
  constexpr size_t kAlwaysKept = 256 * 1024;
  burst(64, 64 * 1024);
  burst(8192, 64);
  pool_.trim();
  size_t before = pool_.free_bytes();
  EXPECT_EQ(before, 64u * 64 * 1024 + 8192u * 64);
  for (int i = 0; i < 40; ++i) {
    pool_.trim();
    EXPECT_LE(pool_.free_bytes(), before);
    before = pool_.free_bytes();
  }
  EXPECT_EQ(before, 2 * kAlwaysKept);
}

TEST_F(BufferPoolTest, TrimLeavesSmallClassesAlone) {
  burst(100, 64);
  for (int i = 0; i < 10; ++i) pool_.trim();
  EXPECT_EQ(pool_.free_bytes(), 6400u);
}

TEST(BufferPool, CountsWhatLargeBuffersTake) {
  BufferPool pool;
  Buffer small = pool.take(64 * 1024);
  EXPECT_EQ(pool.large_bytes(), 0U);
  Buffer large = pool.take(100'000);
  EXPECT_EQ(pool.large_bytes(), large.capacity);
  pool.grow(large, 100'000, 300'000);
  EXPECT_EQ(pool.large_bytes(), large.capacity);
  EXPECT_GE(large.capacity, 300'000U);
  pool.give(large);
  pool.give(small);
  EXPECT_EQ(pool.large_bytes(), 0U);
  EXPECT_GE(pool.take_large_peak(), 400'000U);  // both, while the one was copied into the other
  EXPECT_EQ(pool.take_large_peak(), 0U);
}

}  // namespace
}  // namespace overlord
