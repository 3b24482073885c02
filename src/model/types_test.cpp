#include "model/types.h"

#include <gtest/gtest.h>

namespace overlord::model {
namespace {

TEST(Spec, IsReadAsItIsWritten) {
  for (const auto& [text, cpu, memory] : std::initializer_list<std::tuple<const char*, uint32_t, uint32_t>>{
           {"1c2g", 1000, 2048}, {"0.25c512m", 250, 512}, {"0.001c1m", 1, 1}, {"16c1025m", 16000, 1025}}) {
    const auto read = spec(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(read->cpu_milli, cpu);
    EXPECT_EQ(read->memory_mib, memory);
    EXPECT_EQ(to_string(*read), text);
  }
  EXPECT_EQ(spec("1.50c0.5g"), (Spec{1500, 512}));
}

TEST(Spec, IsNothingElse) {
  for (const char* text : {"", "c", "1c", "1c2", "c2g", "1c2G", "1c2gb", "0c2g", "1c0g", "-1c2g", "1c-2g", "1.c2g",
                           "1.2345c2g", "1c2g ", " 1c2g", "1e3c2g", "9999999c1g", "1c999999g999g", "1,5c2g"}) {
    EXPECT_EQ(spec(text), std::nullopt) << text;
  }
  EXPECT_FALSE(spec("1c999999999g"));  // more MiB than a number holds
}

TEST(Address, IsTakenApartAndPutTogether) {
  EXPECT_EQ(address_of("10.0.0.1", 31000), "10.0.0.1:31000");
  EXPECT_EQ(address_of("::1", 6379), "[::1]:6379");
  for (const char* text : {"10.0.0.1:31000", "[::1]:6379"}) {
    const auto parts = host_port(text);
    ASSERT_TRUE(parts) << text;
    EXPECT_EQ(address_of(parts->host, parts->port), text);
  }
  for (const char* text : {"", ":1", "a:", "a:0", "a:65536", "a:1x", "::1:6379", "a", "[]:1"}) {
    EXPECT_FALSE(host_port(text)) << text;
  }
}

TEST(Names, AreCheckedAtTheDoor) {
  for (const char* name : {"a", "rc_1", "my-cache.v2", "9"}) EXPECT_TRUE(valid_name(name)) << name;
  for (const char* name : {"", "-a", "_a", ".a", "a/b", "a b", "ä", "a\n"}) EXPECT_FALSE(valid_name(name)) << name;
  EXPECT_TRUE(valid_name(std::string(64, 'a')));
  EXPECT_FALSE(valid_name(std::string(65, 'a')));
  EXPECT_TRUE(valid_appid("main.account"));
  EXPECT_TRUE(valid_appid("main.account.web-2"));
  for (const char* appid : {"", "main", ".a", "a.", "a..b", "a.b/c"}) EXPECT_FALSE(valid_appid(appid)) << appid;
}

TEST(Moment, IsShownInUtc) {
  EXPECT_EQ(to_text(0), "");
  EXPECT_EQ(to_text(1'700'000'000'123), "2023-11-14T22:13:20.123Z");
  EXPECT_GT(now(), 1'700'000'000'000);
}

}  // namespace
}  // namespace overlord::model
