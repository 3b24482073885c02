#pragma once
// For tests: schedulers that carry out jobs in a World, one after another, and what must hold when they are done.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/plan.h"
#include "jobs/runner.h"
#include "jobs/sim_world.h"
#include "jobs/submit.h"
#include "placement/check.h"
#include "store/keys.h"

namespace overlord::jobs::sim {

// One scheduler process, from when it leads until it is killed.
struct Scheduler {
  explicit Scheduler(World& world, Fuse fuse_of = {})
      : fuse(std::move(fuse_of)),
        store(world.store, fuse),
        engine(world, fuse),
        redis(world, fuse),
        runner(store, {}, engine, redis, world, world.random(), timing(), {}) {}
  static Timing timing() {
    Timing timing;
    timing.ramp_hold = 500;
    return timing;
  }

  Fuse fuse;
  SimStore store;
  SimEngine engine;
  SimRedis redis;
  Runner runner;
};

class Play {
 public:
  explicit Play(uint64_t seed, uint32_t hosts = 6) : world(seed) {
    for (uint32_t i = 1; i <= hosts; ++i) world.add_host("10.0.0." + std::to_string(i), 64'000);
  }

  static model::Cluster cluster(model::CacheType type, uint32_t shards = 3) {
    model::Cluster cluster{.name = "a", .type = type, .version = "7.0.15", .group = "g", .spec = {500, 512}};
    cluster.shards = shards;
    cluster.replicas = type == model::CacheType::redis_cluster ? 1 : 0;
    return cluster;
  }
  std::string create(model::Cluster cluster) {
    const auto job = submit_create(world.store, std::move(cluster), "tester", world.at);
    EXPECT_TRUE(job.has_value()) << job.error().message;
    return job ? job->id() : "";
  }
  std::string begin(const model::Intent& intent) {
    const auto job = submit(world.store, intent, "tester", world.at);
    EXPECT_TRUE(job.has_value()) << job.error().message;
    return job ? job->id() : "";
  }

  model::Job job(const std::string& id) const { return read().jobs.at(id).value; }
  State read() const {
    State state;
    for (const auto& [key, record] : world.store.records()) state.put(record);
    return state;
  }

  // Turns of this scheduler until `enough`, or until it is killed, or the limit (virtual time). True: enough.
  template <typename Enough>
  bool run(Scheduler& scheduler, const Enough& enough, Moment limit = 1'200'000) {
    const Moment until = world.at + limit;
    constexpr Moment kLong = 3'600'000;  // an hour is looked at more coarsely
    const Moment step = limit < kLong ? 100 : 1000;
    while (world.at < until && !scheduler.fuse.dead) {
      scheduler.runner.turn(std::chrono::milliseconds(0));
      if (scheduler.fuse.dead) return false;
      if (enough()) return true;
      world.advance(step);
    }
    return false;
  }
  bool finish(Scheduler& scheduler, const std::string& id) {
    return run(scheduler, [&] {
      const auto found = scheduler.runner.state().jobs.find(id);
      return found != scheduler.runner.state().jobs.end() && is_over(found->second.value.state);
    });
  }

  // Everything as records say, and nothing else; empty: it is.
  std::vector<std::string> faults() {
    std::vector<std::string> found;
    const State state = read();
    std::multiset<std::string> named;
    for (const auto& [address, kept] : state.nodes) named.insert(address);
    if (named != world.running()) found.push_back("runs: " + shown(world.running()) + " named: " + shown(named));
    for (const auto& [name, kept] : state.clusters) check_cluster(state, kept.value, found);
    for (const auto& [name, addresses] : state.in_force) {
      if (state.cluster(name) == nullptr) found.push_back("nodes of " + name + ", which is no more, are in force");
    }
    return found;
  }

  // The end state in words, equal when it is the same.
  std::string signature() {
    const State state = read();
    std::string text;
    for (const auto& [name, kept] : state.clusters) {
      const model::Cluster& cluster = kept.value;
      text += "cluster " + name + " shards " + std::to_string(cluster.shards) + " " + to_string(cluster.spec) + " " +
              cluster.version + " " + std::string(to_string(cluster.state));
      for (const auto& [setting, value] : cluster.settings) text += " " + setting + "=" + value;
      text += "\n";
    }
    for (const auto& [address, kept] : state.nodes) {
      const model::Node& node = kept.value;
      text += address + " alias " + std::to_string(node.alias) + " shard " + std::to_string(node.shard) + " " +
              std::string(to_string(node.role)) + " weight " + std::to_string(node.weight) + " " + node.version + " " +
              to_string(node.spec) + (state.is_in_force(node) ? " in force" : "");
      const auto proc = world.buses.procs.find(address);
      if (node.type == model::CacheType::redis_cluster && proc != world.buses.procs.end()) {
        text += " slots " + std::to_string(proc->second.claims.count());
      }
      text += "\n";
    }
    return text;
  }
  uint64_t keys() {
    uint64_t sum = 0;
    for (const auto& [address, proc] : world.buses.procs) {
      if (proc.away != 0 || !proc.master.empty()) continue;
      for (const auto& [slot, count] : proc.keys) sum += count;
    }
    return sum;
  }
  void fill() {
    for (auto& [address, proc] : world.buses.procs) {
      for (size_t slot = proc.claims._Find_first(); slot < kSlots; slot = proc.claims._Find_next(slot)) {
        if (slot % 128 == 0) proc.keys[static_cast<uint16_t>(slot)] = 150;
      }
    }
  }

  World world;

 private:
  static std::string shown(const std::multiset<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += name + " ";
    return text;
  }

  void check_cluster(const State& state, const model::Cluster& cluster, std::vector<std::string>& found) {
    const std::vector<model::Node> nodes = state.cluster_nodes(cluster.name);
    const size_t expected = static_cast<size_t>(cluster.shards) * (cluster.replicas + 1);
    if (nodes.size() != expected)
      found.push_back(std::to_string(nodes.size()) + " nodes, not " + std::to_string(expected));
    if (cluster.state != model::ClusterState::done)
      found.push_back("state " + std::string(to_string(cluster.state)) + " " + cluster.reason);
    if (!cluster.job.empty()) found.push_back("still locked by " + cluster.job);
    std::set<uint64_t> aliases;
    for (const model::Node& node : nodes) {
      if (!state.is_in_force(node)) found.push_back(node.address() + " is not in force");
      if (!aliases.insert(node.alias).second) found.push_back("two nodes of alias " + std::to_string(node.alias));
      const auto task = world.tasks.find(node.task);
      if (task == world.tasks.end() || task->second.state != engine::TaskState::running) {
        found.push_back(node.address() + " does not run");
      }
      const bool clustered = cluster.type == model::CacheType::redis_cluster;
      if (node.weight != (clustered ? 1 : kFullWeight))
        found.push_back(node.address() + " has weight " + std::to_string(node.weight));
    }
    const auto rule = check_rules(cluster, nodes);
    found.insert(found.end(), rule.begin(), rule.end());
    if (cluster.type == model::CacheType::redis_cluster) check_slots(cluster, nodes, found);
  }

  std::vector<std::string> check_rules(const model::Cluster& cluster, const std::vector<model::Node>& nodes) const {
    std::vector<placement::Host> hosts;
    for (const auto& [name, host] : world.hosts) hosts.push_back({.name = name, .group = host.host.group});
    return placement::check_layout(hosts, rules_of(cluster), layout_of(nodes));
  }

  void check_slots(const model::Cluster& cluster, const std::vector<model::Node>& nodes,
                   std::vector<std::string>& found) {
    std::set<std::string> ids;
    for (const model::Node& node : nodes) ids.insert(node.node_id);
    std::map<uint32_t, uint32_t> masters;  // with slots, by shard
    std::vector<uint32_t> claimed(kSlots, 0);
    for (const model::Node& node : nodes) {
      const auto at = world.buses.procs.find(node.address());
      if (at == world.buses.procs.end()) {
        found.push_back(node.address() + " has no server");
        continue;
      }
      const Proc& proc = at->second;
      if (proc.id != node.node_id) found.push_back(node.address() + " runs as " + proc.id);
      std::set<std::string> known = proc.known;
      known.insert(proc.id);
      if (known != ids)
        found.push_back(node.address() + " knows " + std::to_string(known.size()) + " nodes, not " +
                        std::to_string(ids.size()));
      if (!proc.migrating.empty() || !proc.importing.empty())
        found.push_back(node.address() + " has slots that are being moved");
      if (proc.claims.any()) ++masters[node.shard];
      if (proc.claims.any() && !proc.master.empty()) found.push_back(node.address() + " is a replica with slots");
      for (size_t slot = proc.claims._Find_first(); slot < kSlots; slot = proc.claims._Find_next(slot)) ++claimed[slot];
    }
    if (std::ranges::any_of(claimed, [](uint32_t count) { return count != 1; })) {
      found.push_back("slots that nobody has, or that two have");
    }
    for (const auto& [shard, count] : masters) {
      if (count != 1) found.push_back("shard " + std::to_string(shard) + " has " + std::to_string(count) + " masters");
    }
    if (masters.size() != cluster.shards) found.push_back(std::to_string(masters.size()) + " shards have slots");
    for (const model::Node& node : nodes) {
      const auto at = world.buses.procs.find(node.address());
      if (at == world.buses.procs.end() || at->second.claims.any()) continue;
      const auto master = std::ranges::find(nodes, at->second.master, &model::Node::node_id);
      if (master == nodes.end() || master->shard != node.shard)
        found.push_back(node.address() + " copies another shard");
    }
  }
};

}  // namespace overlord::jobs::sim
