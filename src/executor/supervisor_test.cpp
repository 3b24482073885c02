#include "executor/supervisor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>

#include "executor/fixture.h"
#include "model/nodes_conf.h"

namespace overlord::executor {
namespace {

using model::CacheType;
using std::chrono::milliseconds;
using testing::HasSubstr;

class SupervisorRuns : public SupervisorTest {
 protected:
  std::string redis(const std::string& words, const std::string& end = "\n") {
    return talk(host_, port_, "AUTH secret\r\n" + words + "\r\n", end);
  }
  model::NodeTask redis_task(int incarnation = 1) {
    auto task = task_of(CacheType::redis, host_, port_, incarnation);
    task.password = "secret";
    return task;
  }
  bool dead(pid_t pid) const { return ::kill(pid, 0) != 0; }

  const uint16_t port_ = free_ports(host_, 1)[0];
};

TEST_F(SupervisorRuns, RedisAndMemcachedWithTheirPasswords) {
  start();
  auto memcached = task_of(CacheType::memcache, host_, free_ports(host_, 1)[0]);
  memcached.password = "secret";
  ASSERT_TRUE(launch(redis_task()));
  ASSERT_TRUE(launch(memcached));
  ASSERT_TRUE(launch(memcached)) << "asking again is no error";
  ASSERT_TRUE(runs(redis_task().id)) << message(redis_task().id);
  ASSERT_TRUE(runs(memcached.id)) << message(memcached.id);
  EXPECT_THAT(talk(host_, port_, "PING\r\n", "\n"), HasSubstr("NOAUTH"));
  EXPECT_THAT(redis("PING", "PONG"), HasSubstr("PONG"));
  EXPECT_THAT(redis("CONFIG GET maxmemory", "$8\r\n25165824"), HasSubstr("25165824")) << "24 of 32 MiB";
  EXPECT_THAT(talk(host_, memcached.port, "set x 0 0 14\r\ndefault secret\r\nversion\r\n", "VERSION"),
              HasSubstr("VERSION"));
  EXPECT_THAT(talk(host_, memcached.port, "get x\r\n", "\n"), HasSubstr("CLIENT_ERROR"));
}

TEST_F(SupervisorRuns, ANodeThatIsKilledComesBackInPlace) {
  start();
  const auto task = redis_task();
  ASSERT_TRUE(launch(task));
  ASSERT_TRUE(runs(task.id));
  const pid_t first = pid(task.id);
  ::kill(first, SIGKILL);
  ASSERT_TRUE(eventually([&] { return pid(task.id) != first && pid(task.id) != 0 && health(task.id) == "running"; }));
  EXPECT_EQ(field(task.id, "restarts"), "1");
  std::string events;
  ASSERT_TRUE(supervisor_->events(supervisor_->next_event() - 4, events));
  EXPECT_THAT(events, HasSubstr("killed by signal 9"));
}

TEST_F(SupervisorRuns, AHungServerIsSickAndThenAnother) {
  options_.probe_patience = milliseconds(100);
  options_.sick_after = milliseconds(200);
  options_.hung_after = milliseconds(1000);
  start();
  const auto task = redis_task();
  ASSERT_TRUE(launch(task));
  ASSERT_TRUE(runs(task.id));
  const uint64_t from = supervisor_->next_event();
  const pid_t first = pid(task.id);
  ::kill(first, SIGSTOP);
  ASSERT_TRUE(eventually([&] { return pid(task.id) != first && pid(task.id) != 0 && health(task.id) == "running"; }));
  std::string events;
  ASSERT_TRUE(supervisor_->events(from, events));
  EXPECT_THAT(events, HasSubstr("its server hung: does not answer"));
  EXPECT_LT(events.find("\"health\":\"sick\""), events.find("its server hung: does not answer"));
  EXPECT_TRUE(dead(first));
}

TEST_F(SupervisorRuns, AStrangersPortIsSaidInWords) {
  options_.most_restarts = 2;
  auto stranger = listening(host_, port_);
  ASSERT_TRUE(stranger.valid());
  start();
  const auto task = redis_task();
  ASSERT_TRUE(launch(task));
  ASSERT_TRUE(eventually([&] { return health(task.id) == "failed"; }));
  EXPECT_THAT(message(task.id), HasSubstr("the port " + task.address() + " is taken by a process that is none of"));
  EXPECT_THAT(message(task.id), HasSubstr("given up after 2 restarts in a row"));
  EXPECT_EQ(supervisor_->launch(task).refused, Supervisor::Refused::conflict) << "a task runs once";
  stranger.reset();
  ASSERT_TRUE(launch(redis_task(2)));
  EXPECT_TRUE(runs(redis_task(2).id));
  EXPECT_EQ(health(task.id), "") << "its place is taken";
}

TEST_F(SupervisorRuns, AVersionThatNobodyHasIsSaidInWords) {
  options_.most_restarts = 0;
  start();
  auto task = redis_task();
  task.version = "5.0.14";
  ASSERT_TRUE(launch(task));
  ASSERT_TRUE(eventually([&] { return health(task.id) == "failed"; }));
  EXPECT_THAT(message(task.id), HasSubstr("redis 5.0.14: there is no "));
  EXPECT_THAT(message(task.id), HasSubstr("no file server is set"));
}

TEST_F(SupervisorRuns, WhatRedisSaysAgainstItsSettingsIsHeard) {
  options_.most_restarts = 0;
  start();
  auto task = redis_task();
  task.settings["no-such-directive"] = "1";
  ASSERT_TRUE(launch(task));
  ASSERT_TRUE(eventually([&] { return health(task.id) == "failed"; }));
  EXPECT_THAT(message(task.id), HasSubstr("exit status 1; it said: "));
}

TEST_F(SupervisorRuns, AStopIsGentleFirst) {
  start();
  const auto task = redis_task();
  ASSERT_TRUE(launch(task));
  ASSERT_TRUE(runs(task.id));
  const pid_t first = pid(task.id);
  ASSERT_TRUE(supervisor_->stop(task.id, milliseconds(60'000)));
  ASSERT_TRUE(eventually([&] { return health(task.id) == "stopped"; }));
  EXPECT_TRUE(dead(first));
  EXPECT_EQ(pid(task.id), 0);
  std::ifstream log(folder_ / ("work/" + std::to_string(port_) + "/redis.log"));
  const std::string text((std::istreambuf_iterator<char>(log)), {});
  EXPECT_THAT(text, HasSubstr("User requested shutdown"));
  EXPECT_TRUE(supervisor_->stop(task.id, milliseconds(0))) << "now it is forgotten";
  EXPECT_FALSE(supervisor_->stop(task.id, milliseconds(0)));
}

TEST_F(SupervisorRuns, AStopDoesNotWaitForOneThatDoesNotListen) {
  start();
  const auto task = redis_task();
  ASSERT_TRUE(launch(task));
  ASSERT_TRUE(runs(task.id));
  const pid_t first = pid(task.id);
  ::kill(first, SIGSTOP);
  ASSERT_TRUE(supervisor_->stop(task.id, milliseconds(100)));
  ASSERT_TRUE(eventually([&] { return health(task.id) == "stopped"; }));
  EXPECT_TRUE(dead(first));
}

TEST_F(SupervisorRuns, TheNextExecutorFindsItsNodesAndWhatWasToEnd) {
  start();
  const auto task = redis_task();
  const auto other = task_of(CacheType::memcache, host_, free_ports(host_, 1)[0]);
  ASSERT_TRUE(launch(task));
  ASSERT_TRUE(launch(other));
  ASSERT_TRUE(runs(task.id));
  ASSERT_TRUE(runs(other.id));
  const pid_t first = pid(task.id);
  const pid_t stopping = pid(other.id);
  const uint64_t before = supervisor_->next_event();
  EXPECT_THAT(redis("SET k v", "+OK\r\n+OK"), HasSubstr("+OK"));
  ::kill(stopping, SIGSTOP);
  ASSERT_TRUE(supervisor_->stop(other.id, milliseconds(200)));
  start();
  EXPECT_EQ(pid(task.id), first);
  EXPECT_EQ(health(task.id), "running") << "nothing has happened to it";
  EXPECT_THAT(redis("GET k", "$1\r\nv"), HasSubstr("$1\r\nv"));
  ASSERT_TRUE(eventually([&] { return health(other.id) == "stopped"; }));
  std::string events;
  EXPECT_FALSE(supervisor_->events(before, events)) << "events of an earlier life are not there";
  // It is watched like one of its own.
  ::kill(first, SIGKILL);
  ASSERT_TRUE(eventually([&] { return pid(task.id) != first && health(task.id) == "running"; }));
}

TEST_F(SupervisorRuns, ANodeThatDiedWhileNobodyLookedIsStartedAgain) {
  start();
  const auto task = redis_task();
  ASSERT_TRUE(launch(task));
  ASSERT_TRUE(runs(task.id));
  const pid_t first = pid(task.id);
  supervisor_.reset();
  ::kill(first, SIGKILL);
  start();
  ASSERT_TRUE(eventually([&] { return pid(task.id) != 0 && pid(task.id) != first && health(task.id) == "running"; }));
}

TEST_F(SupervisorRuns, OneExecutorAtATime) {
  start();
  const auto second = Supervisor::start(options_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("another executor works in"));
  EXPECT_THAT(second.error().message, HasSubstr("pid " + std::to_string(::getpid())));
}

TEST_F(SupervisorRuns, DataOfAnotherClusterGoesAndItsOwnStays) {
  start();
  const std::string left = folder_ / ("work/" + std::to_string(port_) + "/left");
  const auto run_and_stop = [&](const model::NodeTask& task) {
    ASSERT_TRUE(launch(task));
    ASSERT_TRUE(runs(task.id));
    ASSERT_TRUE(supervisor_->stop(task.id, milliseconds(0)));
    ASSERT_TRUE(eventually([&] { return health(task.id) == "stopped"; }));
  };
  run_and_stop(redis_task(1));
  std::ofstream(left) << "data";
  run_and_stop(redis_task(2));
  EXPECT_TRUE(exists(left));
  auto fresh = redis_task(3);
  fresh.wipe = true;
  run_and_stop(fresh);
  EXPECT_FALSE(exists(left));
  std::ofstream(left) << "data";
  auto other = redis_task(4);
  other.cluster = "other";
  run_and_stop(other);
  EXPECT_FALSE(exists(left));
}

TEST_F(SupervisorRuns, PortsAndHostsOfOthersAreRefused) {
  start();
  ASSERT_TRUE(launch(redis_task()));
  EXPECT_EQ(supervisor_->launch(redis_task(2)).refused, Supervisor::Refused::conflict);
  auto bus = task_of(CacheType::redis_cluster, host_, static_cast<uint16_t>(port_ - 10'000));
  bus.nodes_conf = "x";
  EXPECT_EQ(supervisor_->launch(bus).refused, Supervisor::Refused::conflict);
  EXPECT_EQ(supervisor_->launch(task_of(CacheType::redis, "127.0.0.9", port_)).refused, Supervisor::Refused::bad);
  auto wrong = task_of(CacheType::redis, host_, 7000);
  wrong.settings["bind"] = "0.0.0.0";
  EXPECT_THAT(supervisor_->launch(wrong).text, HasSubstr("settings.bind: the platform sets this itself"));
}

// Hosts of a cluster, each with a supervisor of its own.
TEST(SupervisorCluster, TwelveNodesAreHealthyFromTheirNodesConf) {
  constexpr uint32_t kHosts = 3;
  constexpr uint32_t kMasters = 6;
  TestFolder folder;
  std::vector<std::unique_ptr<Supervisor>> supervisors;
  std::vector<std::string> hosts;
  std::vector<std::vector<uint16_t>> ports;
  for (uint32_t h = 0; h < kHosts; ++h) {
    hosts.push_back("127.0.0." + std::to_string(h + 11));
    ports.push_back(free_ports(hosts.back(), 2 * kMasters / kHosts));
    Options options;
    options.host = hosts.back();
    options.folder = folder / hosts.back();
    options.versions.lib = folder / "lib";
    options.cgroup = "none";
    options.probe_interval = milliseconds(100);
    auto made = Supervisor::start(options);
    ASSERT_TRUE(made) << made.error().message;
    supervisors.push_back(std::move(*made));
  }
  std::vector<model::ConfNode> nodes;
  const auto id = [](uint32_t number) {
    std::string text = std::to_string(number + 1);
    return std::string(40 - text.size(), 'a') + text;
  };
  const auto first_slot = [](uint32_t master) { return model::kSlots * master / kMasters; };
  for (uint32_t m = 0; m < kMasters; ++m) {
    const auto first = static_cast<uint16_t>(first_slot(m));
    const auto last = static_cast<uint16_t>(first_slot(m + 1) - 1);
    nodes.push_back(
        {.id = id(m), .host = hosts[m % kHosts], .port = ports[m % kHosts][m / kHosts], .slots = {{first, last}}});
  }
  for (uint32_t m = 0; m < kMasters; ++m) {
    const uint32_t h = (m + 1) % kHosts;
    nodes.push_back({.id = id(kMasters + m),
                     .host = hosts[h],
                     .port = ports[h][kMasters / kHosts + m / kHosts],
                     .role = model::Role::replica,
                     .master = id(m)});
  }
  for (const auto& node : nodes) {
    auto task = task_of(CacheType::redis_cluster, node.host, node.port);
    task.password = "secret";
    const auto text = model::nodes_conf(nodes, node.id);
    ASSERT_TRUE(text) << text.error().message;
    task.nodes_conf = *text;
    const size_t host = std::ranges::find(hosts, node.host) - hosts.begin();
    const auto answer = supervisors[host]->launch(task);
    ASSERT_EQ(answer.refused, Supervisor::Refused::no) << answer.text;
  }
  const auto said = [&](const model::ConfNode& node, const std::string& words, const std::string& end) {
    return talk(node.host, node.port, "AUTH secret\r\n" + words + "\r\n", end);
  };
  const auto healthy = [&] {
    return std::ranges::all_of(nodes, [&](const auto& node) {
      const std::string info = said(node, "CLUSTER INFO", "cluster_stats_messages_sent");
      const std::string replication = said(node, "INFO replication", "master_replid");
      const bool master = node.role == model::Role::master;
      return info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384") &&
             info.contains("cluster_known_nodes:12") && info.contains("cluster_size:6") &&
             replication.contains(master ? "role:master" : "role:slave") &&
             (master || replication.contains("master_link_status:up"));
    });
  };
  EXPECT_TRUE(eventually(healthy)) << said(nodes[0], "CLUSTER NODES", "vars");
  const auto all_run = [&] {
    return std::ranges::all_of(supervisors, [](const auto& each) {
      const std::string text = each->tasks();
      size_t count = 0;
      for (size_t at = text.find("\"health\":\"running\""); at != std::string::npos;
           at = text.find("\"health\":\"running\"", at + 1)) {
        ++count;
      }
      return count == 2 * kMasters / kHosts && !text.contains("cluster state");
    });
  };
  EXPECT_TRUE(eventually(all_run)) << supervisors[0]->tasks();
  // The epochs of the file were kept: nobody had to settle anything.
  EXPECT_THAT(said(nodes[5], "CLUSTER INFO", "cluster_stats_messages_sent"), HasSubstr("cluster_current_epoch:6\r\n"));
  for (const auto& each : supervisors) each->stop_all(milliseconds(0));
}

}  // namespace
}  // namespace overlord::executor
