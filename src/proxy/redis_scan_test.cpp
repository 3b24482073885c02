#include "proxy/redis_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

namespace overlord::proxy {
namespace {

std::vector<uint32_t> tags_of(const std::vector<std::string>& names) {
  return scan_tags(std::vector<std::string_view>(names.begin(), names.end()));
}

std::vector<std::string> many_names(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i)
    names.push_back("cluster/10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256));
  return names;
}

TEST(ScanCursor, PacksAndUnpacks) {
  for (const uint32_t tag : {1u, 2u, 28672u, 32767u}) {
    for (const uint64_t node : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 38, ScanCursor::kMaxNodeCursor}) {
      const uint64_t packed = ScanCursor{tag, node}.packed();
      EXPECT_NE(packed, 0u);
      EXPECT_LT(packed, uint64_t{1} << 63);
      EXPECT_EQ(ScanCursor::unpack(packed).tag, tag);
      EXPECT_EQ(ScanCursor::unpack(packed).node, node);
    }
  }
  EXPECT_EQ((ScanCursor{0, 0}.packed()), 0u);
  EXPECT_LT((ScanCursor{32767, (uint64_t{1} << 38) - 1}.packed()), uint64_t{1} << 53);
}

TEST(ScanCursor, IsReadAsTheServerReadsIt) {
  uint64_t value = 1;
  for (const auto& [text, wanted] :
       std::initializer_list<std::pair<std::string_view, uint64_t>>{{"0", 0},
                                                                    {"", 0},
                                                                    {"00", 0},
                                                                    {"17", 17},
                                                                    {"+17", 17},
                                                                    {"-1", UINT64_MAX},
                                                                    {"18446744073709551615", UINT64_MAX}}) {
    EXPECT_TRUE(parse_cursor(text, value)) << text;
    EXPECT_EQ(value, wanted) << text;
  }
  for (const std::string_view text :
       {"x", " 1", "1 ", "1x", "0x1", "+", "-", "--1", "+-1", "18446744073709551616", "1.0"}) {
    EXPECT_FALSE(parse_cursor(text, value)) << text;
  }
}

TEST(ScanTags, DifferAndDoNotDependOnTheOrder) {
  for (const size_t count : {1u, 3u, 100u, 3000u}) {
    std::vector<std::string> names = many_names(count);
    const std::vector<uint32_t> tags = tags_of(names);
    EXPECT_EQ(std::set<uint32_t>(tags.begin(), tags.end()).size(), count);
    EXPECT_GE(*std::ranges::min_element(tags), 1u);
    EXPECT_LE(*std::ranges::max_element(tags), ScanCursor::kMaxTag);
    std::vector<size_t> order(count);
    for (size_t i = 0; i < count; ++i) order[i] = i;
    std::ranges::shuffle(order, std::minstd_rand(7));
    std::vector<std::string> shuffled;
    for (const size_t i : order) shuffled.push_back(names[i]);
    const std::vector<uint32_t> again = tags_of(shuffled);
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(again[i], tags[order[i]]);
  }
}

// 3000 names collide; those that do get the next tags that are free.
TEST(ScanTags, RarelyChangeWhenANodeLeaves) {
  const std::vector<std::string> names = many_names(3000);
  const std::vector<uint32_t> before = tags_of(names);
  std::vector<std::string> fewer(names.begin() + 1, names.end());
  const std::vector<uint32_t> after = tags_of(fewer);
  size_t changed = 0;
  for (size_t i = 0; i < after.size(); ++i) changed += after[i] != before[i + 1] ? 1 : 0;
  EXPECT_LE(changed, 3u);
}

}  // namespace
}  // namespace overlord::proxy
