// Every record comes back as it was written, and nothing that is wrong comes back at all.

#include "model/json.h"

#include <gtest/gtest.h>

#include "model/cluster.h"
#include "model/host.h"
#include "model/job.h"
#include "model/people.h"
#include "model/task.h"

namespace overlord::model {
namespace {

Job a_job() {
  Job job;
  job.group = "sh001";
  job.number = 42;
  job.intent = {
      .kind = JobKind::scale, .cluster = "rc", .shards = 6, .nodes = {"a:1", "b:2"}, .settings = {{"x", "y"}}};
  job.state = JobState::waiting;
  job.reason = "no room: \"host\" \xff is full";
  job.steps = {
      {.kind = "launch", .what = "start a:1", .detail = R"({"node":1})", .state = StepState::done, .weight = 3},
      {.kind = "wait", .note = "soon", .began = 5}};
  job.cursor = 1;
  job.cancel = true;
  job.created = 1'700'000'000'000;
  return job;
}

template <typename Record>
void comes_back(const Record& record) {
  const std::string text = to_json(record);
  const auto back = from_json<Record>(text);
  ASSERT_TRUE(back) << back.error().message << " in " << text;
  EXPECT_EQ(to_json(*back), text);
}

TEST(Json, BringsEveryRecordBack) {
  Cluster cluster{
      .name = "rc", .type = CacheType::redis_cluster, .version = "7.0.15", .group = "g", .spec = {250, 512}};
  cluster.shards = 3;
  cluster.replicas = 1;
  cluster.front_port = 20001;
  cluster.password = "s3cret";
  cluster.settings = {{"maxmemory-policy", "allkeys-lru"}};
  cluster.proxy.ping_auto_eject = false;
  cluster.state = ClusterState::attention;
  comes_back(cluster);
  EXPECT_EQ(*from_json<Cluster>(to_json(cluster)), cluster);
  comes_back(Cluster{});
  const Node node{
      .alias = UINT64_MAX, .cluster = "rc", .host = "::1", .port = 65535, .role = Role::replica, .weight = 0};
  comes_back(node);
  EXPECT_EQ(*from_json<Node>(to_json(node)), node);
  comes_back(NodeState{.health = Health::lost, .task = "t", .since = -1, .restarts = 3});
  comes_back(Host{.name = "h", .labels = {{"zone", "a"}}, .capacity = {64000, 262144}, .ports = {{1, 2}, {3, 65535}}});
  comes_back(Version{.type = CacheType::memcache, .version = "1.6.18", .sha256 = "ab"});
  comes_back(User{.name = "root", .access = Access::admin});
  comes_back(Token{.user = "root", .ends = 9});
  comes_back(AuditRecord{.number = 7, .detail = "{}", .status = 404});
  comes_back(NodeTask{.id = "t", .port = 1, .settings = {{"a", "b"}}, .nodes_conf = "x\ny\n", .wipe = true});
  comes_back(a_job());
}

TEST(Json, SaysWhichFieldIsWrong) {
  const auto wrong = [](std::string_view text) {
    const auto read = from_json<Cluster>(text);
    return read ? std::string() : read.error().message;
  };
  EXPECT_EQ(wrong("{}"), "");
  EXPECT_EQ(wrong(R"({"unknown":[1,2,{"x":null}],"name":null})"), "");
  EXPECT_EQ(wrong("[]"), "not a JSON object");
  EXPECT_EQ(wrong(R"({"name":"a")"), "not a JSON object");
  EXPECT_EQ(wrong(R"({"name":1})"), "name: expected a string");
  EXPECT_EQ(wrong(R"({"type":"mysql"})"), "type: expected one of the known words");
  EXPECT_EQ(wrong(R"({"front_port":65536})"), "front_port: expected a whole number within its range");
  EXPECT_EQ(wrong(R"({"front_port":-1})"), "front_port: expected a whole number within its range");
  EXPECT_EQ(wrong(R"({"shards":1.5})"), "shards: expected a whole number within its range");
  EXPECT_EQ(wrong(R"({"spec":"big"})"), R"(spec: expected cores and memory, like "1c2g")");
  EXPECT_EQ(wrong(R"({"proxy":{"dial_timeout":"1"}})"), "proxy.dial_timeout: expected a whole number within its range");
  EXPECT_EQ(wrong(R"({"settings":{"a":1}})"), "settings.a: expected a string");
  const auto job = from_json<Job>(R"({"steps":[{},{"state":"lazy"}]})");
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().message, "steps[1].state: expected one of the known words");
}

TEST(Job, KnowsHowFarItIs) {
  Job job = a_job();
  EXPECT_EQ(job.id(), "sh001.00000000000000000042");
  EXPECT_EQ(job.percent(), 75U);
  job.steps[0].began = 1000;
  job.steps[0].ended = 4000;
  EXPECT_EQ(job.eta(10'000), 11'000);
  job.state = JobState::done;
  EXPECT_EQ(job.eta(10'000), 0);
}

}  // namespace
}  // namespace overlord::model
