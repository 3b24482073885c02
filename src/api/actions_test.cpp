// What is done with clusters, nodes, jobs and hosts that are there.
#include <nlohmann/json.hpp>

#include "api/api_fixture.h"
#include "api/proxy_config.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;
using testing::ElementsAre;
using testing::HasSubstr;

using ActionsTest = ApiTest;

TEST_F(ActionsTest, AClusterHasOneJobAtATime) {
  const std::string first = create("one");
  const auto early = ask("POST", "/clusters/one/restart");
  EXPECT_EQ(early.status, 409);
  EXPECT_EQ(early.code(), "busy");
  EXPECT_THAT(early.message(), HasSubstr(first));
  EXPECT_EQ(ask("DELETE", "/clusters/one").status, 409) << "its creation must be cancelled first";
  finish("one", first);
  const auto restart = ask("POST", "/clusters/one/restart");
  ASSERT_EQ(restart.status, 200) << restart.text;
  EXPECT_EQ(ask("POST", "/clusters/one/scale", R"({"number":5})").code(), "busy");
  // A job that is over and was left in the record is no obstacle.
  const std::string id = restart.body["id"];
  auto job = record<model::Job>(job_key(id));
  job.state = model::JobState::failed;
  put(job_key(id), to_json(job));
  EXPECT_EQ(ask("POST", "/clusters/one/scale", R"({"number":5})").status, 200);
}

TEST_F(ActionsTest, EachJobSaysWhatIsWanted) {
  make("rd", "", 31000);
  const auto intent = [&](const Said& said) {
    EXPECT_EQ(said.status, 200) << said.text;
    const std::string id = said.body.value("id", "local.00000000000000000001");
    const auto job = record<model::Job>(job_key(id));
    auto done = job;
    done.state = model::JobState::done;
    put(job_key(id), to_json(done));
    EXPECT_EQ(job.intent.cluster, "rd");
    return job.intent;
  };
  EXPECT_EQ(intent(ask("POST", "/clusters/rd/scale", R"({"number":6})")).shards, 6U);
  EXPECT_EQ(intent(ask("PATCH", "/clusters/rd/instances", R"({"name":"rd","number":7})")).kind, model::JobKind::scale);
  EXPECT_EQ(intent(ask("POST", "/clusters/rd/resize", R"({"memory":512})")).memory_mib, 512U);
  EXPECT_EQ(intent(ask("POST", "/clusters/rd/upgrade", R"({"version":"6.2.0"})")).version, "6.2.0");
  EXPECT_EQ(intent(ask("POST", "/clusters/rd/rebalance")).kind, model::JobKind::rebalance);
  EXPECT_THAT(intent(ask("POST", "/clusters/rd/replace", R"({"nodes":["10.0.0.1:31000"]})")).nodes,
              ElementsAre("10.0.0.1:31000"));
  EXPECT_THAT(intent(ask("POST", "/clusters/rd/instance/10.0.0.2:31000/restart")).nodes, ElementsAre("10.0.0.2:31000"));
  EXPECT_THAT(intent(ask("POST", "/clusters/rd/recover", R"({"hosts":["10.0.0.3"]})")).hosts, ElementsAre("10.0.0.3"));
  EXPECT_EQ(intent(ask("POST", "/clusters/rd/configure", R"({"settings":{"maxmemory-policy":"noeviction"}})"))
                .settings.at("maxmemory-policy"),
            "noeviction");
}

TEST_F(ActionsTest, WhatCannotBeWantedIsRefused) {
  make("rd");
  EXPECT_EQ(ask("POST", "/clusters/rd/scale", R"({"number":4})").code(), "invalid") << "it has as many";
  EXPECT_EQ(ask("POST", "/clusters/rd/scale", R"({"number":2})").code(), "invalid");
  EXPECT_EQ(ask("POST", "/clusters/rd/scale", R"({"number":5000})").code(), "invalid");
  EXPECT_EQ(ask("POST", "/clusters/rd/scale", "{}").code(), "invalid");
  EXPECT_EQ(ask("POST", "/clusters/rd/resize", R"({"memory":1})").code(), "invalid");
  EXPECT_EQ(ask("POST", "/clusters/rd/upgrade", R"({"version":"1.0"})").code(), "invalid");
  EXPECT_EQ(ask("POST", "/clusters/rd/replace", R"({"nodes":[]})").code(), "invalid");
  EXPECT_EQ(ask("POST", "/clusters/rd/restart", R"({"nodes":["10.9.9.9:1"]})").code(), "invalid");
  EXPECT_EQ(ask("POST", "/clusters/rd/recover", R"({"hosts":["10.9.9.9"]})").code(), "invalid");
  EXPECT_EQ(ask("POST", "/clusters/rd/configure", R"({"settings":{"requirepass":"x"}})").code(), "invalid");
  EXPECT_EQ(ask("POST", "/clusters/rd/instance/10.9.9.9:1/restart").status, 404);
  EXPECT_EQ(ask("POST", "/clusters/none/scale", R"({"number":5})").status, 404);
  EXPECT_EQ(ask("GET", "/jobs").body["count"], 1) << "no job came of any of these";
}

