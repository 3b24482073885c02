#include "access/command_policy.h"

#include <gtest/gtest.h>

namespace overlord::access {
namespace {

const redis::Command& command(std::string_view name) {
  const size_t bar = name.find('|');
  const redis::Command* const found = redis::find_command(name.substr(0, bar));
  return bar == std::string_view::npos ? *found : *redis::find_subcommand(*found, name.substr(bar + 1));
}

bool allows(const CommandPolicy& policy, std::string_view name) { return policy.refusal(command(name)).empty(); }

TEST(CommandPolicy, RestrictsNothingUnlessTold) {
  const CommandPolicy policy;
  EXPECT_FALSE(policy.restricts());
  for (const redis::Command& each : redis::all_commands()) EXPECT_TRUE(allows(policy, each.name));
}

TEST(CommandPolicy, DeniesByName) {
  CommandPolicy policy;
  policy.deny("keys");
  policy.deny("script");
  policy.deny("client|list");
  EXPECT_TRUE(policy.restricts());
  EXPECT_EQ(policy.refusal(command("keys")), "NOPERM the 'keys' command is denied by the proxy's configuration");
  for (const std::string_view name : {"keys", "script", "script|load", "client|list"})
    EXPECT_FALSE(allows(policy, name)) << name;
  for (const std::string_view name : {"get", "set", "client|id", "client", "scan"})
    EXPECT_TRUE(allows(policy, name)) << name;
}

TEST(CommandPolicy, ReadOnlyRefusesWhatWrites) {
  CommandPolicy policy;
  policy.set_read_only(true);
  EXPECT_TRUE(policy.restricts());
  EXPECT_TRUE(policy.refusal(command("set")).starts_with("READONLY "));
  for (const std::string_view name :
       {"set", "del", "mset", "expire", "flushall", "getex", "sort", "eval", "evalsha", "fcall", "function|load"}) {
    EXPECT_FALSE(allows(policy, name)) << name;
  }
  for (const std::string_view name : {"get", "mget", "scan", "keys", "sort_ro", "eval_ro", "evalsha_ro", "fcall_ro",
                                      "script|load", "ping", "hello"}) {
    EXPECT_TRUE(allows(policy, name)) << name;
  }
}

}  // namespace
}  // namespace overlord::access
