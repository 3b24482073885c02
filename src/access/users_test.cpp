#include "access/users.h"

#include <gtest/gtest.h>

namespace overlord::access {
namespace {

constexpr std::string_view kSecretDigest =
    "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";  // "secret"

User user(const std::string& line) {
  auto parsed = parse_user(line);
  EXPECT_TRUE(parsed.has_value()) << line;
  return parsed ? *parsed : User("");
}

TEST(User, StartsWithNothing) {
  const User nobody("x");
  EXPECT_FALSE(nobody.on());
  EXPECT_TRUE(nobody.needs_password());
  EXPECT_FALSE(nobody.password_is(""));
  EXPECT_FALSE(nobody.may_run(*redis::find_command("get")));
  EXPECT_FALSE(nobody.may_use_key("k", kRead));
}

TEST(User, AnyOfItsPasswordsIsRight) {
  const User app = user("app on " + std::string(kSecretDigest) + " >other");
  EXPECT_TRUE(app.password_is("secret"));
  EXPECT_TRUE(app.password_is("other"));
  EXPECT_FALSE(app.password_is("secre"));
  EXPECT_FALSE(app.password_is(std::string(kLongestPassword + 1, 'x')));
}

TEST(User, TheLastRuleThatFitsDecides) {
  const User app = user("app on nopass +@all -@write +set -config +config|get");
  EXPECT_TRUE(app.may_run(*redis::find_command("get")));
  EXPECT_TRUE(app.may_run(*redis::find_command("set")));
  EXPECT_FALSE(app.may_run(*redis::find_command("del")));
  const redis::Command& config = *redis::find_command("config");
  EXPECT_TRUE(app.may_run(*redis::find_subcommand(config, "get")));
  EXPECT_FALSE(app.may_run(*redis::find_subcommand(config, "set")));
  EXPECT_TRUE(app.may_run("module.read", redis::kAclRead));
  EXPECT_FALSE(app.may_run("module.write", redis::kAclWrite));
}

TEST(User, OnePatternMustGiveAllRights) {
  const User app = user("app on nopass %R~a* %W~a* ~b[12] +@all");
  EXPECT_TRUE(app.may_use_key("a1", kRead));
  EXPECT_TRUE(app.may_use_key("a1", kWrite));
  EXPECT_FALSE(app.may_use_key("a1", kRead | kWrite));
  EXPECT_TRUE(app.may_use_key("b1", kRead | kWrite));
  EXPECT_FALSE(app.may_use_key("B1", kRead));
}

TEST(User, UnrestrictedOnlyWithoutAnyLimit) {
  EXPECT_TRUE(user("a on nopass ~* &* +@all").unrestricted());
  EXPECT_FALSE(user("a on nopass ~* +@all").unrestricted());
  EXPECT_FALSE(user("a on nopass ~x* &* +@all").unrestricted());
  EXPECT_FALSE(user("a on nopass ~* &* +@all -get").unrestricted());
}

TEST(User, DescribesItselfSoThatItCanBeReadBack) {
  const std::string line =
      "user app on " + std::string(kSecretDigest) + " ~a:* %R~b:* resetchannels &n:* -@all +@read -get";
  EXPECT_EQ(user(line).describe(), line);
  EXPECT_EQ(user(user(line).describe()).describe(), line);
}

TEST(Users, WhoANewClientIs) {
  EXPECT_NE(Users().anonymous(), nullptr);
  EXPECT_EQ(Users({}, "secret").anonymous(), nullptr);
  EXPECT_EQ(Users({user("app on nopass +@all")}, "").anonymous(), nullptr);
  const Users with_default({user("app on nopass"), user("default on nopass ~* +get")}, "");
  ASSERT_NE(with_default.anonymous(), nullptr);
  EXPECT_FALSE(with_default.anonymous()->unrestricted());
  EXPECT_EQ(with_default.all()[0].name(), "default");
}

TEST(Users, OnlyOneThatIsOnComesIn) {
  const Users users({user("app on >a"), user("gone off >a")}, "d");
  EXPECT_NE(users.authenticate("app", "a"), nullptr);
  EXPECT_NE(users.authenticate("default", "d"), nullptr);
  EXPECT_EQ(users.authenticate("app", "d"), nullptr);
  EXPECT_EQ(users.authenticate("gone", "a"), nullptr);
  EXPECT_EQ(users.authenticate("nobody", "a"), nullptr);
}

TEST(ParseUser, NeverRepeatsAPassword) {
  const auto bad = parse_user("app on #abc");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message.find("abc"), std::string::npos);
}

}  // namespace
}  // namespace overlord::access
