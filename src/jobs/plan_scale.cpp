#include <algorithm>
#include <map>
#include <set>

#include "jobs/plan.h"
#include "placement/plan.h"
#include "placement/slots.h"

namespace overlord::jobs {
namespace {

using model::CacheType;
using model::Role;

// A scaling that failed may have left more or less than the cluster's record says.
uint32_t shards_there(const Scene& scene) {
  std::set<uint32_t> shards;
  for (const model::Node& node : scene.nodes) shards.insert(node.shard);
  return static_cast<uint32_t>(shards.size());
}

Act new_size(const Scene& scene) {
  return {.kind = StepKind::update_cluster, .shards = scene.intent.shards, .old_shards = scene.cluster.shards};
}

std::vector<std::string> of_role(const std::vector<Place>& places, Role role) {
  std::vector<std::string> addresses;
  for (const Place& place : places) {
    if (place.role == role) addresses.push_back(address_of(place));
  }
  return addresses;
}

void add_ramp(Steps& steps, const std::vector<std::string>& nodes, uint32_t weight, uint32_t hold, bool leaving) {
  if (nodes.empty()) return;
  add_for_nodes(steps, {.kind = StepKind::ramp, .number = weight, .flag = leaving}, nodes);
  steps.acts.back().hold = hold;
}

// The masters of a redis_cluster with their slots, as they are, and those to come.
struct Masters {
  std::vector<std::string> ids;
  std::vector<placement::SlotOwner> owners;

