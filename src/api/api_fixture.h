#pragma once
// For tests: an API over a store in a temporary file, asked over HTTP. Who includes it includes <nlohmann/json.hpp> before.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "api/api.h"
#include "api/auth.h"
#include "api/records.h"
#include "http/client.h"
#include "http/server.h"
#include "net/address.h"
#include "store/keys.h"
#include "store/sqlite_store.h"

namespace overlord::api {

class ApiTest : public testing::Test {
 protected:
  void SetUp() override {
    static int count = 0;
    folder_ = testing::TempDir() + "overlord-api-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    std::filesystem::create_directories(folder_);
    auto opened = store::open_sqlite(folder_ + "/state.db");
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
    config.groups = {{"local", "here"}, {"far", "there"}};
    config.versions = {{model::CacheType::redis, {"7.0.15", "6.2.0"}},
                       {model::CacheType::redis_cluster, {"7.0.15", "6.2.0"}},
                       {model::CacheType::memcache, {"1.6.18"}}};
    config.monitor.url = "http://charts";
    start();
  }
  void TearDown() override {
    stop();
    store.reset();
    std::filesystem::remove_all(folder_);
  }

  void start() {
    api = std::make_unique<Api>(*store, config);
    auto token = api->prepare();
    ASSERT_TRUE(token) << token.error().message;
    if (!token->empty()) admin = *token;
    server = std::make_unique<http::Server>(api->server_options());
    api->serve_on(*server);
    const auto started = server->start(*net::numeric_address("127.0.0.1", 0));
    ASSERT_TRUE(started) << started.error().message;
  }
  void stop() {
    if (server != nullptr) server->stop();
    server.reset();
    api.reset();
  }

  using Json = nlohmann::json;
  struct Said {
    int status = 0;
    Json body;
    std::string text;
    std::string code() const { return body.is_object() && body.contains("error") ? body["error"]["code"] : ""; }
    std::string message() const { return body.is_object() && body.contains("error") ? body["error"]["message"] : ""; }
  };

  Said ask_as(const std::string& token, const std::string& method, const std::string& target,
              const std::string& body = {}, std::vector<std::string> headers = {}) {
    http::ClientOptions options;
    options.content_type = "application/json";
    http::Client client(net::to_string(server->address()), options);
    if (!token.empty()) headers.push_back("Authorization: Bearer " + token);
    const auto answer = client.ask(method, target, body, headers);
    if (!answer) {
      ADD_FAILURE() << method << " " << target << ": " << answer.error().message;
      return {};
    }
    return {answer->status, Json::parse(answer->body, nullptr, false), answer->body};
  }
  Said ask(const std::string& method, const std::string& target, const std::string& body = {},
           std::vector<std::string> headers = {}) {
    return ask_as(admin, method, "/api/v1" + target, body, std::move(headers));
  }

  // A token of a new user.
  std::string token_of(const std::string& user, const std::string& access) {
    const auto made = ask("POST", "/users", R"({"name":")" + user + R"(","access":")" + access + "\"}");
    EXPECT_EQ(made.status, 200) << made.text;
    const auto token = ask("POST", "/tokens", R"({"user":")" + user + "\"}");
    EXPECT_EQ(token.status, 200) << token.text;
    return token.body.value("token", "");
  }

  std::string create_body(const std::string& name, const std::string& more = {}) {
    return R"({"name":")" + name +
           R"(","cache_type":"redis","spec":"0.5c256m","version":"7.0.15","group":"local","number":4)" + more + "}";
  }
  // The job's id.
  std::string create(const std::string& name, const std::string& more = {}) {
    const auto made = ask("POST", "/clusters", create_body(name, more));
    EXPECT_EQ(made.status, 200) << made.text;
    return made.body.value("id", "");
  }

  template <typename Record>
  Record record(const std::string& key) {
    const auto found = read<Record>(*store, key);
    EXPECT_TRUE(found && *found) << key;
    return found && *found ? (*found)->record : Record{};
  }
  void put(const std::string& key, const std::string& value) {
    const auto done = store->commit({.changes = {store::put(key, value)}});
    ASSERT_TRUE(done) << done.error().message;
  }

  // What the scheduler does when the job is done: nodes that run, a cluster without a job.
  void finish(const std::string& cluster_name, const std::string& job_id, uint16_t port = 31000) {
    namespace keys = store::keys;
    auto cluster = record<model::Cluster>(keys::cluster_info(cluster_name));
    auto job = record<model::Job>(job_key(job_id));
    job.state = model::JobState::done;
    cluster.job.clear();
    cluster.state = model::ClusterState::done;
    store::Transaction all;
    all.changes = {store::put(job_key(job_id), to_json(job)),
                   store::put(keys::cluster_info(cluster_name), to_json(cluster))};
    for (uint32_t i = 0; i < cluster.shards; ++i) {
      const model::Node node{.alias = uint64_t{port} * 100 + i,
                             .cluster = cluster_name,
                             .type = cluster.type,
                             .version = cluster.version,
                             .group = cluster.group,
                             .host = "10.0.0." + std::to_string(i + 1),
                             .port = port,
                             .shard = i,
                             .spec = cluster.spec};
      all.changes.push_back(store::put(keys::cluster_instance(cluster_name, node.alias), node.address()));
      all.changes.push_back(store::put(keys::instance(node.address()), to_json(node)));
      all.changes.push_back(store::put(keys::instance_state(node.address()),
                                       to_json(model::NodeState{.health = model::Health::running})));
    }
    const auto done = store->commit(all);
    ASSERT_TRUE(done) << done.error().message;
  }
  // A cluster that is made.
  void make(const std::string& name, const std::string& more = {}, uint16_t port = 31000) {
    finish(name, create(name, more), port);
  }

  std::unique_ptr<store::Store> store;
  Config config;
  std::unique_ptr<Api> api;
  std::unique_ptr<http::Server> server;
  std::string admin;

 private:
  std::string folder_;
};

}  // namespace overlord::api
