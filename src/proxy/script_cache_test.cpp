#include "proxy/script_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace overlord::proxy {
namespace {

std::string text_of(const ScriptSha& sha) { return {sha.data(), sha.size()}; }

TEST(ScriptSha, IsWhatTheServerCallsAScript) {
  EXPECT_EQ(text_of(script_sha("return 1")), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
  EXPECT_EQ(text_of(script_sha("")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST(ScriptCache, FindsWhatWasPut) {
  ScriptCache cache(100'000);
  std::string text = "before";
  EXPECT_TRUE(cache.enabled());
  EXPECT_TRUE(cache.empty());
  EXPECT_FALSE(cache.find(script_sha("a"), text));
  EXPECT_EQ(text, "before");
  cache.put(script_sha("a"), "a");
  cache.put(script_sha("b"), "b");
  cache.put(script_sha("a"), "a");
  EXPECT_TRUE(cache.find(script_sha("a"), text));
  EXPECT_EQ(text, "a");
  const uint64_t generation = cache.generation();
  cache.clear();
  EXPECT_NE(cache.generation(), generation);
  EXPECT_TRUE(cache.empty());
  EXPECT_FALSE(cache.find(script_sha("a"), text));
}

TEST(ScriptCache, DropsWhatWasUsedLongestAgo) {
  ScriptCache cache(10'000);
  const auto put = [&](char name) { cache.put(script_sha(std::string(2000, name)), std::string(2000, name)); };
  const auto has = [&](char name) {
    std::string text;
    return cache.find(script_sha(std::string(2000, name)), text) && text == std::string(2000, name);
  };
  for (const char name : {'a', 'b', 'c', 'd'}) put(name);
  EXPECT_TRUE(has('a'));
  const uint64_t generation = cache.generation();
  put('e');
  EXPECT_NE(cache.generation(), generation);
  EXPECT_TRUE(has('a'));
  EXPECT_FALSE(has('b'));
  EXPECT_TRUE(has('c') && has('d') && has('e'));
}

TEST(ScriptCache, KeepsNoScriptThatWouldFillIt) {
  ScriptCache cache(10'000);
  cache.put(script_sha(std::string(2501, 'x')), std::string(2501, 'x'));
  EXPECT_TRUE(cache.empty());
  ScriptCache none(0);
  EXPECT_FALSE(none.enabled());
  none.put(script_sha("a"), "a");
  EXPECT_TRUE(none.empty());
}

TEST(ScriptCaches, AreOnePerCluster) {
  config::ClusterConfig a;
  config::ClusterConfig b;
  b.script_cache_size = 0;
  ScriptCaches caches;
  EXPECT_EQ(&caches.of(a), &caches.of(a));
  EXPECT_NE(&caches.of(a), &caches.of(b));
  EXPECT_TRUE(caches.of(a).enabled());
  EXPECT_FALSE(caches.of(b).enabled());
}

}  // namespace
}  // namespace overlord::proxy
