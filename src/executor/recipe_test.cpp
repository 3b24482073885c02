#include "executor/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace overlord::executor {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr ServerVersion kV3{3, 2, 8};
constexpr ServerVersion kV4{4, 0, 11};
constexpr ServerVersion kV7{7, 0, 15};

model::NodeTask redis() {
  return {.id = "127.0.0.2:7000-a-1",
          .cluster = "a",
          .type = model::CacheType::redis,
          .version = "7.0.15",
          .host = "127.0.0.2",
          .port = 7000,
          .spec = {.cpu_milli = 1000, .memory_mib = 1024}};
}

model::NodeTask cluster_node() {
  auto task = redis();
  task.type = model::CacheType::redis_cluster;
  task.nodes_conf = "vars currentEpoch 0 lastVoteEpoch 0\n";
  return task;
}

model::NodeTask memcached() {
  auto task = redis();
  task.type = model::CacheType::memcache;
  task.version = "1.6.18";
  task.spec.cpu_milli = 2500;
  return task;
}

std::string conf(const model::NodeTask& task, const ServerVersion& version = kV7) {
  const auto recipe = recipe_of(task, "/work/7000", version, "");
  if (!recipe) return "error: " + recipe.error().message;
  return "\n" + recipe->files.at(0).text;
}

std::string command(const model::NodeTask& task, const std::string& user = "") {
  const auto recipe = recipe_of(task, "/work/7000", {1, 6, 18}, user);
  if (!recipe) return "error: " + recipe.error().message;
  std::string text;
  for (const std::string& each : recipe->arguments) text += each + " ";
  return text;
}

TEST(RedisConf, BindsToItsHostAndKeepsItsFilesInItsFolder) {
  const std::string text = conf(redis());
  EXPECT_THAT(text, HasSubstr("\nbind 127.0.0.2\n"));
  EXPECT_THAT(text, HasSubstr("\nbind-source-addr 127.0.0.2\n"));
  EXPECT_THAT(text, HasSubstr("\nport 7000\n"));
  EXPECT_THAT(text, HasSubstr("\ndir /work/7000\n"));
  EXPECT_THAT(text, HasSubstr("\npidfile /work/7000/redis.pid\n"));
  EXPECT_THAT(text, HasSubstr("\nlogfile /work/7000/redis.log\n"));
  EXPECT_THAT(text, HasSubstr("\nsave \"\"\n"));
  EXPECT_THAT(text, HasSubstr("\nappendonly no\n"));
  EXPECT_THAT(text, HasSubstr("\nmaxmemory-policy allkeys-lru\n"));
  EXPECT_THAT(text, Not(HasSubstr("cluster-enabled")));
}

TEST(RedisConf, APasswordIsAskedOfClientsAndOfReplicas) {
  auto task = redis();
  EXPECT_THAT(conf(task), HasSubstr("\nprotected-mode no\n"));
  task.password = "p w\"\\#";
  const std::string text = conf(task);
  EXPECT_THAT(text, HasSubstr("\nprotected-mode yes\n"));
  EXPECT_THAT(text, HasSubstr("\nrequirepass \"p w\\\"\\\\#\"\n"));
  EXPECT_THAT(text, HasSubstr("\nmasterauth \"p w\\\"\\\\#\"\n"));
}

TEST(RedisConf, OlderVersionsGetOnlyWhatTheyKnow) {
  const std::string old = conf(cluster_node(), kV3);
  for (const char* name :
       {"lazyfree", "always-show-logo", "cluster-announce", "bind-source-addr", "slave-lazy-flush"}) {
    EXPECT_THAT(old, Not(HasSubstr(name)));
  }
  EXPECT_THAT(old, HasSubstr("\ncluster-enabled yes\n"));
  const std::string four = conf(cluster_node(), kV4);
  EXPECT_THAT(four, HasSubstr("\ncluster-announce-ip 127.0.0.2\n"));
  EXPECT_THAT(four, HasSubstr("\nlazyfree-lazy-eviction yes\n"));
  EXPECT_THAT(four, Not(HasSubstr("bind-source-addr")));
  EXPECT_THAT(conf(redis(), {3, 0, 7}), HasSubstr("error: redis before 3.2"));
}

