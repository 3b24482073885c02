#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "slowlog/ring.h"
#include "slowlog/store.h"

namespace overlord::slowlog {
namespace {

Entry entry_of(std::string_view cluster, std::string_view key) {
  Entry entry;
  entry.cluster.set(cluster);
  entry.key.set(key);
  entry.key_size = static_cast<uint32_t>(key.size());
  entry.command = "get";
  return entry;
}

TEST(SlowlogStore, NumbersEntriesAndShowsTheNewestFirst) {
  Store store;
  for (int i = 0; i < 5; ++i) store.add(entry_of(i % 2 == 0 ? "even" : "odd", std::to_string(i)));
  const auto even = store.latest("even", 2);
  ASSERT_EQ(even.size(), 2U);
  EXPECT_EQ(even[0].key.view(), "4");
  EXPECT_EQ(even[0].number, 5U);
  EXPECT_EQ(even[1].key.view(), "2");
  const auto all = store.latest(3);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1].key.view(), "3");
  EXPECT_TRUE(store.latest("none", 5).empty());
}

TEST(SlowlogStore, KeepsSoManyOfEachCluster) {
  Store store;
  store.add(entry_of("quiet", "kept"));
  for (size_t i = 0; i < Store::kKept + 10; ++i) store.add(entry_of("busy", std::to_string(i)));
  EXPECT_EQ(store.size("busy"), Store::kKept);
  EXPECT_EQ(store.latest("busy", 1)[0].key.view(), std::to_string(Store::kKept + 9));
  EXPECT_EQ(store.size("quiet"), 1U);
  store.reset("busy");
  EXPECT_EQ(store.size("busy"), 0U);
  EXPECT_EQ(store.size("quiet"), 1U);
}

TEST(SlowlogRing, HandsEverythingOverInOrderAndCountsWhatFindsItFull) {
  const auto ring = std::make_unique<Ring>();
  for (size_t i = 0; i < Ring::kEntries + 3; ++i) ring->push(entry_of("c", std::to_string(i)));
  EXPECT_EQ(ring->dropped(), 3U);
  size_t expected = 0;
  ring->drain([&](const Entry& entry) { EXPECT_EQ(entry.key.view(), std::to_string(expected++)); });
  EXPECT_EQ(expected, Ring::kEntries);
  ring->drain([&](const Entry&) { FAIL() << "it is empty"; });
}

TEST(SlowlogRing, OneThreadWritesWhileAnotherReads) {
  constexpr size_t kCount = 20'000;
  const auto ring = std::make_unique<Ring>();
  std::jthread writer([&] {
    for (size_t i = 0; i < kCount;) {
      const uint64_t before = ring->dropped();
      ring->push(entry_of("c", std::to_string(i)));
      if (ring->dropped() == before) ++i;
    }
  });
  size_t expected = 0;
  while (expected < kCount) {
    ring->drain([&](const Entry& entry) { ASSERT_EQ(entry.key.view(), std::to_string(expected++)); });
  }
}

TEST(SlowlogJson, ALineHasEveryFieldAndAnyBytes) {
  Entry entry = entry_of("main", "k\xff\n\"");
  entry.began_us = 1'700'000'000'000'042;
  entry.number = 7;
  entry.node.set("127.0.0.1:6379");
  entry.client.set("[::1]:5000");
  entry.stages = {.wait = 1'000, .queue = 2'000, .backend = 30'000, .write = 4'999};
  entry.error = "timed_out";
  const std::string line = json_line(entry);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto read = nlohmann::json::parse(line);
  EXPECT_EQ(read["time"], "2023-11-14T22:13:20.000042Z");
  EXPECT_EQ(read["key"], "k\xef\xbf\xbd\n\"");
  EXPECT_EQ(read["key_bytes"], 4);
  EXPECT_EQ(read["cmd"], "get");
  EXPECT_EQ(read["node"], "127.0.0.1:6379");
  EXPECT_EQ(read["total_us"], 37);
  EXPECT_EQ(read["backend_us"], 30);
  EXPECT_EQ(read["error"], "timed_out");
}

TEST(SlowlogJson, AHashedKeyIsNotShownAsAKey) {
  Entry entry = entry_of("main", "0123456789abcdef");
  entry.key_hashed = true;
  entry.key_size = 300;
  const auto read = nlohmann::json::parse(json_line(entry));
  EXPECT_FALSE(read.contains("key"));
  EXPECT_EQ(read["key_hash"], "0123456789abcdef");
  EXPECT_EQ(read["key_bytes"], 300);
  EXPECT_FALSE(read.contains("error"));
}

TEST(SlowlogText, CutsWhatIsTooLong) {
  const Text<4> text("abcdef");
  EXPECT_EQ(text.view(), "abcd");
}

}  // namespace
}  // namespace overlord::slowlog
