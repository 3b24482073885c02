#pragma once
// Planners: from what is wanted and what is there to the steps that lead from one to the other. Pure functions of a
// Scene; they serve the scheduler and dry runs alike.

#include <expected>
#include <random>
#include <string>
#include <vector>

#include "jobs/step.h"
#include "model/cluster.h"
#include "model/job.h"
#include "placement/fleet.h"
#include "placement/model.h"
#include "redisctl/admin.h"

namespace overlord::jobs {

// A node of memcache or redis in full service has this weight; new ones rise to it by eighths, so that a proxy's ring
// gives them keys little by little.
inline constexpr uint32_t kFullWeight = 8;
inline constexpr uint32_t kRampHold = 5000;    // ms at each weight
inline constexpr uint32_t kNodesPerStep = 50;  // of steps that write records: a transaction is bounded
inline constexpr uint32_t kSlotsPerStep = 256;

struct Scene {
  model::Intent intent;
  model::Cluster cluster;
  std::vector<model::Node> nodes;     // in force
  placement::Fleet fleet{{}};         // what is free, for this cluster's group
  redisctl::Topology topology{};      // of a redis_cluster, as one of its nodes sees it; empty: none answers
  std::vector<std::string> dead{};    // nodes that do not run: addresses
  uint64_t last_alias = 0;            // counted up by what is placed
  std::mt19937_64* random = nullptr;  // for ids
  uint32_t ramp_hold = kRampHold;
};

struct Steps {
  std::vector<Act> acts;
  std::vector<std::string> notes{};  // for operators
};

// Why there is no plan. waits: there may be one later, when hosts have more room or nodes answer.
struct Obstacle {
  std::string reason;
  bool waits = false;
};

using Planned = std::expected<Steps, Obstacle>;

Planned plan(Scene& scene);

Planned plan_create(Scene& scene);
Planned plan_destroy(Scene& scene);
Planned plan_scale(Scene& scene);
Planned plan_replace(Scene& scene);  // of nodes, or all of lost or draining hosts
Planned plan_rolling(Scene& scene);  // restart, upgrade, resize, configure
Planned plan_rebalance(Scene& scene);

// What planners share.
placement::Rules rules_of(const model::Cluster& cluster);
placement::Layout layout_of(const std::vector<model::Node>& nodes);
Obstacle refused(const placement::Refusal& refusal);
Obstacle impossible(std::string reason);
// Places for what a placement added, with aliases and ids.
std::vector<Place> places_of(Scene& scene, const placement::Plan& plan);
std::string address_of(const Place& place);
std::vector<std::string> addresses_of(const std::vector<Place>& places);
std::vector<std::string> addresses_of(const std::vector<model::Node>& nodes);
// The same act for a few nodes at a time.
void add_places(Steps& steps, const std::vector<Place>& places, bool in_force);
void add_for_nodes(Steps& steps, Act act, const std::vector<std::string>& nodes);
void add_moves(Steps& steps, const std::string& from, const std::string& to, placement::SlotRange range);
std::string random_id(std::mt19937_64& random);
// The node that is the master of that shard now; nullptr: it has none.
const redisctl::ClusterNode* master_of(const redisctl::Topology& topology, const std::vector<model::Node>& nodes,
                                       uint32_t shard);

}  // namespace overlord::jobs
