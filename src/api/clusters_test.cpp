// Clusters over HTTP: what is taken, what is refused, and what stands in the store afterwards.
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "api/api_fixture.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

using ClustersTest = ApiTest;

std::vector<std::string> fields_of(const nlohmann::json& body) {
  std::vector<std::string> out;
  for (const auto& one : body["error"]["fields"]) out.push_back(one["field"]);
  return out;
}

TEST_F(ClustersTest, CreateIsOneTransactionWithAllThatBelongsToIt) {
  const auto made = ask("POST", "/clusters/", create_body("one", R"(,"appids":["main.a","main.b"])"));
  ASSERT_EQ(made.status, 200) << made.text;
  EXPECT_EQ(made.body["id"], "local.00000000000000000001");
  EXPECT_EQ(made.body["state"], "pending");
  EXPECT_TRUE(Json::parse(made.body["param"].get<std::string>()).is_object());

  const auto info = store->get(keys::cluster_info("one"));
  ASSERT_TRUE(info && *info);
  const store::Revision at = (*info)->modified;
  for (const std::string& key :
       {std::string("/overlord/clusters/one/fe-port"), std::string("/overlord/port_sequence"), keys::job("local", 1),
        std::string("/overlord/appids/main.a/one"), keys::cluster_appid("one", "main.b"),
        keys::of(keys::kSequences, "job"), keys::of(keys::kSequences, "audit")}) {
    const auto found = store->get(key);
    ASSERT_TRUE(found && *found) << key;
    EXPECT_EQ((*found)->modified, at) << key;
  }
  const auto cluster = record<model::Cluster>(keys::cluster_info("one"));
  EXPECT_EQ(cluster.front_port, 20000);
  EXPECT_EQ(cluster.shards, 4U);
  EXPECT_EQ(cluster.replicas, 0U);
  EXPECT_EQ(cluster.job, "local.00000000000000000001");
  EXPECT_EQ(cluster.created_by, "admin");
  EXPECT_EQ(cluster.password.size(), 32U);
  const auto job = record<model::Job>(keys::job("local", 1));
  EXPECT_EQ(job.state, model::JobState::pending);
  EXPECT_EQ(job.intent.kind, model::JobKind::create);
  EXPECT_EQ(job.intent.cluster, "one");
  EXPECT_EQ(job.user, "admin");
}

TEST_F(ClustersTest, TheNumberComesFromTheMemory) {
  const auto made = ask("POST", "/clusters", R"({"name":"rc","cache_type":"redis_cluster","spec":"0.25c20m",
      "version":"7.0.15","group":"local","total_memory":130})");
  ASSERT_EQ(made.status, 200) << made.text;
  const auto cluster = record<model::Cluster>(keys::cluster_info("rc"));
  EXPECT_EQ(cluster.shards, 6U);
  EXPECT_EQ(cluster.replicas, 1U);
  EXPECT_EQ(cluster.spec.cpu_milli, 250U);
}

TEST_F(ClustersTest, AllProblemsAtOnce) {
  const auto said = ask("POST", "/clusters", R"({"name":"a/b","cache_type":"redis","spec":"big","version":"9.9",
      "group":"moon","total_memory":100,"appids":["nodot"],"settings":{"port":"1","maxmemory-policy":"noeviction"}})");
  EXPECT_EQ(said.status, 400);
  EXPECT_EQ(said.code(), "invalid");
  EXPECT_THAT(fields_of(said.body),
              UnorderedElementsAre("name", "spec", "version", "group", "appids", "settings.port"));
  const auto missing = ask("POST", "/clusters", "{}");
  EXPECT_THAT(fields_of(missing.body), UnorderedElementsAre("name", "cache_type", "spec", "version", "group"));
  EXPECT_FALSE(missing.body["error"]["request_id"].get<std::string>().empty());
}

TEST_F(ClustersTest, WhatWouldNotOutlastAHostMustBeAskedFor) {
  const std::string two = R"({"name":"two","cache_type":"memcache","spec":"1c64m","version":"1.6.18","group":"local",
      "number":2)";
  const auto refused = ask("POST", "/clusters", two + "}");
  EXPECT_THAT(fields_of(refused.body), ElementsAre("number"));
  EXPECT_EQ(ask("POST", "/clusters", two + R"(,"fault_tolerant":false})").status, 200);
  EXPECT_EQ(record<model::Cluster>(keys::cluster_info("two")).password, "") << "memcache has none";
}

TEST_F(ClustersTest, ANameIsTakenOnce) {
  create("one");
  const auto again = ask("POST", "/clusters", create_body("one"));
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.code(), "conflict");
  // Leavings of another are not taken for its own.
  put(keys::cluster_appid("old", "main.a"), "");
  EXPECT_EQ(ask("POST", "/clusters", create_body("old")).status, 409);
}

