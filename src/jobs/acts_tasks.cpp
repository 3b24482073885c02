#include <algorithm>

#include "jobs/acts.h"
#include "jobs/plan.h"
#include "store/keys.h"

namespace overlord::jobs {
namespace {

using engine::TaskState;
using model::Node;

namespace keys = store::keys;

Begin begin_of(const model::Job& job) {
  return job.intent.kind == model::JobKind::create ? Begin::with_new_cluster : Begin::alone;
}

// Ids of tasks must not come back: a node that is placed where another was begins to count elsewhere.
uint32_t first_incarnation(const model::Job& job) { return static_cast<uint32_t>(job.number % 4'000'000) * 1000; }

// The record of a node's next start. It is written before the engine is asked, so that no task runs unnamed.
store::Answer<void> note_start(Tools& tools, const std::vector<Node>& nodes) {
  store::Transaction transaction;
  for (Node node : nodes) {
    transaction.conditions.push_back(as_seen(tools.state(), node));
    ++node.incarnation;
    node.task = task_id(node);
    transaction.changes.push_back(put_node(node));
  }
  return tools.desk.commit(std::move(transaction));
}

std::string trouble_of(const engine::TaskStatus& status) {
  return std::string(to_string(status.state)) + (status.message.empty() ? "" : ": " + status.message);
}

}  // namespace

Report place_nodes(Tools& tools, const model::Job& job, const Act& act) {
  const State& state = tools.state();
  const model::Cluster* const cluster = state.cluster(job.intent.cluster);
  if (cluster == nullptr) return Report::broken("the cluster is no longer there");
  store::Transaction transaction;
  for (const Place& place : act.places) {
    const std::string address = model::address_of(place.host, place.port);
    const Node* const there = state.node(address);
    if (there != nullptr && there->job == job.id() && there->alias == place.alias) continue;
    if (there != nullptr) return Report::broken(address + " has been given to " + there->cluster + " meanwhile");
    Node node{.alias = place.alias,
              .cluster = cluster->name,
              .type = cluster->type,
              .version = cluster->version,
              .group = cluster->group,
              .host = place.host,
              .port = place.port,
              .shard = place.shard,
              .role = place.role,
              .node_id = place.node_id,
              .weight = cluster->type == model::CacheType::redis_cluster ? 1 : kFullWeight,
              .spec = cluster->spec,
              .incarnation = first_incarnation(job),
              .job = job.id(),
              .created = tools.clock.now()};
    for (const Node& other : state.cluster_nodes(cluster->name)) {
      if (other.alias == place.alias) node.weight = other.weight;
    }
    transaction.conditions.push_back(store::absent(keys::instance(address)));
    transaction.changes.push_back(put_node(node));
    if (act.flag)
      transaction.changes.push_back(store::put(keys::cluster_instance(cluster->name, place.alias), address));
  }
  if (transaction.changes.empty()) return Report::done();
  const auto stored = tools.desk.commit(std::move(transaction));
  return stored ? Report::done() : not_stored(stored.error());
}

Report launch_nodes(Tools& tools, const model::Job& job, const Act& act) {
  const State& state = tools.state();
  std::vector<Node> first;
  for (const std::string& address : act.nodes) {
    const Node* const node = state.node(address);
    if (node == nullptr) return Report::broken("the record of " + address + " is no longer there");
    if (node->task.empty() && first.size() < kNodesPerStep) first.push_back(*node);
  }
  if (!first.empty()) {
    const auto stored = note_start(tools, first);
    return stored ? Report::again("starting", 0) : not_stored(stored.error());
  }
  std::vector<std::string> refused;
  std::string why;
  for (const std::string& address : act.nodes) {
    const Node& node = *state.node(address);
    const engine::TaskStatus* const status = tools.tasks.find(node.task);
    if (status != nullptr && status->state != TaskState::lost) continue;
    const auto task = task_of(tools, node, begin_of(job), true);
    const auto asked = task ? tools.tasks.launch(*task) : std::unexpected(task.error());
    if (asked) continue;
    refused.push_back(address);
    why = asked.error().message;
  }
  return refused.empty() ? Report::done() : Report::wait("cannot start " + some_of(refused) + ": " + why);
}

Report await_tasks(Tools& tools, const model::Job& job, const model::Step& step, const Act& act) {
  const uint32_t base = act.number != 0 ? act.number : first_incarnation(job) + 1;
  const bool late = step.began != 0 && tools.clock.now() - step.began > tools.timing.start_limit;
  std::vector<std::string> pending;
  std::string why;
  std::vector<Node> again;
  for (const std::string& address : act.nodes) {
    const Node* const node = tools.state().node(address);
    if (node == nullptr) return Report::broken("the record of " + address + " is no longer there");
    const engine::TaskStatus* const status = tools.tasks.find(node->task);
    if (status != nullptr && status->state == TaskState::running) continue;
    pending.push_back(address);
    if (status == nullptr) {
      // A leader that has just begun may not have heard of it, and another may have died before it asked.
      const auto task = task_of(tools, *node, act.flag ? begin_of(job) : Begin::again, act.flag);
      const auto asked = task ? tools.tasks.launch(*task) : std::unexpected(task.error());
      if (!asked) why = asked.error().message;
    } else if (engine::is_over(status->state)) {
      why = address + ": " + trouble_of(*status);
      if (node->incarnation >= base + tools.timing.starts) {
        return Report::broken("it was started " + std::to_string(tools.timing.starts + 1) + " times; " + why);
      }
      if (again.size() < kNodesPerStep) again.push_back(*node);
    } else if (!tools.tasks.reachable(node->host)) {
      why = "the host " + node->host + " is lost";
      if (late) return Report::broken(why + ", and " + address + " with it");
    } else if (status->state != TaskState::staging) {
      why = address + ": " + trouble_of(*status);
    }
  }
  if (pending.empty()) return Report::done();
  if (!again.empty()) {
    // The next start is asked for when the record of it has been seen: then its status is unknown.
    const auto stored = note_start(tools, again);
    return stored ? Report::again(why, 1000) : not_stored(stored.error());
  }
  const std::string note = "not running yet: " + some_of(pending) + (why.empty() ? "" : " (" + why + ")");
  return late ? Report::wait(note) : Report::again(note);
}

Report stop_nodes(Tools& tools, const std::vector<std::string>& nodes, bool keep_records) {
  const State& state = tools.state();
  std::vector<std::string> pending;
  store::Transaction transaction;
  for (const std::string& address : nodes) {
    const Node* const node = state.node(address);
    if (node == nullptr) continue;
    // What runs on a host that is lost is ended when that comes back: no record names it then (healing).
    const bool ended = node->task.empty() || tools.tasks.is_over(node->task) || !tools.tasks.reachable(node->host);
    if (!ended) {
      pending.push_back(address);
      const auto asked = tools.tasks.kill(node->task, node->host);
      if (!asked) return Report::wait("cannot stop " + address + ": " + asked.error().message);
      continue;
    }
    transaction.conditions.push_back(as_seen(state, *node));
    transaction.changes.push_back(store::remove(keys::instance(address)));
    transaction.changes.push_back(store::remove(keys::instance_state(address)));
    // An alias may stand for its successor by now.
    if (state.is_in_force(*node)) {
      transaction.changes.push_back(store::remove(keys::cluster_instance(node->cluster, node->alias)));
    }
    if (transaction.conditions.size() >= kNodesPerStep / 2) break;
  }
  if (!keep_records && !transaction.changes.empty()) {
    const bool rest = transaction.conditions.size() >= kNodesPerStep / 2;
    const auto stored = tools.desk.commit(std::move(transaction));
    if (!stored) return not_stored(stored.error());
    if (rest) return Report::again("stopping", 0);
  }
  return pending.empty() ? Report::done() : Report::again("still running: " + some_of(pending));
}

Report restart_nodes(Tools& tools, const Act& act) {
  for (const std::string& address : act.nodes) {
    const Node* const node = tools.state().node(address);
    if (node == nullptr) return Report::broken("the record of " + address + " is no longer there");
    if (!tools.tasks.reachable(node->host)) return Report::wait("the host " + node->host + " is lost");
    if (node->incarnation < act.number) {
      if (!node->task.empty() && !tools.tasks.is_over(node->task)) {
        const auto asked = tools.tasks.kill(node->task, node->host);
        if (!asked) return Report::wait("cannot stop " + address + ": " + asked.error().message);
        return Report::again("stopping " + address);
      }
      const model::Cluster* const cluster = tools.state().cluster(node->cluster);
      if (cluster == nullptr) return Report::broken("the cluster is no longer there");
      Node next = *node;
      next.version = cluster->version;
      next.spec = cluster->spec;
      next.incarnation = act.number;
      next.task = task_id(next);
      const auto stored = tools.desk.commit({{as_seen(tools.state(), *node)}, {put_node(next)}});
      return stored ? Report::again("starting " + address, 0) : not_stored(stored.error());
    }
    if (tools.tasks.find(node->task) != nullptr) continue;
    const auto task = task_of(tools, *node, Begin::again, false);
    const auto asked = task ? tools.tasks.launch(*task) : std::unexpected(task.error());
    if (!asked) return Report::wait("cannot start " + address + ": " + asked.error().message);
  }
  return Report::done();
}

}  // namespace overlord::jobs
