#include <algorithm>

#include "jobs/plan.h"

namespace overlord::jobs {
namespace {

using model::CacheType;
using model::JobKind;
using model::Node;
using model::Role;

// Those that are masters now come last: by then their replicas are what they shall be, and can take over.
std::vector<Node> in_order(const Scene& scene, std::vector<Node> nodes) {
  const auto is_master = [&](const Node& node) {
    const redisctl::ClusterNode* const seen = redisctl::find(scene.topology, node.node_id);
    return seen != nullptr && seen->master;
  };
  std::ranges::stable_sort(nodes, {}, [&](const Node& node) { return std::pair(is_master(node), node.alias); });
  return nodes;
}

std::expected<std::vector<Node>, Obstacle> chosen(const Scene& scene) {
  if (scene.intent.kind != JobKind::restart || scene.intent.nodes.empty()) return scene.nodes;
  std::vector<Node> nodes;
  for (const std::string& address : scene.intent.nodes) {
    const auto found = std::ranges::find(scene.nodes, address, &Node::address);
    if (found == scene.nodes.end()) {
      return std::unexpected(impossible("the cluster has no node " + address + " (any more)"));
    }
    nodes.push_back(*found);
  }
  return nodes;
}

// More memory needs room on every host of the cluster, beside what its nodes have.
std::expected<void, Obstacle> check_room(const Scene& scene) {
  const uint32_t before = scene.cluster.spec.memory_mib;
  if (scene.intent.kind != JobKind::resize || scene.intent.memory_mib <= before) return {};
  std::string shortage;
  for (const placement::Host& host : scene.fleet.hosts()) {
    const auto count = static_cast<uint64_t>(std::ranges::count(scene.nodes, host.name, &Node::host));
    const uint64_t needed = count * (scene.intent.memory_mib - before);
    if (needed <= host.memory_mib) continue;
    shortage += (shortage.empty() ? "" : "; ") + host.name + " has " + std::to_string(host.memory_mib) + " MiB left, " +
                std::to_string(needed - host.memory_mib) + " MiB more needed";
  }
  if (shortage.empty()) return {};
  return std::unexpected(Obstacle{.reason = "memory: " + shortage, .waits = true});
}

}  // namespace

Planned plan_rolling(Scene& scene) {
  const model::Intent& intent = scene.intent;
  const bool clustered = scene.cluster.type == CacheType::redis_cluster;
  const auto nodes = chosen(scene);
  if (!nodes) return std::unexpected(nodes.error());
  if (clustered && scene.topology.empty()) {
    return std::unexpected(Obstacle{.reason = "no node of the cluster answers", .waits = true});
  }
  if (const auto room = check_room(scene); !room) return std::unexpected(room.error());

  Steps steps;
  if (intent.kind != JobKind::restart) {
    steps.acts.push_back(
        {.kind = StepKind::update_cluster,
         .memory_mib = intent.kind == JobKind::resize ? intent.memory_mib : 0,
         .version = intent.kind == JobKind::upgrade ? intent.version : "",
         .settings = intent.kind == JobKind::configure ? intent.settings : decltype(intent.settings){}});
  }
  if (intent.kind == JobKind::configure && scene.cluster.type != CacheType::memcache) {
    add_for_nodes(steps, {.kind = StepKind::configure, .settings = intent.settings}, addresses_of(*nodes));
    return steps;
  }
  for (const Node& node : in_order(scene, *nodes)) {
    const std::string address = node.address();
    if (clustered) steps.acts.push_back({.kind = StepKind::step_down, .nodes = {address}});
    steps.acts.push_back({.kind = StepKind::restart, .nodes = {address}, .number = node.incarnation + 1});
    steps.acts.push_back({.kind = StepKind::await_tasks, .nodes = {address}, .number = node.incarnation + 1});
    if (clustered) steps.acts.push_back({.kind = StepKind::await_cluster});
  }
  if (!clustered) return steps;
  std::vector<std::string> masters;
  for (const Node& node : *nodes) {
    if (node.role == Role::master) masters.push_back(node.address());
  }
  if (!masters.empty()) steps.acts.push_back({.kind = StepKind::promote, .nodes = masters});
  return steps;
}

}  // namespace overlord::jobs
