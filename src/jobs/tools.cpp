#include "jobs/tools.h"

#include "base/log.h"
#include "jobs/nodes_conf.h"

namespace overlord::jobs {

void TaskBoard::poll(const State& state, std::chrono::milliseconds patience) {
  hosts_ = engine_.hosts();
  reachable_.clear();
  for (const engine::HostStatus& host : hosts_) {
    if (host.reachable) reachable_.insert(host.host.name);
  }
  if (!asked_ && engine_.settled()) {
    asked_ = true;
    std::vector<engine::TaskStatus> known;
    for (const auto& [id, address] : state.tasks) {
      known.push_back(
          {.id = id, .state = engine::TaskState::lost, .host = state.nodes.at(address).value.host, .message = {}});
    }
    engine_.reconcile(known);
  }
  for (engine::TaskStatus& status : engine_.changes(patience)) {
    engine::TaskStatus& known = tasks_[status.id];
    if (known == status) continue;
    changed_.insert(status.id);
    known = std::move(status);
  }
}

const engine::TaskStatus* TaskBoard::find(const std::string& id) const {
  const auto found = tasks_.find(id);
  return found == tasks_.end() ? nullptr : &found->second;
}

bool TaskBoard::runs(const std::string& id) const {
  const engine::TaskStatus* const status = find(id);
  return status != nullptr && status->state == engine::TaskState::running;
}

bool TaskBoard::is_over(const std::string& id) const {
  const engine::TaskStatus* const status = find(id);
  return status != nullptr && engine::is_over(status->state);
}

Result<void> TaskBoard::launch(const model::NodeTask& task) {
  killed_.erase(task.id);
  return engine_.launch(task);
}

Result<void> TaskBoard::kill(const std::string& id, const std::string& host) {
  if (killed_.contains(id)) return {};
  constexpr std::chrono::milliseconds kGrace{10'000};
  auto asked = engine_.kill(id, host, kGrace);
  if (asked) killed_.insert(id);
  return asked;
}

redisctl::Endpoint endpoint(const Tools& tools, const model::Node& node) {
  const model::Cluster* const cluster = tools.state().cluster(node.cluster);
  return {.host = node.host, .port = node.port, .password = cluster == nullptr ? "" : cluster->password};
}

Result<redisctl::Topology> see_cluster(Tools& tools, const std::string& cluster) {
  std::string tried;
  constexpr size_t kMostTries = 5;
  size_t tries = 0;
  for (const model::Node& node : tools.state().cluster_nodes(cluster)) {
    if (!tools.tasks.runs(node.task) || !tools.state().is_in_force(node)) continue;
    auto seen = tools.redis.topology(endpoint(tools, node));
    // One that knows nobody else is on its way in or out.
    if (seen && (seen->size() > 1 || tools.state().cluster_nodes(cluster).size() == 1)) return seen;
    if (!seen) tried += (tried.empty() ? "" : "; ") + node.address() + ": " + seen.error().message;
    if (++tries >= kMostTries) break;
  }
  return fail("no node of the cluster answers" + (tried.empty() ? "" : " (" + tried + ")"));
}

Result<model::NodeTask> task_of(Tools& tools, const model::Node& node, Begin begin, bool wipe) {
  const State& state = tools.state();
  const model::Cluster* const cluster = state.cluster(node.cluster);
  if (cluster == nullptr) return fail("there is no cluster " + node.cluster);
  model::NodeTask task{.id = node.task,
                       .cluster = node.cluster,
                       .group = node.group,
                       .type = node.type,
                       .version = node.version,
                       .host = node.host,
                       .port = node.port,
                       .spec = node.spec,
                       .password = cluster->password,
                       .settings = cluster->settings,
                       .wipe = wipe,
                       .file_server = state.file_server};
  const auto version = state.versions.find(std::string(to_string(node.type)) + "/" + node.version);
  if (version != state.versions.end()) task.sha256 = version->second.sha256;
  if (node.type != model::CacheType::redis_cluster) return task;
  const std::vector<model::Node> nodes = state.cluster_nodes(node.cluster);
  switch (begin) {
    case Begin::with_new_cluster: task.nodes_conf = nodes_conf_new(nodes, node); break;
    case Begin::alone: task.nodes_conf = nodes_conf_alone(node); break;
    case Begin::again: {
      const auto seen = see_cluster(tools, node.cluster);
      // When none runs, all begin with what they know themselves; one that has nothing begins by the plan.
      task.nodes_conf = seen ? nodes_conf_again(*seen, nodes, node) : nodes_conf_new(nodes, node);
      break;
    }
  }
  return task;
}

}  // namespace overlord::jobs
