#include "jobs/heal.h"

#include <algorithm>

#include "base/log.h"
#include "jobs/plan.h"
#include "jobs/submit.h"
#include "model/json.h"
#include "store/keys.h"

namespace overlord::jobs {
namespace {

using engine::TaskState;
using model::Health;
using model::Moment;

namespace keys = store::keys;

constexpr Moment kHour = 3'600'000;
constexpr Moment kFirstPause = 1000;  // before the second start of a node; twice as long each time

Health health_of(TaskState state) {
  switch (state) {
    case TaskState::staging:
    case TaskState::starting: return Health::starting;
    case TaskState::running: return Health::running;
    case TaskState::sick: return Health::sick;
    case TaskState::stopped: return Health::stopped;
    case TaskState::failed:
    case TaskState::gone: return Health::failed;
    case TaskState::lost: return Health::lost;
  }
  return Health::unknown;
}

const model::Job* open_job(const State& state, const model::Cluster& cluster) {
  const auto found = state.jobs.find(cluster.job);
  if (found == state.jobs.end() || is_over(found->second.value.state)) return nullptr;
  return &found->second.value;
}

// Nodes that the cluster's job has started, ends, or restarts: it looks after them itself.
bool in_hands_of(const model::Job& job, const model::Node& node) {
  if (node.job == job.id() || job.state == model::JobState::undoing) return true;
  if (job.intent.kind == model::JobKind::destroy) return true;
  for (const model::Step& step : job.steps) {
    if (step.kind != to_string(StepKind::stop) && step.kind != to_string(StepKind::restart)) continue;
    const auto act = act_of(step);
    if (act && std::ranges::find(act->nodes, node.address()) != act->nodes.end()) return true;
  }
  return false;
}

}  // namespace

bool Healer::turn(Moment now) {
  note_states(now);
  end_orphans();
  bool hurt = watch_hosts(now);
  hurt = mend_nodes(now) || hurt;
  hurt = empty_hosts(now) || hurt;
  forget_strangers(now);
  return hurt;
}

void Healer::note_states(Moment now) {
  const State& state = tools_.state();
  store::Transaction some;
  const auto store_some = [&] {
    if (some.changes.empty()) return;
    const auto stored = tools_.desk.commit(some);
    // One that went away meanwhile must not keep the others' states from being stored.
    for (size_t i = 0; !stored && i < some.changes.size(); ++i) {
      const auto alone = tools_.desk.commit({{some.conditions[i]}, {some.changes[i]}});
      // Whoever leads next sees it anew.
      if (!alone) log_info(some.changes[i].key, " cannot be stored: ", alone.error().message);
    }
    some = {};
  };
  for (const std::string& id : tools_.tasks.take_changed()) {
    const auto named = state.tasks.find(id);
    if (named == state.tasks.end()) continue;
    const std::string address = named->second;
    const engine::TaskStatus& status = *tools_.tasks.find(id);
    const auto kept = state.states.find(address);
    const model::NodeState before = kept == state.states.end() ? model::NodeState{} : kept->second.value;
    model::NodeState after = before;
    after.health = health_of(status.state);
    after.task = id;
    after.reason = status.message;
    if (after.health != before.health || after.task != before.task) after.since = now;
    if (after == before) continue;
    some.conditions.push_back(store::exists(keys::instance(address)));
    some.changes.push_back(store::put(keys::instance_state(address), to_json(after)));
    if (some.changes.size() >= kNodesPerStep) store_some();
  }
  store_some();
}

void Healer::end_orphans() {
  std::vector<std::string> over;
  for (const auto& [id, status] : tools_.tasks.all()) {
    if (tools_.state().tasks.contains(id)) continue;
    if (engine::is_over(status.state)) {
      over.push_back(id);
      continue;
    }
    if (!tools_.tasks.reachable(status.host)) continue;
    const auto asked = tools_.tasks.kill(id, status.host);
    if (!asked) log_warn("task ", id, ", which nothing names, cannot be ended: ", asked.error().message);
  }
  for (const std::string& id : over) tools_.tasks.drop(id);
}

bool Healer::watch_hosts(Moment now) {
  const State& state = tools_.state();
  bool hurt = false;
  for (const engine::HostStatus& status : tools_.tasks.hosts()) {
    const auto kept = state.hosts.find(status.host.name);
    const bool known = kept != state.hosts.end();
    model::Host host = known ? kept->second.value : status.host;
    if (status.reachable) {
      silent_since_.erase(host.name);
      host.group = status.host.group;
      host.capacity = status.host.capacity;
      host.ports = status.host.ports;
      // What operators said stays, beside what the engine says.
      for (const auto& [name, value] : status.host.labels) host.labels.insert({name, value});
      host.lost = false;
      if (!known || host.lost != kept->second.value.lost) host.seen = now;
    } else {
      const Moment since = silent_since_.emplace(host.name, now).first->second;
      hurt = true;
      if (now - since >= timing_.host_lost) host.lost = true;
    }
    if (known && host == kept->second.value) continue;
    const auto stored =
        tools_.desk.commit({{store::modified_at(keys::of(keys::kHosts, host.name), known ? kept->second.modified : 0)},
                            {store::put(keys::of(keys::kHosts, host.name), to_json(host))}});
    if (!stored) log_info("the record of host ", host.name, " cannot be stored: ", stored.error().message);
    if (stored && host.lost) log_warn("host ", host.name, " is lost");
  }
  return hurt;
}

bool Healer::mend_nodes(Moment now) {
  const State& state = tools_.state();
  bool hurt = false;
  std::vector<model::Node> dead;
  std::set<std::string> unwell;  // clusters
  for (const auto& [address, kept] : state.nodes) {
    const model::Node& node = kept.value;
    if (node.task.empty() || !state.is_in_force(node)) continue;
    const engine::TaskStatus* const status = tools_.tasks.find(node.task);
    if (status != nullptr && status->state == TaskState::running) {
      const auto seen = state.states.find(address);
      const bool counts = seen != state.states.end() && seen->second.value.restarts > 0;
      if (!counts || now - seen->second.value.since < timing_.well_after) continue;
      model::NodeState well = seen->second.value;
      well.restarts = 0;
      const auto stored = tools_.desk.commit({{as_seen(keys::instance_state(address), seen->second)},
                                              {store::put(keys::instance_state(address), to_json(well))}});
      if (!stored) log_info("the state of ", address, " cannot be stored: ", stored.error().message);
      return true;  // the state has changed under this loop
    }
    unwell.insert(node.cluster);
    if (!tools_.tasks.reachable(node.host)) continue;
    hurt = true;
    if (status == nullptr || engine::is_over(status->state)) {
      dead.push_back(node);
    } else if (status->state == TaskState::sick) {
      const auto seen = state.states.find(address);
      if (seen == state.states.end() || now - seen->second.value.since < timing_.sick_limit) continue;
      if (auto asked = tools_.tasks.kill(node.task, node.host); !asked) log_info(asked.error().message);
    }
  }
  for (const model::Node& node : dead) start_again(node, now);
  std::vector<model::Cluster> well;
  for (const auto& [name, kept] : state.clusters) {
    const model::Cluster& cluster = kept.value;
    const bool attention = cluster.state == model::ClusterState::attention;
    if (attention && cluster.job.empty() && !unwell.contains(name)) well.push_back(cluster);
  }
  for (const model::Cluster& cluster : well) set_right(cluster);
  return hurt;
}

void Healer::start_again(const model::Node& node, Moment now) {
  const State& state = tools_.state();
  const std::string address = node.address();
  const model::Cluster* const cluster = state.cluster(node.cluster);
  if (cluster == nullptr || cluster->state == model::ClusterState::deleting) return;
  const model::Job* const job = open_job(state, *cluster);
  if (job != nullptr && !job->steps.empty() && in_hands_of(*job, node)) return;
  if (now < not_before_[address]) return;

  const engine::TaskStatus* const status = tools_.tasks.find(node.task);
  if (status == nullptr) {
    // Recorded, and perhaps never asked for: the leader of then died. The engine knows, or starts it.
    not_before_[address] = now + kFirstPause;
    const auto task = task_of(tools_, node, Begin::again, false);
    const auto asked = task ? tools_.tasks.launch(*task) : std::unexpected(task.error());
    if (!asked) log_info(address, " cannot be started: ", asked.error().message);
    return;
  }
  const auto seen = state.states.find(address);
  model::NodeState after = seen == state.states.end() ? model::NodeState{} : seen->second.value;
  if (after.restarts >= timing_.restarts) {
    const auto tries = std::ranges::count_if(state.jobs, [&](const auto& one) {
      const model::Job& past = one.second.value;
      return past.user == kHealer && past.intent.kind == model::JobKind::replace && now - past.created < kHour &&
             past.intent.cluster == node.cluster && past.began != 0;
    });
    const std::string why = status->message.empty() ? std::string(to_string(status->state)) : status->message;
    if (tries >= timing_.replacements) {
      return call_attention(*cluster, address + " has failed again after " + std::to_string(tries) +
                                          " nodes were replaced within an hour: " + why);
    }
    if (job == nullptr || job->steps.empty()) {
      make_job(*cluster, {.kind = model::JobKind::replace, .cluster = node.cluster, .nodes = {address}}, now);
    }
    return;
  }
  ++after.restarts;
  after.health = Health::starting;
  after.since = now;
  model::Node next = node;
  ++next.incarnation;
  next.task = task_id(next);
  after.task = next.task;
  not_before_[address] = now + (kFirstPause << after.restarts);
  const auto stored = tools_.desk.commit(
      {{as_seen(state, node)}, {put_node(next), store::put(keys::instance_state(address), to_json(after))}});
  if (!stored) return log_info(address, " cannot be started: ", stored.error().message);
  log_warn(address, " of ", node.cluster, " is started again: ", status->message);
  const auto task = task_of(tools_, next, Begin::again, false);
  const auto asked = task ? tools_.tasks.launch(*task) : std::unexpected(task.error());
  if (!asked) log_info(address, " cannot be started: ", asked.error().message);
}

bool Healer::empty_hosts(Moment now) {
  const State& state = tools_.state();
  std::map<std::string, std::pair<std::set<std::string>, std::set<std::string>>> wanted;  // cluster: lost, draining
  for (const auto& [address, kept] : state.nodes) {
    const model::Node& node = kept.value;
    const auto host = state.hosts.find(node.host);
    if (host == state.hosts.end() || !state.is_in_force(node)) continue;
    if (host->second.value.lost) wanted[node.cluster].first.insert(node.host);
    if (host->second.value.draining && !host->second.value.lost) wanted[node.cluster].second.insert(node.host);
  }
  for (const auto& [name, hosts] : wanted) {
    const auto& [lost, draining] = hosts;
    const model::Cluster* const found = state.cluster(name);
    if (found == nullptr || found->state == model::ClusterState::deleting) continue;
    const model::Cluster cluster = *found;
    model::Intent intent{.kind = lost.empty() ? model::JobKind::drain : model::JobKind::recover, .cluster = name};
    intent.hosts.assign(lost.empty() ? draining.begin() : lost.begin(), lost.empty() ? draining.end() : lost.end());
    make_job(cluster, std::move(intent), now);
  }
  return !wanted.empty();
}

bool Healer::make_job(const model::Cluster& cluster, model::Intent intent, Moment now) {
  const State& state = tools_.state();
  const model::Job* const job = open_job(state, cluster);
  if (job != nullptr && (!job->steps.empty() || job->user == kHealer || job->intent.kind == model::JobKind::destroy)) {
    return false;
  }
  for (const std::string& id : state.open_jobs) {
    const model::Job& other = state.jobs.at(id).value;
    if (other.intent.cluster == cluster.name && other.intent == intent) return false;
  }
  // One that failed is not begun again at once.
  for (const auto& [id, past] : state.jobs) {
    if (past.value.intent == intent && past.value.state == model::JobState::failed &&
        now - past.value.ended < timing_.host_lost) {
      return false;
    }
  }
  const auto sequence = tools_.desk.store().get(kJobSequence);
  if (!sequence) return false;
  uint64_t last = 0;
  if (*sequence) last = std::strtoull((*sequence)->value.c_str(), nullptr, 10);
  model::Job made{.group = cluster.group, .number = last + 1, .intent = std::move(intent), .user = kHealer};
  made.created = now;
  made.changed = now;
  model::Cluster locked = cluster;
  locked.job = made.id();
  const auto stored = tools_.desk.commit(
      {{as_seen(state, cluster), store::modified_at(std::string(kJobSequence), *sequence ? (*sequence)->modified : 0),
        store::absent(job_key(made))},
       {store::put(std::string(kJobSequence), std::to_string(made.number)), put_job(made), put_cluster(locked)}});
  if (!stored) log_info("a job to heal ", cluster.name, " cannot be stored: ", stored.error().message);
  return stored.has_value();
}

void Healer::call_attention(const model::Cluster& cluster, const std::string& reason) {
  if (!cluster.job.empty() || (cluster.state == model::ClusterState::attention && cluster.reason == reason)) return;
  model::Cluster marked = cluster;
  marked.state = model::ClusterState::attention;
  marked.reason = reason;
  const auto stored = tools_.desk.commit({{as_seen(tools_.state(), cluster)}, {put_cluster(marked)}});
  if (stored) log_error("cluster ", cluster.name, " needs attention: ", reason);
}

void Healer::set_right(const model::Cluster& cluster) {
  if (cluster.type == model::CacheType::redis_cluster) {
    const auto seen = see_cluster(tools_, cluster.name);
    if (!seen) return;
    uint32_t slots = 0;
    for (const redisctl::ClusterNode& node : *seen) {
      for (const redisctl::SlotRange& range : node.slots) slots += node.failed ? 0 : range.size();
    }
    if (slots != 16384) return;
  }
  model::Cluster well = cluster;
  well.state = model::ClusterState::done;
  well.reason.clear();
  const auto stored = tools_.desk.commit({{as_seen(tools_.state(), cluster)}, {put_cluster(well)}});
  if (!stored) log_info("cluster ", cluster.name, " cannot be stored: ", stored.error().message);
}

void Healer::forget_strangers(Moment now) {
  if (now < next_forget_) return;
  next_forget_ = now + timing_.forget_every;
  const State& state = tools_.state();
  for (const auto& [name, kept] : state.clusters) {
    const model::Cluster& cluster = kept.value;
    if (cluster.type != model::CacheType::redis_cluster || open_job(state, cluster) != nullptr) continue;
    const std::vector<model::Node> nodes = state.cluster_nodes(name);
    for (const model::Node& node : nodes) {
      if (!tools_.tasks.runs(node.task)) continue;
      const auto seen = tools_.redis.topology(endpoint(tools_, node));
      if (!seen) continue;
      for (const redisctl::ClusterNode& known : *seen) {
        if (known.handshake || std::ranges::find(nodes, known.id, &model::Node::node_id) != nodes.end()) continue;
        const auto asked = tools_.redis.forget(endpoint(tools_, node), known.id);
        log_warn(node.address(), " knows ", known.id, ", which is no node of ", name,
                 asked ? ": told to forget it" : ": " + asked.error().message);
      }
    }
  }
}

}  // namespace overlord::jobs
