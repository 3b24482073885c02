#include <algorithm>
#include <set>

#include "jobs/plan.h"
#include "placement/plan.h"

namespace overlord::jobs {
namespace {

using model::JobKind;
using model::Node;
using model::Role;

// One node that goes, and the place of the one that comes for it.
struct Pair {
  const Node* old = nullptr;
  Place fresh{};
  bool lives = false;  // the old one
};

bool lives(const Scene& scene, const Node& node) {
  if (std::ranges::find(scene.dead, node.address()) != scene.dead.end()) return false;
  const redisctl::ClusterNode* const seen = redisctl::find(scene.topology, node.node_id);
  return node.node_id.empty() || (seen != nullptr && !seen->failed);
}

bool shard_lives(const Scene& scene, uint32_t shard) {
  return std::ranges::any_of(scene.nodes, [&](const Node& node) { return node.shard == shard && lives(scene, node); });
}

placement::Outcome new_places(const Scene& scene, std::vector<std::string>& unknown) {
  const placement::Layout layout = layout_of(scene.nodes);
  if (scene.intent.kind != JobKind::replace) {
    return placement::vacate(scene.fleet, rules_of(scene.cluster), layout, scene.intent.hosts);
  }
  std::vector<size_t> leaving;
  std::vector<std::string> not_on;
  for (const std::string& address : scene.intent.nodes) {
    const auto found = std::ranges::find(scene.nodes, address, &Node::address);
    if (found == scene.nodes.end()) {
      unknown.push_back(address);
      continue;
    }
    leaving.push_back(static_cast<size_t>(found - scene.nodes.begin()));
    not_on.push_back(found->host);
  }
  return placement::replace(scene.fleet, rules_of(scene.cluster), layout, leaving, not_on);
}

std::vector<Pair> pairs_of(Scene& scene, const placement::Plan& placed) {
  std::vector<Place> places = places_of(scene, placed);
  std::vector<Pair> pairs;
  for (size_t i = 0; i < places.size(); ++i) {
    const std::string address = model::address_of(placed.removed[i].host, placed.removed[i].port);
    const Node& old = *std::ranges::find(scene.nodes, address, &Node::address);
    places[i].alias = old.alias;
    pairs.push_back({.old = &old, .fresh = std::move(places[i]), .lives = lives(scene, old)});
  }
  scene.last_alias -= places.size();  // they keep those they stand in for
  return pairs;
}

// New nodes of a redis_cluster take over from the old ones: as replicas of what is left of their shards, or with the
// slots of a shard of which nothing is left.
void add_taking_over(const Scene& scene, const std::vector<Pair>& pairs, Steps& steps) {
  std::set<uint32_t> adopted;
  std::vector<std::string> copies;
  std::vector<std::string> masters;
  for (const Role role : {Role::master, Role::replica}) {
    for (const Pair& pair : pairs) {
      if (pair.fresh.role != role) continue;
      const std::string address = address_of(pair.fresh);
      if (shard_lives(scene, pair.fresh.shard) || !adopted.insert(pair.fresh.shard).second) {
        copies.push_back(address);
        continue;
      }
      Act adopt{.kind = StepKind::adopt_slots, .nodes = {address}};
      for (const Node& node : scene.nodes) {
        if (node.shard == pair.fresh.shard) adopt.ids.push_back(node.node_id);
      }
      steps.acts.push_back(std::move(adopt));
    }
  }
  if (!copies.empty()) {
    steps.acts.push_back({.kind = StepKind::await_master, .nodes = copies});
    add_for_nodes(steps, {.kind = StepKind::replicate}, copies);
  }
  for (const Pair& pair : pairs) {
    const redisctl::ClusterNode* const seen = redisctl::find(scene.topology, pair.old->node_id);
    if (pair.lives && seen != nullptr && seen->master) masters.push_back(address_of(pair.fresh));
  }
  if (!masters.empty()) steps.acts.push_back({.kind = StepKind::promote, .nodes = masters, .flag = true});
}

void add_going(const Scene& scene, const std::vector<Pair>& pairs, Steps& steps) {
  std::vector<std::string> going;
  Act forget{.kind = StepKind::forget};
  for (const Pair& pair : pairs) {
    going.push_back(pair.old->address());
    forget.ids.push_back(pair.old->node_id);
  }
  if (scene.topology.empty()) return add_for_nodes(steps, {.kind = StepKind::stop}, going);
  // Ended before they are forgotten, so that no gossip of theirs brings them back.
  add_for_nodes(steps, {.kind = StepKind::stop, .flag = true}, going);
  steps.acts.push_back(std::move(forget));
  add_for_nodes(steps, {.kind = StepKind::stop}, going);
}

}  // namespace

Planned plan_replace(Scene& scene) {
  const bool clustered = scene.cluster.type == model::CacheType::redis_cluster;
  std::vector<std::string> unknown;
  const auto placed = new_places(scene, unknown);
  if (!unknown.empty()) {
    return std::unexpected(impossible("the cluster has no node " + unknown.front() + " (any more)"));
  }
  if (!placed) return std::unexpected(refused(placed.error()));
  if (placed->added.empty()) return Steps{.acts = {}, .notes = placed->notes};
  if (clustered && scene.topology.empty()) {
    return std::unexpected(Obstacle{.reason = "no node of the cluster answers", .waits = true});
  }
  const std::vector<Pair> pairs = pairs_of(scene, *placed);
  std::vector<Place> places;
  for (const Pair& pair : pairs) places.push_back(pair.fresh);
  const std::vector<std::string> fresh = addresses_of(places);

  Steps steps{.acts = {}, .notes = placed->notes};
  add_places(steps, places, false);
  steps.acts.push_back({.kind = StepKind::launch, .nodes = fresh});
  steps.acts.push_back({.kind = StepKind::await_tasks, .nodes = fresh, .flag = true});
  if (clustered) {
    steps.acts.push_back({.kind = StepKind::meet, .nodes = fresh});
    add_taking_over(scene, pairs, steps);
  }
  add_for_nodes(steps, {.kind = StepKind::enlist}, fresh);
  add_going(scene, pairs, steps);
  if (clustered) {
    steps.acts.push_back({.kind = StepKind::await_cluster});
    std::vector<std::string> masters;
    for (const Place& place : places) {
      if (place.role == Role::master) masters.push_back(address_of(place));
    }
    if (!masters.empty()) steps.acts.push_back({.kind = StepKind::promote, .nodes = masters});
  }
  return steps;
}

}  // namespace overlord::jobs