TEST_F(ClustersTest, ManyAtOnceGetDifferentPortsAndJobs) {
  constexpr int kThreads = 8;
  constexpr int kEach = 3;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEach; ++i) create("c" + std::to_string(t) + "-" + std::to_string(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto list = ask("GET", "/clusters");
  ASSERT_EQ(list.body["count"], kThreads * kEach);
  std::set<int> ports;
  std::set<std::string> jobs;
  for (const auto& one : list.body["items"]) {
    ports.insert(one["front_end_port"].get<int>());
    jobs.insert(one["job"].get<std::string>());
  }
  EXPECT_EQ(ports.size(), size_t{kThreads * kEach});
  EXPECT_EQ(*ports.begin(), 20000);
  EXPECT_EQ(*ports.rbegin(), 20000 + kThreads * kEach - 1) << "none is lost to a try that failed";
  EXPECT_EQ(jobs.size(), size_t{kThreads * kEach});
  const auto audit = ask("GET", "/audit?pc=1");
  EXPECT_EQ(audit.body["count"], kThreads * kEach);
}

TEST_F(ClustersTest, FrontPortsBeginAnewWhereOnesAreFree) {
  put(std::string(keys::kPortSequence), "65534");
  put(keys::cluster_front_port("other"), "20000");
  create("a");
  create("b");
  EXPECT_EQ(record<model::Cluster>(keys::cluster_info("a")).front_port, 65535);
  EXPECT_EQ(record<model::Cluster>(keys::cluster_info("b")).front_port, 20001);
}

TEST_F(ClustersTest, ShowHasTheFieldsOfTheGoPlatformAndNoSecret) {
  make("one", R"(,"appids":["main.a"],"password":"hidden-word","proxy":{"read_timeout":500})");
  const auto said = ask("GET", "/clusters/one");
  ASSERT_EQ(said.status, 200);
  EXPECT_EQ(said.body["front_end_port"], 20000);
  EXPECT_EQ(said.body["max_memory"], 256.0);
  EXPECT_EQ(said.body["number"], 4);
  EXPECT_EQ(said.body["read_timeout"], 500);
  EXPECT_EQ(said.body["dial_timeout"], 1000);
  EXPECT_EQ(said.body["monitor"], "http://charts/overlord?orgId=1&var-cluster=one");
  EXPECT_THAT(said.body["appids"], ElementsAre("main.a"));
  ASSERT_EQ(said.body["instances"].size(), 4U);
  EXPECT_EQ(said.body["instances"][0]["ip"], "10.0.0.1");
  EXPECT_EQ(said.body["instances"][0]["state"], "running");
  EXPECT_EQ(said.body["instances"][0]["weight"], 1);
  EXPECT_EQ(said.text.find("hidden-word"), std::string::npos);
  EXPECT_EQ(ask("GET", "/jobs").text.find("hidden-word"), std::string::npos);
  EXPECT_EQ(ask("GET", "/audit").text.find("hidden-word"), std::string::npos);
  EXPECT_EQ(ask("GET", "/clusters/none").status, 404);
  EXPECT_EQ(ask("GET", "/clusters/a%2Fb").status, 404);
}

TEST_F(ClustersTest, ListsHavePagesFiltersAndOrder) {
  for (const char* name : {"a1", "a2", "b1", "b2", "b3"}) create(name);
  EXPECT_EQ(ask("GET", "/clusters?name=b").body["count"], 3);
  EXPECT_EQ(ask("GET", "/clusters?state=done").body["count"], 0);
  EXPECT_EQ(ask("GET", "/clusters?cache_type=redis&group=local").body["count"], 5);
  const auto names = [](const Json& list) {
    std::vector<std::string> out;
    for (const auto& one : list["items"]) out.push_back(one["name"]);
    return out;
  };
  const auto second = ask("GET", "/clusters?pn=2&pc=2");
  EXPECT_EQ(second.body["count"], 5);
  EXPECT_THAT(names(second.body), ElementsAre("b1", "b2"));
  const auto first = ask("GET", "/clusters?pc=2");
  const auto next = ask("GET", "/clusters?pc=2&cursor=" + first.body["next"].get<std::string>());
  EXPECT_THAT(names(next.body), ElementsAre("b1", "b2"));
  const auto last = ask("GET", "/clusters?pc=2&cursor=b2");
  EXPECT_THAT(names(last.body), ElementsAre("b3"));
  EXPECT_FALSE(last.body.contains("next"));
  EXPECT_THAT(names(ask("GET", "/clusters?sort=-name&pc=2").body), ElementsAre("b3", "b2"));
  EXPECT_EQ(ask("GET", "/clusters?sort=front_end_port").status, 200);
  const auto wrong = ask("GET", "/clusters?pn=0&state=good&nmae=x");
  EXPECT_THAT(fields_of(wrong.body), UnorderedElementsAre("pn", "state", "nmae"));
  EXPECT_EQ(ask("GET", "/clusters?sort=moon").status, 400);
}

TEST_F(ClustersTest, ADamagedRecordHidesOnlyItself) {
  create("good");
  put(keys::cluster_info("bad"), "{nonsense");
  EXPECT_EQ(ask("GET", "/clusters").body["count"], 1);
  EXPECT_EQ(ask("GET", "/clusters/good").status, 200);
  EXPECT_EQ(ask("POST", "/clusters/bad/restart").status, 500);
}

TEST_F(ClustersTest, IfMatchKeepsOthersChanges) {
  make("one");
  const auto revision = (*read<model::Cluster>(*store, keys::cluster_info("one")))->revision;
  const std::string old = "If-Match: \"" + std::to_string(revision) + "-0123\"";
  EXPECT_EQ(ask("PATCH", "/clusters/one", R"({"proxy":{"read_timeout":700}})", {old}).status, 200);
  const auto late = ask("PATCH", "/clusters/one", R"({"proxy":{"read_timeout":800}})", {old});
  EXPECT_EQ(late.status, 412);
  EXPECT_EQ(late.code(), "precondition_failed");
  EXPECT_EQ(record<model::Cluster>(keys::cluster_info("one")).proxy.read_timeout, 700U);
  EXPECT_EQ(ask("DELETE", "/clusters/one", "", {old}).status, 412);
}

TEST_F(ClustersTest, BindingsHaveTwoSides) {
  make("one");
  EXPECT_EQ(ask("POST", "/clusters/one/appid", R"({"appid":"main.a"})").body["message"], "ok");
  EXPECT_EQ(ask("POST", "/clusters/one/appid", R"({"appid":"main.a"})").status, 409);
  EXPECT_EQ(ask("POST", "/clusters/one/appid", R"({"appid":"nodot"})").status, 400);
  EXPECT_EQ(ask("POST", "/clusters/none/appid", R"({"appid":"main.a"})").status, 404);
  EXPECT_THAT(ask("GET", "/appids").body["items"], ElementsAre("main.a"));
  EXPECT_EQ(ask("GET", "/appids/main.a").body["grouped_clusters"][0]["clusters"][0]["name"], "one");
  const auto bound = ask("DELETE", "/clusters/one");
  EXPECT_EQ(bound.status, 409);
  EXPECT_THAT(bound.message(), HasSubstr("main.a"));
  EXPECT_EQ(ask("DELETE", "/appids/main.a").status, 409);
  EXPECT_EQ(ask("DELETE", "/clusters/one/appid", R"({"appid":"main.a"})").status, 200);
  EXPECT_EQ(ask("DELETE", "/clusters/one/appid", R"({"appid":"main.a"})").status, 404);
  EXPECT_EQ(ask("DELETE", "/appids/main.a").status, 200);
  EXPECT_EQ(ask("GET", "/appids/main.a").status, 404);
  EXPECT_EQ(ask("DELETE", "/clusters/one").status, 200);
  EXPECT_EQ(record<model::Cluster>(keys::cluster_info("one")).state, model::ClusterState::deleting);
  EXPECT_EQ(ask("POST", "/clusters/one/appid", R"({"appid":"main.a"})").status, 409);
}

TEST_F(ClustersTest, DryRunExplains) {
  const std::string body = create_body("dry");
  const auto none = ask("POST", "/clusters?dry_run=1", body);
  ASSERT_EQ(none.status, 200) << none.text;
  EXPECT_EQ(none.body["possible"], false);
  EXPECT_FALSE(none.body["reasons"].empty());
  for (int i = 1; i <= 4; ++i) {
    const std::string name = "10.0.0." + std::to_string(i);
    put(keys::of(keys::kHosts, name),
        to_json(model::Host{.name = name, .group = "local", .capacity = {4000, 4096}, .ports = {{31000, 31010}}}));
  }
  const auto said = ask("POST", "/clusters?dry_run=1", body);
  EXPECT_EQ(said.body["possible"], true) << said.text;
  ASSERT_EQ(said.body["nodes"].size(), 4U);
  EXPECT_FALSE(said.body["nodes"][0]["why"].get<std::string>().empty());
  EXPECT_EQ(ask("GET", "/clusters").body["count"], 0) << "nothing is made";
  // What runs is taken into account.
  make("one", "", 31000);
  const auto again = ask("POST", "/clusters?dry_run=1", body);
  ASSERT_TRUE(again.body.contains("nodes")) << again.text;
  for (const auto& node : again.body["nodes"]) EXPECT_NE(node["port"], 31000);
}

}  // namespace
}  // namespace overlord::api
