#pragma once
// Acts: carries out one step, or takes it back. Each function looks at what is there and does what is missing, so it may
// be called any number of times, by one leader after another, until it reports `done`. No call takes long: what needs
// time reports `again`.

#include "jobs/machine.h"
#include "jobs/step.h"
#include "jobs/tools.h"

namespace overlord::jobs {

// step: the one that the act came from; when it began counts for what takes its time.
Report perform(Tools& tools, const model::Job& job, const model::Step& step, const Act& act);
Report take_back(Tools& tools, const model::Job& job, const model::Step& step, const Act& act);

// One file for each family. What they do not know they are not asked.
Report place_nodes(Tools& tools, const model::Job& job, const Act& act);
Report launch_nodes(Tools& tools, const model::Job& job, const Act& act);
Report await_tasks(Tools& tools, const model::Job& job, const model::Step& step, const Act& act);
Report stop_nodes(Tools& tools, const std::vector<std::string>& nodes, bool keep_records);
Report restart_nodes(Tools& tools, const Act& act);

Report set_in_force(Tools& tools, const std::vector<std::string>& nodes, bool in_force, std::optional<uint32_t> weight);
Report ramp(Tools& tools, const model::Step& step, const Act& act);
Report update_cluster(Tools& tools, const model::Job& job, const Act& act, bool back);
Report remove_cluster(Tools& tools, const model::Job& job);

Report await_cluster(Tools& tools, const model::Job& job, const model::Step& step);
Report meet_nodes(Tools& tools, const model::Job& job, const Act& act);
Report replicate_nodes(Tools& tools, const model::Job& job, const Act& act);
Report promote_nodes(Tools& tools, const model::Job& job, const model::Step& step, const Act& act);
Report step_down(Tools& tools, const model::Job& job, const model::Step& step, const Act& act);
Report await_masters(Tools& tools, const model::Job& job, const model::Step& step, const Act& act);
Report forget_nodes(Tools& tools, const model::Job& job, const std::vector<std::string>& ids);
Report configure_nodes(Tools& tools, const Act& act);

Report move_slots(Tools& tools, const model::Job& job, const Act& act, bool back);
Report adopt_slots(Tools& tools, const model::Job& job, const Act& act);

// The nodes of a cluster that are in force, or that this job is bringing in.
std::vector<model::Node> members(Tools& tools, const model::Job& job);
std::vector<model::Node> running(Tools& tools, const std::vector<model::Node>& nodes);
// Not done: some of these do not run. Those that the job brought in are started again; others are healing's business.
Report need_running(Tools& tools, const model::Job& job, const std::vector<std::string>& nodes);
// "a, b, c and 4 more".
std::string some_of(const std::vector<std::string>& names);
// A commit that failed, as an attempt that did.
Report not_stored(const store::Error& error);

}  // namespace overlord::jobs
