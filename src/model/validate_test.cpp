#include "model/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace overlord::model {
namespace {

using testing::UnorderedElementsAre;

Cluster good() {
  Cluster cluster{.name = "rc", .type = CacheType::redis_cluster, .version = "7.0.15", .group = "sh001"};
  cluster.spec = {250, 512};
  cluster.shards = 6;
  cluster.replicas = 1;
  cluster.settings = {{"maxmemory-policy", "allkeys-lru"}};
  return cluster;
}

std::vector<std::string> fields(const Cluster& cluster) {
  std::vector<std::string> out;
  for (const Problem& problem : problems_of(cluster)) out.push_back(problem.field);
  return out;
}

TEST(Validate, FindsNothingWhereAllIsWell) { EXPECT_TRUE(problems_of(good()).empty()); }

TEST(Validate, FindsEverythingAtOnce) {
  Cluster bad = good();
  bad.name = "a/b";
  bad.version = "latest";
  bad.group = "";
  bad.spec = {0, 1};
  bad.shards = 1025;
  bad.replicas = 3;
  bad.password = "a\nb";
  bad.settings = {{"dir\nx", "y"}, {"save", "a\r\nrequirepass b"}};
  bad.proxy.read_timeout = 0;
  bad.proxy.node_connections = 0;
  EXPECT_THAT(fields(bad),
              UnorderedElementsAre("name", "version", "group", "spec", "spec", "shards", "replicas", "password",
                                   "settings", "settings.save", "proxy.read_timeout", "proxy.node_connections"));
}

TEST(Validate, KnowsWhatTheTypesNeed) {
  Cluster few = good();
  few.shards = 2;
  EXPECT_THAT(fields(few), UnorderedElementsAre("shards"));
  few.type = CacheType::redis;
  EXPECT_THAT(fields(few), UnorderedElementsAre("replicas"));
  few.replicas = 0;
  EXPECT_TRUE(fields(few).empty());
}

}  // namespace
}  // namespace overlord::model