TEST_F(ActionsTest, WeightsAreSetAtOnceAndReachTheProxies) {
  make("rd");
  EXPECT_EQ(ask("PATCH", "/clusters/rd/instances/10.0.0.1:31000", R"({"weight":12})").body["message"], "done");
  EXPECT_EQ(ask("PATCH", "/clusters/rd/instances/10.0.0.2:31000", R"({"weight":0})").status, 200);
  EXPECT_EQ(ask("PATCH", "/clusters/rd/instances/10.0.0.2:31000", R"({"weight":-1})").status, 400);
  EXPECT_EQ(ask("PATCH", "/clusters/rd/instances/10.0.0.2:31000", "{}").status, 400);
  EXPECT_EQ(ask("PATCH", "/clusters/rd/instances/10.9.9.9:1", R"({"weight":1})").status, 404);
  EXPECT_EQ(ask("PATCH", "/clusters/none/instances/10.0.0.1:31000", R"({"weight":1})").status, 404);
  const std::string toml = ask("GET", "/proxies/config?cluster=rd").text;
  EXPECT_THAT(toml, HasSubstr("\"10.0.0.1:31000:12 00000000000003100000\","));
  EXPECT_EQ(toml.find("10.0.0.2"), std::string::npos);
  EXPECT_THAT(toml, HasSubstr("listen_addr = \"0.0.0.0:20000\""));
  EXPECT_THAT(toml, HasSubstr("redis_auth = \""));
}

TEST_F(ActionsTest, AReplacedNodeKeepsItsPlaceOnTheRing) {
  ClusterView view;
  view.cluster = {
      .name = "c", .type = model::CacheType::memcache, .front_port = 20001, .state = model::ClusterState::done};
  view.nodes.push_back({.node = {.alias = 7, .type = model::CacheType::memcache, .host = "10.0.0.1", .port = 11211}});
  const std::string before = proxy_toml({view}, "127.0.0.1");
  EXPECT_THAT(before, HasSubstr("\"10.0.0.1:11211:1 00000000000000000007\""));
  view.nodes[0].node.host = "10.0.0.9";
  EXPECT_THAT(proxy_toml({view}, "127.0.0.1"), HasSubstr("\"10.0.0.9:11211:1 00000000000000000007\""));
  // What a node is at the moment changes nothing.
  view.nodes[0].node.host = "10.0.0.1";
  view.nodes[0].state.health = model::Health::failed;
  EXPECT_EQ(proxy_toml({view}, "127.0.0.1"), before);
  view.cluster.state = model::ClusterState::waiting;
  EXPECT_EQ(proxy_toml({view}, "127.0.0.1").find("[[clusters]]"), std::string::npos);
}

TEST_F(ActionsTest, JobsTurn) {
  const std::string id = create("one");
  const auto job = [&] { return record<model::Job>(job_key(id)); };
  const auto become = [&](model::JobState state) {
    auto changed = job();
    changed.state = state;
    put(job_key(id), to_json(changed));
  };
  EXPECT_EQ(ask("POST", "/jobs/" + id + "/pause").status, 200);
  EXPECT_TRUE(job().pause);
  EXPECT_EQ(ask("POST", "/jobs/" + id + "/resume").status, 200);
  EXPECT_FALSE(job().pause);
  EXPECT_EQ(ask("POST", "/jobs/" + id + "/resume").status, 409);
  become(model::JobState::paused);
  EXPECT_EQ(ask("POST", "/job/", R"({"job_id":")" + id + "\"}").body["job"], "approved");
  become(model::JobState::running);
  EXPECT_EQ(ask("POST", "/jobs/" + id + "/retry").status, 409);
  EXPECT_EQ(ask("POST", "/jobs/" + id + "/cancel").status, 200);
  EXPECT_TRUE(job().cancel);
  become(model::JobState::failed);
  EXPECT_EQ(ask("POST", "/jobs/" + id + "/cancel").status, 409);
  EXPECT_EQ(ask("POST", "/jobs/" + id + "/retry").status, 200);
  EXPECT_EQ(job().state, model::JobState::pending);
  EXPECT_EQ(job().retries, 1U);
  EXPECT_FALSE(job().cancel);
  become(model::JobState::done);
  for (const char* turn : {"pause", "resume", "cancel", "retry"}) {
    EXPECT_EQ(ask("POST", "/jobs/" + id + "/" + turn).status, 409) << turn;
  }
  EXPECT_EQ(ask("GET", "/jobs/" + id).body["state"], "done");
  for (const char* wrong :
       {"local.1", "nodot", "local.99999999999999999999", "local.00000000000000009999", "a%2Fb.1"}) {
    EXPECT_EQ(ask("GET", "/jobs/" + std::string(wrong)).status, 404) << wrong;
    EXPECT_EQ(ask("POST", "/jobs/" + std::string(wrong) + "/pause").status, 404) << wrong;
  }
}

