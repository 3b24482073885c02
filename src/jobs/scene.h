#pragma once
// Scenes for planners, from what the leader sees.

#include "jobs/plan.h"
#include "jobs/tools.h"

namespace overlord::jobs {

// What is free for a group: the engine's word, less what nodes will need that records name and that do not run (yet), and
// less what open jobs have planned. Hosts that cannot be reached, and those that operators drain, take nothing.
placement::Fleet fleet_of(const State& state, const std::vector<engine::HostStatus>& hosts, const TaskBoard* tasks,
                          const std::string& group);

// redis_cluster: one of its nodes is asked.
Scene scene_of(Tools& tools, const model::Job& job, const model::Cluster& cluster, std::mt19937_64& random);

// Steps that take away nodes that an earlier job has left behind.
Steps steps_to_clear(const State& state, const model::Job& job, const model::Cluster& cluster);

}  // namespace overlord::jobs
