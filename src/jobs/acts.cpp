#include "jobs/acts.h"

namespace overlord::jobs {

Report perform(Tools& tools, const model::Job& job, const model::Step& step, const Act& act) {
  switch (act.kind) {
    case StepKind::place: return place_nodes(tools, job, act);
    case StepKind::launch: return launch_nodes(tools, job, act);
    case StepKind::await_tasks: return await_tasks(tools, job, step, act);
    case StepKind::enlist: return set_in_force(tools, act.nodes, true, std::nullopt);
    case StepKind::ramp: return ramp(tools, step, act);
    case StepKind::stop: return stop_nodes(tools, act.nodes, act.flag);
    case StepKind::await_cluster: return await_cluster(tools, job, step);
    case StepKind::meet: return meet_nodes(tools, job, act);
    case StepKind::replicate: return replicate_nodes(tools, job, act);
    case StepKind::promote: return promote_nodes(tools, job, step, act);
    case StepKind::step_down: return step_down(tools, job, step, act);
    case StepKind::await_master: return await_masters(tools, job, step, act);
    case StepKind::move_slots: return move_slots(tools, job, act, false);
    case StepKind::adopt_slots: return adopt_slots(tools, job, act);
    case StepKind::forget: return forget_nodes(tools, job, act.ids);
    case StepKind::restart: return restart_nodes(tools, act);
    case StepKind::configure: return configure_nodes(tools, act);
    case StepKind::update_cluster: return update_cluster(tools, job, act, false);
    case StepKind::remove_cluster: return remove_cluster(tools, job);
  }
  return Report::broken("a step of an unknown kind");
}

Report take_back(Tools& tools, const model::Job& job, const model::Step& step, const Act& act) {
  // What was never begun has done nothing, but for the first of these, which may have been killed in it.
  if (step.state == model::StepState::pending && step.began == 0 && act.kind != StepKind::place &&
      act.kind != StepKind::move_slots && act.kind != StepKind::meet) {
    return Report::done();
  }
  switch (act.kind) {
    case StepKind::place: {
      std::vector<std::string> nodes;
      for (const Place& place : act.places) {
        const model::Node* const node = tools.state().node(model::address_of(place.host, place.port));
        if (node != nullptr && node->job == job.id()) nodes.push_back(node->address());
      }
      return stop_nodes(tools, nodes, false);
    }
    case StepKind::enlist: return set_in_force(tools, act.nodes, false, std::nullopt);
    case StepKind::ramp: return set_in_force(tools, act.nodes, act.flag, act.flag ? act.number + 1 : act.number);
    case StepKind::meet: {
      // Ended first, so that no gossip of theirs brings them back.
      Report ended = stop_nodes(tools, act.nodes, true);
      if (ended.kind != Report::Kind::done) return ended;
      std::vector<std::string> ids;
      for (const std::string& address : act.nodes) {
        if (const model::Node* const node = tools.state().node(address)) ids.push_back(node->node_id);
      }
      return forget_nodes(tools, job, ids);
    }
    case StepKind::move_slots: return move_slots(tools, job, act, true);
    case StepKind::update_cluster: return update_cluster(tools, job, act, true);
    default: return Report::done();
  }
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t kMost = 5;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kMost; ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kMost) text += " and " + std::to_string(names.size() - kMost) + " more";
  return text;
}

Report not_stored(const store::Error& error) {
  return Report::failed(std::string("the store (") + store::to_string(error.trouble) + "): " + error.message);
}

}  // namespace overlord::jobs
