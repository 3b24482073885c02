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

TEST(ScriptCache, ShrinksToANewSize) {
  ScriptCache cache(1 << 20);
  const std::string texts[] = {std::string(1000, 'a'), std::string(1000, 'b')};
  for (const std::string& text : texts) cache.put(script_sha(text), text);
  const uint64_t before = cache.generation();
  cache.set_max_bytes(2000);  // one fits with what is kept beside it
  std::string found;
  EXPECT_FALSE(cache.find(script_sha(texts[0]), found));
  EXPECT_TRUE(cache.find(script_sha(texts[1]), found));
  EXPECT_NE(cache.generation(), before);
  cache.set_max_bytes(0);
  EXPECT_FALSE(cache.enabled());
  EXPECT_TRUE(cache.empty());
}

}  // namespace
}  // namespace overlord::proxy
