#include "jobs/plan.h"

#include <algorithm>

#include "placement/plan.h"

namespace overlord::jobs {

using model::CacheType;
using model::JobKind;

Planned plan(Scene& scene) {
  switch (scene.intent.kind) {
    case JobKind::create: return plan_create(scene);
    case JobKind::destroy: return plan_destroy(scene);
    case JobKind::scale: return plan_scale(scene);
    case JobKind::replace:
    case JobKind::recover:
    case JobKind::drain: return plan_replace(scene);
    case JobKind::restart:
    case JobKind::resize:
    case JobKind::configure:
    case JobKind::upgrade: return plan_rolling(scene);
    case JobKind::rebalance: return plan_rebalance(scene);
  }
  return std::unexpected(impossible("a job of an unknown kind"));
}

Planned plan_create(Scene& scene) {
  if (!scene.nodes.empty()) return std::unexpected(impossible("the cluster has nodes already"));
  const auto placed = placement::create(scene.fleet, rules_of(scene.cluster), scene.cluster.shards);
  if (!placed) return std::unexpected(refused(placed.error()));
  const std::vector<Place> places = places_of(scene, *placed);
  const std::vector<std::string> nodes = addresses_of(places);
  Steps steps{.acts = {}, .notes = placed->notes};
  add_places(steps, places, true);
  steps.acts.push_back({.kind = StepKind::launch, .nodes = nodes, .flag = true});
  steps.acts.push_back({.kind = StepKind::await_tasks, .nodes = nodes, .flag = true});
  if (scene.cluster.type == CacheType::redis_cluster) {
    steps.acts.push_back({.kind = StepKind::await_cluster});
    std::vector<std::string> masters;
    for (const Place& place : places) {
      if (place.role == model::Role::master) masters.push_back(address_of(place));
    }
    steps.acts.push_back({.kind = StepKind::promote, .nodes = masters});
  }
  return steps;
}

Planned plan_destroy(Scene& scene) {
  Steps steps;
  add_for_nodes(steps, {.kind = StepKind::stop}, addresses_of(scene.nodes));
  steps.acts.push_back({.kind = StepKind::remove_cluster});
  return steps;
}

placement::Rules rules_of(const model::Cluster& cluster) {
  const bool clustered = cluster.type == CacheType::redis_cluster;
  placement::Rules rules = clustered ? placement::chunk_rules(cluster.spec.memory_mib, cluster.spec.cpu_milli)
                                     : placement::dist_rules(cluster.spec.memory_mib, cluster.spec.cpu_milli);
  rules.replicas = clustered ? cluster.replicas : 0;
  rules.survives_host_loss = cluster.fault_tolerant;
  return rules;
}

placement::Layout layout_of(const std::vector<model::Node>& nodes) {
  placement::Layout layout;
  for (const model::Node& node : nodes) {
    layout.nodes.push_back(
        {.shard = node.shard,
         .role = node.role == model::Role::master ? placement::Role::master : placement::Role::replica,
         .host = node.host,
         .port = node.port});
  }
  return layout;
}

Obstacle refused(const placement::Refusal& refusal) { return {.reason = refusal.text(), .waits = true}; }
Obstacle impossible(std::string reason) { return {.reason = std::move(reason), .waits = false}; }

std::vector<Place> places_of(Scene& scene, const placement::Plan& plan) {
  std::vector<Place> places;
  for (const size_t index : plan.added) {
    const placement::Node& node = plan.after.nodes[index];
    places.push_back({.alias = ++scene.last_alias,
                      .host = node.host,
                      .port = node.port,
                      .shard = node.shard,
                      .role = node.role == placement::Role::master ? model::Role::master : model::Role::replica,
                      .node_id = scene.cluster.type == CacheType::redis_cluster ? random_id(*scene.random) : ""});
  }
  return places;
}

std::string address_of(const Place& place) { return model::address_of(place.host, place.port); }

std::vector<std::string> addresses_of(const std::vector<Place>& places) {
  std::vector<std::string> addresses;
  for (const Place& place : places) addresses.push_back(address_of(place));
  return addresses;
}

std::vector<std::string> addresses_of(const std::vector<model::Node>& nodes) {
  std::vector<std::string> addresses;
  for (const model::Node& node : nodes) addresses.push_back(node.address());
  return addresses;
}

void add_places(Steps& steps, const std::vector<Place>& places, bool in_force) {
  for (size_t i = 0; i < places.size(); i += kNodesPerStep) {
    const auto first = places.begin() + static_cast<ptrdiff_t>(i);
    const auto last = places.begin() + static_cast<ptrdiff_t>(std::min<size_t>(i + kNodesPerStep, places.size()));
    steps.acts.push_back({.kind = StepKind::place, .places = {first, last}, .flag = in_force});
  }
}

void add_for_nodes(Steps& steps, Act act, const std::vector<std::string>& nodes) {
  for (size_t i = 0; i < nodes.size(); i += kNodesPerStep) {
    const auto first = nodes.begin() + static_cast<ptrdiff_t>(i);
    const auto last = nodes.begin() + static_cast<ptrdiff_t>(std::min<size_t>(i + kNodesPerStep, nodes.size()));
    act.nodes.assign(first, last);
    steps.acts.push_back(act);
  }
}

void add_moves(Steps& steps, const std::string& from, const std::string& to, placement::SlotRange range) {
  for (uint32_t first = range.first; first <= range.last; first += kSlotsPerStep) {
    const uint32_t last = std::min<uint32_t>(first + kSlotsPerStep - 1, range.last);
    steps.acts.push_back({.kind = StepKind::move_slots,
                          .from = from,
                          .to = to,
                          .slots = {{static_cast<uint16_t>(first), static_cast<uint16_t>(last)}}});
  }
}

std::string random_id(std::mt19937_64& random) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  while (id.size() < 40) {
    uint64_t bits = random();
    for (int i = 0; i < 16 && id.size() < 40; ++i, bits >>= 4) id += kDigits[bits & 15];
  }
  return id;
}

const redisctl::ClusterNode* master_of(const redisctl::Topology& topology, const std::vector<model::Node>& nodes,
                                       uint32_t shard) {
  const redisctl::ClusterNode* found = nullptr;
  std::pair<bool, bool> found_rank;
  for (const model::Node& node : nodes) {
    if (node.shard != shard) continue;
    const redisctl::ClusterNode* const seen = redisctl::find(topology, node.node_id);
    if (seen == nullptr || !seen->master || seen->failed) continue;
    // New nodes all begin as masters, and one that was cut off may think that it still is; neither has slots.
    const std::pair rank(!seen->slots.empty(), node.role == model::Role::master);
    if (found == nullptr || rank > found_rank) {
      found = seen;
      found_rank = rank;
    }
  }
  return found;
}

}  // namespace overlord::jobs
