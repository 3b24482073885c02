#include "store/keys.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

namespace overlord::store::keys {
namespace {

TEST(Keys, AreThoseOfTheDocumentation) {
  std::ifstream in(std::string(OVERLORD_SOURCE_DIR) + "/docs/store.md");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  ASSERT_FALSE(text.empty());
  const auto documented = [&](std::string key, std::initializer_list<std::pair<std::string, std::string>> parts = {}) {
    for (const auto& [part, shown] : parts) key.replace(key.find(part), part.size(), shown);
    EXPECT_NE(text.find("| `" + key), std::string::npos) << key;
  };
  documented(std::string(kFramework) + "`");
  documented(std::string(kFileServer) + "`");
  documented(std::string(kPortSequence) + "`");
  for (const std::string_view prefix : {kAppids, kAudit, kClusters, kHeartbeats, kHosts, kInstances, kJobs, kLeaders,
                                        kProxies, kSequences, kSpecs, kTokens, kUsers, kVersions}) {
    EXPECT_TRUE(prefix.starts_with(kRoot));
    documented(std::string(prefix) + "<");
  }
  const std::string seven = "00000000000000000007";
  documented(job("G", 7), {{"G", "<group>"}, {seven, "<number>"}});
  documented(cluster_info("N"), {{"N", "<name>"}});
  documented(cluster_front_port("N"), {{"N", "<name>"}});
  documented(cluster_appid("N", "A"), {{"N", "<name>"}, {"A", "<appid>"}});
  documented(cluster_instance("N", 7), {{"N", "<name>"}, {seven, "<alias>"}});
  documented(instance("I"), {{"I", "<ip:port>"}});
  documented(instance_state("I"), {{"I", "<ip:port>"}});
}

TEST(Keys, HoldNamesApart) {
  for (const char* good : {"a", "main.account", "10.0.0.1:31000", "[::1]:7", "redis_cluster-1", "..."}) {
    EXPECT_TRUE(valid_part(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("a/b"), std::string("."), std::string(".."), std::string("a b"),
        std::string("\xc3\xa9"), std::string(1, '\0'), std::string(129, 'a')}) {
    EXPECT_FALSE(valid_part(bad)) << bad;
  }
  // "a" and "ab" are different clusters.
  EXPECT_FALSE(cluster_info("ab").starts_with(cluster("a")));
}

TEST(Keys, OrderAsTheirNumbers) {
  EXPECT_LT(job("g", 9), job("g", 10));
  EXPECT_EQ(ordered(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(ordered(26), "00000000000000000026");
}

}  // namespace
}  // namespace overlord::store::keys