TEST_F(ActionsTest, AFailedJobGoesOnWhereItStopped) {
  make("one");
  const std::string id = ask("POST", "/clusters/one/restart").body["id"];
  const auto fail_it = [&] {
    auto job = record<model::Job>(job_key(id));
    auto cluster = record<model::Cluster>(keys::cluster_info("one"));
    job.state = model::JobState::failed;
    job.steps = {{.kind = "a", .state = model::StepState::done}, {.kind = "b", .attempts = 7}};
    job.cursor = 1;
    job.ended = cluster.changed = model::now();
    cluster.job.clear();
    put(job_key(id), to_json(job));
    put(keys::cluster_info("one"), to_json(cluster));
  };
  fail_it();
  ASSERT_EQ(ask("POST", "/jobs/" + id + "/retry").status, 200);
  auto job = record<model::Job>(job_key(id));
  ASSERT_EQ(job.steps.size(), 2U);
  EXPECT_EQ(job.steps[1].attempts, 0U);
  EXPECT_EQ(job.cursor, 1U);
  EXPECT_EQ(record<model::Cluster>(keys::cluster_info("one")).job, id);
  // A cluster that was changed meanwhile needs a new plan.
  fail_it();
  auto cluster = record<model::Cluster>(keys::cluster_info("one"));
  ++cluster.changed;
  put(keys::cluster_info("one"), to_json(cluster));
  ASSERT_EQ(ask("POST", "/jobs/" + id + "/retry").status, 200);
  job = record<model::Job>(job_key(id));
  EXPECT_TRUE(job.steps.empty());
  EXPECT_EQ(job.cursor, 0U);
}

TEST_F(ActionsTest, AFailedJobIsNotTriedAgainBesideAnother) {
  make("one");
  const std::string first = ask("POST", "/clusters/one/restart").body["id"];
  auto job = record<model::Job>(job_key(first));
  job.state = model::JobState::failed;
  put(job_key(first), to_json(job));
  ASSERT_EQ(ask("POST", "/clusters/one/restart").status, 200);
  EXPECT_EQ(ask("POST", "/jobs/" + first + "/retry").code(), "busy");
}

TEST_F(ActionsTest, JobsAreFiltered) {
  make("one", "", 31000);
  make("two", "", 32000);
  ASSERT_EQ(ask("POST", "/clusters/two/restart").status, 200);
  EXPECT_EQ(ask("GET", "/jobs").body["count"], 3);
  EXPECT_EQ(ask("GET", "/jobs?state=pending").body["count"], 1);
  EXPECT_EQ(ask("GET", "/jobs?cluster=two").body["count"], 2);
  EXPECT_EQ(ask("GET", "/jobs?kind=restart").body["items"][0]["cluster"], "two");
  EXPECT_EQ(ask("GET", "/jobs?over=1").body["count"], 2);
  EXPECT_EQ(ask("GET", "/jobs?over=0").body["count"], 1);
  EXPECT_EQ(ask("GET", "/jobs?state=unknown").status, 400);
}

