#include "net/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace overlord::net {
namespace {

TEST(Address, NumericV4AndV6) {
  const auto v4 = numeric_address("127.0.0.1", 6379);
  ASSERT_TRUE(v4.has_value());
  EXPECT_EQ(v4->family(), AF_INET);
  EXPECT_EQ(to_string(*v4), "127.0.0.1:6379");
  const auto v6 = numeric_address("2001:db8::7", 11211);
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->family(), AF_INET6);
  EXPECT_EQ(to_string(*v6), "[2001:db8::7]:11211");
  EXPECT_EQ(to_string(*numeric_address("::1", 0)), "[::1]:0");
  EXPECT_EQ(to_string(*numeric_address("fe80::1%lo", 1)), "[fe80::1%lo]:1");
}

TEST(Address, RefusesWhatIsNotNumeric) {
  using namespace std::string_view_literals;
  for (const auto text : {""sv, "localhost"sv, "127.0.0.1."sv, "127.1"sv, "0x7f.0.0.1"sv, "1.2.3.256"sv, "[::1]"sv,
                          "::1%nosuchif"sv, "12345::"sv, " 127.0.0.1"sv, "127.0.0.1\0x"sv}) {
    EXPECT_FALSE(numeric_address(text, 1).has_value()) << text;
  }
}

TEST(Address, Unix) {
  const auto address = unix_address("/run/cache.sock");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->family(), AF_UNIX);
  EXPECT_EQ(to_string(*address), "unix:/run/cache.sock");
  EXPECT_TRUE(unix_address(std::string(107, 'a')).has_value());
  EXPECT_EQ(to_string(*unix_address(std::string(107, 'a'))), "unix:" + std::string(107, 'a'));
  const auto too_long = unix_address(std::string(108, 'a'));
  ASSERT_FALSE(too_long.has_value());
  EXPECT_THAT(too_long.error().message, testing::HasSubstr("at most 107"));
  EXPECT_FALSE(unix_address("").has_value());
  EXPECT_FALSE(unix_address(std::string_view("a\0b", 3)).has_value());
}

TEST(Address, Compares) {
  EXPECT_EQ(*numeric_address("10.0.0.1", 1), *numeric_address("10.0.0.1", 1));
  EXPECT_FALSE(*numeric_address("10.0.0.1", 1) == *numeric_address("10.0.0.1", 2));
  EXPECT_FALSE(*numeric_address("::1", 1) == *numeric_address("127.0.0.1", 1));
  EXPECT_FALSE(*unix_address("/a") == *unix_address("/b"));
}

TEST(Address, ResolvesNamesAndNumbers) {
  const auto numeric = resolve("::1", 5, false);
  ASSERT_TRUE(numeric.has_value());
  ASSERT_EQ(numeric->size(), 1u);
  EXPECT_EQ(to_string(numeric->front()), "[::1]:5");
  const auto name = resolve("localhost", 80, false);
  ASSERT_TRUE(name.has_value()) << name.error().message;
  EXPECT_EQ(to_string(name->front()), "127.0.0.1:80");
}

TEST(Address, AnEmptyHostMeansEveryLocalAddressWhenPassive) {
  const auto any = resolve("", 80, true);
  ASSERT_TRUE(any.has_value());
  EXPECT_EQ(to_string(any->front()), "0.0.0.0:80");
  EXPECT_FALSE(resolve("", 80, false).has_value());
}

TEST(Address, ResolveNamesWhatItCannotFind) {
  const auto missing = resolve("no-such-host.invalid", 80, false);
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().message, testing::HasSubstr("no-such-host.invalid"));
}

}  // namespace
}  // namespace overlord::net
