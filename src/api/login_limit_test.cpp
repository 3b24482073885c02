#include "api/login_limit.h"

#include <gtest/gtest.h>

namespace overlord::api {
namespace {

using std::chrono::seconds;

TEST(LoginLimit, FiveFailuresOfANameAreEnough) {
  LoginLimit limit;
  const LoginLimit::Time start{};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(limit.wait("eve", "10.0.0.1", start + seconds(i)), seconds(0)) << i;
    limit.failed("eve", "10.0.0.1", start + seconds(i));
  }
  EXPECT_EQ(limit.wait("eve", "10.0.0.1", start + seconds(10)), seconds(50));
  EXPECT_EQ(limit.wait("eve", "10.0.0.1", start + seconds(60)), seconds(0));
  EXPECT_EQ(limit.wait("bob", "10.0.0.1", start + seconds(10)), seconds(0));
  EXPECT_EQ(limit.wait("eve", "10.0.0.2", start + seconds(10)), seconds(0)) << "nobody locks others out";
}

TEST(LoginLimit, OneAddressMayNotTryManyNames) {
  LoginLimit limit;
  const LoginLimit::Time start{};
  for (int i = 0; i < 20; ++i) limit.failed("u" + std::to_string(i), "10.0.0.1", start);
  EXPECT_EQ(limit.wait("fresh", "10.0.0.1", start + seconds(1)), seconds(59));
  EXPECT_EQ(limit.wait("fresh", "10.0.0.2", start + seconds(1)), seconds(0));
}

TEST(LoginLimit, RemembersABoundedNumber) {
  LoginLimit limit;
  const LoginLimit::Time start{};
  for (int i = 0; i < 5; ++i) limit.failed("last", "10.9.9.9", start + seconds(30));
  for (size_t i = 0; i < 2 * LoginLimit::kMost; ++i) {
    limit.failed("u", std::to_string(i), start);
  }
  // The oldest went first.
  EXPECT_GT(limit.wait("last", "10.9.9.9", start + seconds(31)), seconds(0));
}

}  // namespace
}  // namespace overlord::api