TEST_F(ActionsTest, ADrainedHostHasAJobForEachCluster) {
  make("one", "", 31000);
  make("two", "", 32000);
  const std::string key = keys::of(keys::kHosts, "10.0.0.1");
  put(key, to_json(model::Host{.name = "10.0.0.1", .group = "local", .capacity = {4000, 4096}}));
  ASSERT_EQ(ask("POST", "/clusters/two/restart").status, 200);
  const auto drained = ask("POST", "/hosts/10.0.0.1/drain");
  ASSERT_EQ(drained.status, 200) << drained.text;
  ASSERT_EQ(drained.body["jobs"].size(), 1U);
  EXPECT_THAT(drained.body["busy"], ElementsAre("two"));
  const auto job = record<model::Job>(job_key(drained.body["jobs"][0].get<std::string>()));
  EXPECT_EQ(job.intent.kind, model::JobKind::drain);
  EXPECT_EQ(job.intent.cluster, "one");
  EXPECT_THAT(job.intent.hosts, ElementsAre("10.0.0.1"));
  EXPECT_TRUE(record<model::Host>(key).draining);
  const auto list = ask("GET", "/hosts?draining=1");
  ASSERT_EQ(list.body["count"], 1);
  EXPECT_EQ(list.body["items"][0]["used_memory"], 512);
  EXPECT_THAT(list.body["items"][0]["clusters"], ElementsAre("one", "two"));
  EXPECT_EQ(ask("POST", "/hosts/10.0.0.1/undrain").status, 200);
  EXPECT_FALSE(record<model::Host>(key).draining);
  EXPECT_EQ(ask("POST", "/hosts/10.9.9.9/drain").status, 404);
  EXPECT_EQ(ask("PATCH", "/hosts/10.0.0.1", R"({"labels":{"rack":"r1"}})").status, 200);
  EXPECT_EQ(record<model::Host>(key).labels.at("rack"), "r1");
  EXPECT_EQ(ask("PATCH", "/hosts/10.0.0.1", R"({"labels":{"ra ck":"r 1"}})").status, 400);
}

TEST_F(ActionsTest, SpecsVersionsGroupsAndAppids) {
  EXPECT_EQ(ask("POST", "/specs", R"({"spec":"1c2g"})").status, 200);
  EXPECT_EQ(ask("POST", "/specs", R"({"spec":"1c2048m"})").status, 409) << "the same size";
  EXPECT_EQ(ask("POST", "/specs", R"({"spec":"big"})").status, 400);
  EXPECT_THAT(ask("GET", "/specs/").body["items"], ElementsAre("1c2g"));
  EXPECT_EQ(ask("DELETE", "/specs/1c2g").status, 200);
  EXPECT_EQ(ask("DELETE", "/specs/1c2g").status, 404);
  make("one");
  EXPECT_EQ(ask("PUT", "/versions/redis/7.2.0", R"({"sha256":"00"})").status, 400);
  EXPECT_EQ(ask("PUT", "/versions/redis/7.2.0").status, 200);
  EXPECT_EQ(ask("DELETE", "/versions/redis/7.0.15").status, 409);
  EXPECT_EQ(ask("DELETE", "/versions/redis/6.2.0").status, 200);
  EXPECT_EQ(ask("DELETE", "/versions/mysql/8").status, 404);
  const auto versions = ask("GET", "/versions");
  EXPECT_EQ(versions.body["items"][1]["cache_type"], "redis");
  EXPECT_THAT(versions.body["items"][1]["versions"], ElementsAre("7.0.15", "7.2.0"));
  EXPECT_EQ(ask("GET", "/groups").body["items"][0]["name"], "far");
  EXPECT_EQ(ask("POST", "/appids", R"({"appid":"main.a"})").status, 200);
  EXPECT_EQ(ask("POST", "/appids", R"({"appid":"main.a"})").status, 409);
  EXPECT_EQ(ask("POST", "/appids", R"({"appid":"main.ab"})").status, 200);
  const auto tree = ask("GET", "/appids?format=tree").body["items"];
  EXPECT_EQ(tree[0]["name"], "main");
  EXPECT_EQ(tree[0]["children"][1]["label"], "ab");
  EXPECT_EQ(ask("GET", "/appids?format=xml").status, 400);
}

TEST_F(ActionsTest, PrometheusFindsNodesAndProxies) {
  make("one");
  const std::string target = "/proxies/config?proxy=p1&stat=10.0.0.8:2110&cluster=one";
  EXPECT_EQ(ask("GET", target).status, 200);
  EXPECT_EQ(ask("GET", target).status, 200);
  EXPECT_EQ(ask("GET", "/proxies").body["items"][0]["stat"], "10.0.0.8:2110");
  const auto found = ask("GET", "/sd/prometheus");
  ASSERT_EQ(found.body.size(), 5U) << found.text;
  EXPECT_THAT(found.body[0]["targets"], ElementsAre("10.0.0.1:31000"));
  EXPECT_EQ(found.body[0]["labels"]["__meta_overlord_cluster"], "one");
  EXPECT_EQ(found.body[4]["labels"]["__meta_overlord_kind"], "proxy");
  EXPECT_EQ(ask("GET", "/proxies/config?wait=soon").status, 400);
  EXPECT_EQ(ask("GET", "/proxies/config?cluster=none").status, 404);
}

}  // namespace
}  // namespace overlord::api