TEST(RedisConf, AClusterNodeAnnouncesItsAddressAndItsBus) {
  const std::string text = conf(cluster_node());
  EXPECT_THAT(text, HasSubstr("\ncluster-config-file nodes.conf\n"));
  EXPECT_THAT(text, HasSubstr("\ncluster-announce-port 7000\n"));
  EXPECT_THAT(text, HasSubstr("\ncluster-announce-bus-port 17000\n"));
  const auto recipe = recipe_of(cluster_node(), "/work/7000", kV7, "");
  ASSERT_TRUE(recipe);
  ASSERT_EQ(recipe->files.size(), 2);
  EXPECT_EQ(recipe->files[1].name, "nodes.conf");
  EXPECT_TRUE(recipe->files[1].keep);
  EXPECT_THAT(recipe->arguments, ElementsAre("/work/7000/redis.conf"));
  auto without = cluster_node();
  without.nodes_conf.clear();
  EXPECT_THAT(conf(without), HasSubstr("error: nodes_conf"));
}

TEST(RedisConf, MemoryHasHeadRoom) {
  EXPECT_THAT(conf(redis()), HasSubstr("\nmaxmemory " + std::to_string(768ULL << 20U) + "\n"));
  auto task = redis();
  task.settings["appendonly"] = "yes";
  EXPECT_THAT(conf(task), HasSubstr("\nmaxmemory " + std::to_string(616ULL << 20U) + "\n"));
  EXPECT_EQ(redis_head_room(20, false), 8);
  EXPECT_EQ(redis_head_room(10, false), 5);
  EXPECT_EQ(memcached_head_room(1024), 118);
  EXPECT_EQ(memcached_head_room(20), 10);
}

TEST(RedisConf, SettingsComeLastAndWin) {
  auto task = redis();
  task.settings = {{"maxmemory-policy", "volatile-lfu"},
                   {"notify-keyspace-events", ""},
                   {"save", "900 1 300 10"},
                   {"client-output-buffer-limit", "normal 0 0 0 pubsub 32mb 8mb 60"}};
  const std::string text = conf(task);
  EXPECT_GT(text.find("\nmaxmemory-policy volatile-lfu\n"), text.find("\nmaxmemory-policy allkeys-lru\n"));
  EXPECT_THAT(text, HasSubstr("\nnotify-keyspace-events \"\"\n"));
  EXPECT_THAT(text, HasSubstr("\nsave 900 1\nsave 300 10\n"));
  EXPECT_THAT(text,
              HasSubstr("\nclient-output-buffer-limit normal 0 0 0\nclient-output-buffer-limit pubsub 32mb 8mb 60\n"));
}

TEST(RedisConf, WhatThePlatformOwnsIsRefusedAllAtOnce) {
  auto task = redis();
  task.settings = {{"bind", "0.0.0.0"},       {"requirepass", ""},
                   {"dir", "/etc"},           {"maxmemory", "1gb"},
                   {"include", "/etc/x"},     {"loadmodule", "/x.so"},
                   {"rename-command", "A B"}, {"user", "default on"},
                   {"cluster-enabled", "no"}, {"enable-debug-command", "yes"},
                   {"replicaof", "a 1"},      {"appendfilename", "x"}};
  EXPECT_EQ(redis_setting_problems(task).size(), task.settings.size());
  for (const std::string& each : redis_setting_problems(task))
    EXPECT_THAT(each, HasSubstr("the platform sets this itself"));
  task.settings = {{"maxmemory-samples", "7"}, {"appendonly", "yes"}, {"appendfsync", "always"}, {"hz", "20"}};
  EXPECT_TRUE(redis_setting_problems(task).empty());
}

TEST(RedisConf, NoSettingBecomesAnotherLine) {
  auto task = redis();
  for (const auto& [name, value] : std::map<std::string, std::string>{{"hz", "10\nbind 0.0.0.0"},
                                                                      {"hz\nbind 0.0.0.0", "1"},
                                                                      {"hz 1", "2"},
                                                                      {"", "1"},
                                                                      {"save", "900"},
                                                                      {"timeout", "\"1\""}}) {
    task.settings = {{name, value}};
    EXPECT_EQ(redis_setting_problems(task).size(), 1) << name;
    EXPECT_THAT(conf(task), HasSubstr("error: settings"));
  }
  task.settings = {{"timeout", "1 \\x0abind"}};
  EXPECT_THAT(conf(task), HasSubstr("\ntimeout 1 \"\\\\x0abind\"\n"));
}