  void add(const std::string& id, std::vector<placement::SlotRange> slots, bool leaving) {
    ids.push_back(id);
    owners.push_back({std::move(slots), leaving});
  }
  void add_moves_to(Steps& steps) const {
    for (const placement::SlotMove& move : placement::balance_slots(owners)) {
      add_moves(steps, ids[move.from], ids[move.to], move.slots);
    }
  }
};

std::expected<Masters, Obstacle> masters_now(const Scene& scene, const std::set<uint32_t>& leaving) {
  std::set<uint32_t> shards;
  for (const model::Node& node : scene.nodes) shards.insert(node.shard);
  Masters masters;
  uint32_t slots = 0;
  for (const uint32_t shard : shards) {
    const redisctl::ClusterNode* const master = master_of(scene.topology, scene.nodes, shard);
    if (master == nullptr) {
      return std::unexpected(
          Obstacle{.reason = "shard " + std::to_string(shard) + " has no master that lives", .waits = true});
    }
    for (const placement::SlotRange& range : master->slots) slots += range.size();
    masters.add(master->id, master->slots, leaving.contains(shard));
  }
  if (slots != 16384) {
    return std::unexpected(
        Obstacle{.reason = "only " + std::to_string(slots) + " of 16384 slots are served", .waits = true});
  }
  return masters;
}

Planned grow(Scene& scene) {
  const uint32_t more = scene.intent.shards - shards_there(scene);
  const bool clustered = scene.cluster.type == CacheType::redis_cluster;
  const auto placed = more == 0 ? placement::Outcome(placement::Plan{})
                                : placement::append(scene.fleet, rules_of(scene.cluster), layout_of(scene.nodes), more);
  if (!placed) return std::unexpected(refused(placed.error()));
  const std::vector<Place> places = places_of(scene, *placed);
  std::vector<std::string> nodes = addresses_of(places);
  Steps steps{.acts = {}, .notes = placed->notes};
  add_places(steps, places, false);
  if (!nodes.empty()) {
    steps.acts.push_back({.kind = StepKind::launch, .nodes = nodes});
    steps.acts.push_back({.kind = StepKind::await_tasks, .nodes = nodes, .flag = true});
  }
  if (!clustered) {
    for (const model::Node& node : scene.nodes) {
      if (node.shard >= scene.cluster.shards && node.weight < kFullWeight) nodes.push_back(node.address());
    }
    for (uint32_t weight = 1; weight <= kFullWeight; ++weight) {
      add_ramp(steps, nodes, weight, weight == kFullWeight ? 0 : scene.ramp_hold, false);
    }
    steps.acts.push_back(new_size(scene));
    return steps;
  }
  auto masters = masters_now(scene, {});
  if (!masters) return std::unexpected(masters.error());
  for (const Place& place : places) {
    if (place.role == Role::master) masters->add(place.node_id, {}, false);
  }
  if (!nodes.empty()) steps.acts.push_back({.kind = StepKind::meet, .nodes = nodes});
  add_for_nodes(steps, {.kind = StepKind::replicate}, of_role(places, Role::replica));
  add_for_nodes(steps, {.kind = StepKind::enlist}, nodes);
  masters->add_moves_to(steps);
  steps.acts.push_back(new_size(scene));
  steps.acts.push_back({.kind = StepKind::await_cluster});
  return steps;
}

Planned shrink(Scene& scene) {
  const auto placed =
      placement::shrink(scene.fleet, rules_of(scene.cluster), layout_of(scene.nodes), scene.intent.shards);
  if (!placed) return std::unexpected(refused(placed.error()));
  std::vector<std::string> nodes;
  std::set<uint32_t> shards;
  for (const placement::Node& node : placed->removed) {
    nodes.push_back(model::address_of(node.host, node.port));
    shards.insert(node.shard);
  }
  Steps steps{.acts = {}, .notes = placed->notes};
  if (scene.cluster.type != CacheType::redis_cluster) {
    for (uint32_t weight = kFullWeight - 1; weight > 0; --weight) add_ramp(steps, nodes, weight, scene.ramp_hold, true);
    add_ramp(steps, nodes, 0, scene.ramp_hold, true);
    steps.acts.push_back(new_size(scene));
    add_for_nodes(steps, {.kind = StepKind::stop}, nodes);
    return steps;
  }
  auto masters = masters_now(scene, shards);
  if (!masters) return std::unexpected(masters.error());
  masters->add_moves_to(steps);
  steps.acts.push_back(new_size(scene));
  Act forget{.kind = StepKind::forget};
  // Replicas first: one whose master is forgotten would look for another to copy.
  for (const Role role : {Role::replica, Role::master}) {
    for (const model::Node& node : scene.nodes) {
      if (!shards.contains(node.shard)) continue;
      const redisctl::ClusterNode* const seen = redisctl::find(scene.topology, node.node_id);
      if ((seen != nullptr && seen->master) == (role == Role::master)) forget.ids.push_back(node.node_id);
    }
  }
  // They are ended before they are forgotten, so that no gossip of theirs brings them back.
  add_for_nodes(steps, {.kind = StepKind::stop, .flag = true}, nodes);
  steps.acts.push_back(std::move(forget));
  add_for_nodes(steps, {.kind = StepKind::stop}, nodes);
  steps.acts.push_back({.kind = StepKind::await_cluster});
  return steps;
}

}  // namespace

Planned plan_scale(Scene& scene) {
  if (scene.intent.shards == 0) return std::unexpected(impossible("a cluster cannot have 0 masters"));
  if (scene.intent.shards == scene.cluster.shards && scene.intent.shards == shards_there(scene)) return Steps{};
  return scene.intent.shards >= shards_there(scene) ? grow(scene) : shrink(scene);
}

Planned plan_rebalance(Scene& scene) {
  if (scene.cluster.type != CacheType::redis_cluster) {
    return std::unexpected(impossible("only a redis_cluster has roles and slots to rebalance"));
  }
  Steps steps;
  auto masters = masters_now(scene, {});
  if (!masters) return std::unexpected(masters.error());
  masters->add_moves_to(steps);
  std::vector<std::string> planned;
  for (const model::Node& node : scene.nodes) {
    if (node.role == Role::master) planned.push_back(node.address());
  }
  steps.acts.push_back({.kind = StepKind::promote, .nodes = planned});
  steps.acts.push_back({.kind = StepKind::await_cluster});
  return steps;
}

}  // namespace overlord::jobs
