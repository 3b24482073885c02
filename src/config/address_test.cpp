#include "config/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace overlord::config {
namespace {

struct Case {
  const char* text;
  const char* proto;
  const char* expected;  // as to_string says it; starts with "!": part of the error
};

TEST(ListenAddress, TakesEveryForm) {
  const Case cases[] = {
      {"127.0.0.1:6379", "tcp", "127.0.0.1:6379"},
      {":6379", "tcp", "0.0.0.0:6379"},
      {"6379", "tcp", "0.0.0.0:6379"},
      {"*:6379", "tcp", "0.0.0.0:6379"},
      {"[::]:6379", "tcp", "[::]:6379"},
      {"[0:0::0:1]:6379", "tcp", "[::1]:6379"},
      {"[fe80::1%eth0]:6379", "tcp", "[fe80::1%eth0]:6379"},
      {"localhost:0", "tcp", "localhost:0"},
      {"unix:/run/a.sock", "tcp", "unix:/run/a.sock"},
      {"unix:/run/a.sock", "unix", "unix:/run/a.sock"},
      {"/run/a.sock", "unix", "unix:/run/a.sock"},
      {"a:b.sock", "unix", "unix:a:b.sock"},
      {"", "tcp", "!the address is empty"},
      {"", "unix", "!the path of the unix socket is missing"},
      {"localhost", "tcp", "!the :port is missing"},
      {"::1:6379", "tcp", "!an IPv6 address stands in [ ]"},
      {"[::1]6379", "tcp", "!the :port after ] is missing"},
      {"[::1]", "tcp", "!the :port after ] is missing"},
      {"[]:1", "tcp", "!not an IPv6 address"},
      {"[::1%]:1", "tcp", "!not an IPv6 address"},
      {"[::1", "tcp", "!the ] after the IPv6 address is missing"},
      {"1.2.3:1", "tcp", "!\"1.2.3\" is not an IPv4 address"},
      {"a:65536", "tcp", "!the port must be a number from 0 to 65535"},
      {"a:", "tcp", "!the port must be a number"},
      {"a:-1", "tcp", "!the port must be a number"},
      {"a:1x", "tcp", "!the port must be a number"},
      {"99999999999", "tcp", "!the port must be a number"},
      {"a b:1", "tcp", "!no host name has"},
  };
  for (const Case& c : cases) {
    const auto address = parse_listen_address(c.text, c.proto);
    if (c.expected[0] == '!') {
      ASSERT_FALSE(address.has_value()) << c.text;
      EXPECT_THAT(address.error().message, testing::HasSubstr(c.expected + 1)) << c.text;
    } else {
      ASSERT_TRUE(address.has_value()) << c.text << ": " << address.error().message;
      EXPECT_EQ(to_string(*address), c.expected);
    }
  }
}

TEST(BackendAddress, NeedsAPortOrAPath) {
  EXPECT_EQ(to_string(parse_backend_address("cache_1.local:1").value()), "cache_1.local:1");
  EXPECT_EQ(to_string(parse_backend_address("/tmp/a:b.sock").value()), "unix:/tmp/a:b.sock");
  EXPECT_EQ(to_string(parse_backend_address("unix:/tmp/a.sock").value()), "unix:/tmp/a.sock");
  EXPECT_FALSE(parse_backend_address("unix:a.sock").has_value());
  EXPECT_FALSE(parse_backend_address("a:0").has_value());
  EXPECT_FALSE(parse_backend_address(":1").has_value());
  EXPECT_FALSE(parse_backend_address("6379").has_value());
  EXPECT_FALSE(parse_backend_address(std::string(254, 'a') + ":1").has_value());
}

TEST(UnixAddress, IsBoundedByTheKernelsLimit) {
  const std::string longest = "/" + std::string(106, 'a');
  EXPECT_TRUE(parse_listen_address(longest, "unix").has_value());
  EXPECT_FALSE(parse_listen_address(longest + "a", "unix").has_value());
  EXPECT_FALSE(parse_listen_address(std::string_view("/a\0b", 4), "unix").has_value());
}

TEST(Address, TextReadsBackAsTheSame) {
  for (const char* text : {"[::1]:6379", "10.0.0.1:1", "name:65535", "unix:/x"}) {
    const auto address = parse_backend_address(text);
    ASSERT_TRUE(address.has_value());
    EXPECT_EQ(*parse_backend_address(to_string(*address)), *address);
  }
}

}  // namespace
}  // namespace overlord::config