TEST(Memcached, CommandLineFollowsTheSpec) {
  EXPECT_EQ(command(memcached()), "-l 127.0.0.2 -p 7000 -U 0 -m 906 -c 16384 -t 3 ");
  auto small = memcached();
  small.spec = {.cpu_milli = 100, .memory_mib = 32};
  EXPECT_EQ(command(small, "root"), "-l 127.0.0.2 -p 7000 -U 0 -m 16 -c 1024 -t 1 -u root ");
}

TEST(Memcached, SettingsAreOptionsByTheirLongNames) {
  auto task = memcached();
  task.settings = {{"max-item-size", "4m"},
                   {"threads", "8"},
                   {"conn-limit", "2000"},
                   {"disable-evictions", "yes"},
                   {"disable-cas", "no"},
                   {"slab-growth-factor", "1.5"},
                   {"extended", "modern,idle_timeout=60"}};
  EXPECT_EQ(command(task), "-l 127.0.0.2 -p 7000 -U 0 -m 906 -c 2000 -t 8 -M -o modern,idle_timeout=60 -I 4m -f 1.5 ");
  const auto recipe = recipe_of(task, "/work/7000", {1, 6, 18}, "");
  ASSERT_TRUE(recipe);
  EXPECT_GT(recipe->descriptors, 2000U);
}

TEST(Memcached, OtherSettingsAndOtherValuesAreRefused) {
  auto task = memcached();
  for (const auto& [name, value] : std::map<std::string, std::string>{{"listen", "0.0.0.0"},
                                                                      {"enable-shutdown", "yes"},
                                                                      {"port", "1"},
                                                                      {"threads", "0"},
                                                                      {"max-item-size", "2g"},
                                                                      {"max-item-size", "-l"},
                                                                      {"disable-cas", "maybe"},
                                                                      {"slab-growth-factor", "inf"},
                                                                      {"extended", "ext_path=/etc/passwd:64m"},
                                                                      {"extended", "modern,"},
                                                                      {"extended", ""}}) {
    task.settings = {{name, value}};
    EXPECT_EQ(memcached_setting_problems(task).size(), 1) << name << " " << value;
  }
}

TEST(Memcached, APasswordIsInAFileAndNotOnTheCommandLine) {
  auto task = memcached();
  task.password = "secret";
  EXPECT_THAT(command(task), HasSubstr("-Y /work/7000/memcached.auth"));
  EXPECT_THAT(command(task), Not(HasSubstr("secret")));
  const auto recipe = recipe_of(task, "/work/7000", {1, 6, 18}, "");
  ASSERT_TRUE(recipe);
  EXPECT_EQ(recipe->files.at(0).text, "default:secret\n");
  const auto old = recipe_of(task, "/work/7000", {1, 4, 33}, "");
  ASSERT_FALSE(old);
  EXPECT_THAT(old.error().message, HasSubstr("knows no passwords"));
}

TEST(Recipe, NamesAllThatIsWrongWithATask) {
  model::NodeTask task;
  task.version = "../7";
  task.host = "localhost";
  task.password = "a\nb";
  const auto problems = problems_of(task);
  EXPECT_THAT(problems, Contains(HasSubstr("id:")));
  EXPECT_THAT(problems, Contains(HasSubstr("host:")));
  EXPECT_THAT(problems, Contains(HasSubstr("port:")));
  EXPECT_THAT(problems, Contains(HasSubstr("version:")));
  EXPECT_THAT(problems, Contains(HasSubstr("spec:")));
  EXPECT_THAT(problems, Contains(HasSubstr("password:")));
  auto high = cluster_node();
  high.port = 60000;
  EXPECT_THAT(problems_of(high), ElementsAre("port: must be 1 to 55535"));
  EXPECT_TRUE(problems_of(redis()).empty());
}

TEST(ServerVersions, AreReadAndCompared) {
  EXPECT_EQ(server_version("7.0.15"), kV7);
  EXPECT_EQ(server_version("7"), (ServerVersion{7, 0, 0}));
  for (const char* bad : {"", "7.", ".7", "7.0.15.1", "v7", "7.x", "99999999999.1"})
    EXPECT_FALSE(server_version(bad)) << bad;
  EXPECT_TRUE(satisfies("7.0.15", "7.0"));
  EXPECT_TRUE(satisfies("7.0.15", "7.0.15"));
  EXPECT_FALSE(satisfies("7.0.15", "7.0.1"));
  EXPECT_FALSE(satisfies("7.0.1", "7.0.15"));
  EXPECT_FALSE(satisfies("7.0.15", ""));
}

}  // namespace
}  // namespace overlord::executor
