#include "jobs/step.h"

namespace overlord::jobs {
namespace {

std::string nodes_text(const std::vector<std::string>& nodes) {
  if (nodes.size() == 1) return nodes.front();
  return std::to_string(nodes.size()) + " nodes";
}

uint32_t count(const std::vector<placement::SlotRange>& slots) {
  uint32_t sum = 0;
  for (const placement::SlotRange& range : slots) sum += range.size();
  return sum;
}

}  // namespace

std::string describe(const Act& act) {
  const std::string nodes = nodes_text(act.nodes);
  switch (act.kind) {
    case StepKind::place:
      return act.places.size() == 1 ? "a place on " + act.places.front().host
                                    : "places for " + std::to_string(act.places.size()) + " nodes";
    case StepKind::launch: return "start " + nodes;
    case StepKind::await_tasks: return "wait until " + nodes + (act.nodes.size() == 1 ? " runs" : " run");
    case StepKind::enlist: return "put " + nodes + " in force";
    case StepKind::ramp:
      return act.number == 0 ? "take " + nodes + " from the ring"
                             : "give " + nodes + " weight " + std::to_string(act.number);
    case StepKind::stop: return "stop " + nodes;
    case StepKind::await_cluster: return "wait until all nodes agree that the cluster is well";
    case StepKind::meet: return "let " + nodes + " join the cluster";
    case StepKind::replicate: return nodes + " copies its shard's master";
    case StepKind::promote: return "make " + nodes + " master";
    case StepKind::step_down: return "hand over the slots of " + nodes + " if it is a master";
    case StepKind::await_master: return "wait for masters of the shards of " + nodes;
    case StepKind::move_slots: return "move " + std::to_string(count(act.slots)) + " slots to " + act.to.substr(0, 8);
    case StepKind::adopt_slots: return nodes + " takes the slots of a master that is lost";
    case StepKind::forget: return "forget " + std::to_string(act.ids.size()) + " nodes in the cluster";
    case StepKind::restart: return "restart " + nodes;
    case StepKind::configure: return "configure " + nodes;
    case StepKind::update_cluster: return "note what the cluster is now";
    case StepKind::remove_cluster: return "remove the cluster's records";
  }
  return {};
}

bool can_undo(StepKind kind) {
  switch (kind) {
    case StepKind::stop:
    case StepKind::promote:
    case StepKind::step_down:
    case StepKind::adopt_slots:
    case StepKind::forget:
    case StepKind::restart:
    case StepKind::configure:
    case StepKind::remove_cluster: return false;
    default: return true;
  }
}

}  // namespace overlord::jobs
