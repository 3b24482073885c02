#include <algorithm>
#include <map>
#include <set>

#include "jobs/acts.h"
#include "jobs/plan.h"

namespace overlord::jobs {
namespace {

using model::Node;
using redisctl::ClusterNode;
using redisctl::Topology;

bool late(Tools& tools, const model::Step& step, model::Moment limit) {
  return step.began != 0 && tools.clock.now() - step.began > limit;
}

// Slots and their owners, in words that are equal when the views are.
std::string owners(const Topology& seen) {
  std::map<uint16_t, std::string> ranges;
  for (const ClusterNode& node : seen) {
    for (const redisctl::SlotRange& range : node.slots) {
      ranges[range.first] = std::to_string(range.first) + "-" + std::to_string(range.last) + " " + node.id;
    }
  }
  std::string text;
  for (const auto& [first, range] : ranges) text += range + "\n";
  return text;
}

uint32_t slots_served(const Topology& seen) {
  uint32_t count = 0;
  for (const ClusterNode& node : seen) {
    if (node.failed) continue;
    for (const redisctl::SlotRange& range : node.slots) count += range.size();
  }
  return count;
}

// Waiting for something else would keep the lock from those who could mend it.
bool mends(const model::Job& job) {
  using enum model::JobKind;
  return job.intent.kind == replace || job.intent.kind == recover || job.intent.kind == drain;
}

Report not_agreed(Tools& tools, const model::Job& job, const model::Step& step, const std::string& note) {
  if (!late(tools, step, tools.timing.agree_limit)) return Report::again(note, 500);
  return mends(job) ? Report::done(note) : Report::broken(note);
}

}  // namespace

std::vector<Node> members(Tools& tools, const model::Job& job) {
  std::vector<Node> found = tools.state().cluster_nodes(job.intent.cluster);
  std::erase_if(found, [&](const Node& node) { return !tools.state().is_in_force(node) && node.job != job.id(); });
  return found;
}

std::vector<Node> running(Tools& tools, const std::vector<Node>& nodes) {
  std::vector<Node> found;
  for (const Node& node : nodes) {
    if (tools.tasks.runs(node.task)) found.push_back(node);
  }
  return found;
}

Report need_running(Tools& tools, const model::Job& job, const std::vector<std::string>& nodes) {
  Act own{.kind = StepKind::await_tasks, .flag = true};
  for (const std::string& address : nodes) {
    const Node* const node = tools.state().node(address);
    if (node == nullptr) return Report::broken("the record of " + address + " is no longer there");
    if (tools.tasks.runs(node->task)) continue;
    if (node->job == job.id() && !node->task.empty()) {
      own.nodes.push_back(address);
    } else {
      return Report::failed(address + " does not run");
    }
  }
  return own.nodes.empty() ? Report::done() : await_tasks(tools, job, {}, own);
}

Report await_cluster(Tools& tools, const model::Job& job, const model::Step& step) {
  std::vector<Node> all = tools.state().cluster_nodes(job.intent.cluster);
  std::erase_if(all, [&](const Node& node) { return !tools.state().is_in_force(node); });
  std::string agreed;
  std::vector<std::string> down;
  for (const Node& node : all) {
    if (!tools.tasks.runs(node.task)) {
      down.push_back(node.address());
      continue;
    }
    const auto seen = tools.redis.topology(endpoint(tools, node));
    if (!seen) return not_agreed(tools, job, step, node.address() + ": " + seen.error().message);
    const auto info = tools.redis.cluster_info(endpoint(tools, node));
    if (!info) return not_agreed(tools, job, step, node.address() + ": " + info.error().message);
    for (const Node& other : all) {
      const ClusterNode* const known = redisctl::find(*seen, other.node_id);
      const bool runs = tools.tasks.runs(other.task);
      if (runs && (known == nullptr || known->handshake || known->failed)) {
        return not_agreed(tools, job, step, node.address() + " does not see " + other.address() + " well");
      }
    }
    if (!info->ok || slots_served(*seen) != 16384) {
      return not_agreed(tools, job, step,
                        node.address() + " sees " + std::to_string(slots_served(*seen)) + " of 16384 slots served");
    }
    const std::string view = owners(*seen);
    if (agreed.empty()) agreed = view;
    if (view != agreed) {
      return not_agreed(tools, job, step, node.address() + " does not agree with others whose the slots are");
    }
  }
  if (!down.empty()) return not_agreed(tools, job, step, "not running: " + some_of(down));
  return Report::done();
}

Report meet_nodes(Tools& tools, const model::Job& job, const Act& act) {
  if (Report need = need_running(tools, job, act.nodes); need.kind != Report::Kind::done) return need;
  const std::vector<Node> all = running(tools, members(tools, job));
  const auto is_new = [&](const Node& node) { return std::ranges::find(act.nodes, node.address()) != act.nodes.end(); };
  const auto via = std::ranges::find_if_not(all, is_new);
  if (via == all.end()) return Report::failed("no node of the cluster runs");
  const auto known = tools.redis.topology(endpoint(tools, *via));
  if (!known) return Report::failed(via->address() + ": " + known.error().message);

  for (const Node& node : all) {
    const ClusterNode* const seen = redisctl::find(*known, node.node_id);
    if (!is_new(node) || (seen != nullptr && !seen->handshake)) continue;
    const auto met = tools.redis.meet(endpoint(tools, *via), node.host, node.port);
    if (!met) return Report::failed(via->address() + ": " + met.error().message);
  }
  for (const Node& node : all) {
    const auto seen = tools.redis.topology(endpoint(tools, node));
    if (!seen) return Report::failed(node.address() + ": " + seen.error().message);
    for (const Node& other : all) {
      const ClusterNode* const entry = redisctl::find(*seen, other.node_id);
      if (entry == nullptr || entry->handshake) {
        return Report::again(node.address() + " has not met " + other.address() + " yet");
      }
    }
  }
  return Report::done();
}

Report replicate_nodes(Tools& tools, const model::Job& job, const Act& act) {
  if (Report need = need_running(tools, job, act.nodes); need.kind != Report::Kind::done) return need;
  const std::vector<Node> all = members(tools, job);
  const auto seen = see_cluster(tools, job.intent.cluster);
  if (!seen) return Report::failed(seen.error().message);
  std::vector<std::string> pending;
  for (const std::string& address : act.nodes) {
    const Node& node = *tools.state().node(address);
    const ClusterNode* const master = master_of(*seen, all, node.shard);
    if (master == nullptr) return Report::failed("shard " + std::to_string(node.shard) + " has no master");
    if (master->id == node.node_id) continue;
    const auto own = tools.redis.topology(endpoint(tools, node));
    if (!own) return Report::failed(address + ": " + own.error().message);
    if (redisctl::myself(*own)->master_id != master->id) {
      const auto asked = tools.redis.replicate(endpoint(tools, node), master->id);
      if (!asked) return Report::failed(address + ": " + asked.error().message);
    }
    const auto info = tools.redis.info(endpoint(tools, node));
    if (!info) return Report::failed(address + ": " + info.error().message);
    const ClusterNode* const entry = redisctl::find(*seen, node.node_id);
    if (!info->link_up || entry == nullptr || entry->master_id != master->id) pending.push_back(address);
  }
  return pending.empty() ? Report::done() : Report::again("still copying: " + some_of(pending));
}

Report promote_nodes(Tools& tools, const model::Job& job, const model::Step& step, const Act& act) {
  const std::vector<Node> all = members(tools, job);
  const auto seen = see_cluster(tools, job.intent.cluster);
  if (!seen) return not_agreed(tools, job, step, seen.error().message);
  std::vector<std::string> pending;
  std::string why;
  for (const std::string& address : act.nodes) {
    const Node* const node = tools.state().node(address);
    if (node == nullptr) return Report::broken("the record of " + address + " is no longer there");
    const ClusterNode* const master = master_of(*seen, all, node->shard);
    if (master != nullptr && master->id == node->node_id) continue;
    pending.push_back(address);
    if (!tools.tasks.runs(node->task)) {
      why = address + " does not run";
      continue;
    }
    const redisctl::Endpoint at = endpoint(tools, *node);
    const auto own = tools.redis.topology(at);
    const auto info = tools.redis.info(at);
    if (!own || !info) {
      why = address + ": " + (own ? info.error().message : own.error().message);
    } else if (redisctl::myself(*own)->master) {
      // It was a master once and has nothing left: it copies the present one first.
      if (master == nullptr || !redisctl::myself(*own)->slots.empty()) continue;
      if (const auto asked = tools.redis.replicate(at, master->id); !asked)
        why = address + ": " + asked.error().message;
    } else if (info->link_up) {
      const auto asked = tools.redis.failover(at, redisctl::Failover::agreed);
      if (!asked) why = address + ": " + asked.error().message;
    } else {
      why = address + " is still copying";
    }
  }
  if (pending.empty()) return Report::done();
  const std::string note = "not masters yet: " + some_of(pending) + (why.empty() ? "" : " (" + why + ")");
  if (!late(tools, step, tools.timing.agree_limit)) return Report::again(note, 500);
  return act.flag ? Report::broken(note) : Report::done(note);
}

Report step_down(Tools& tools, const model::Job& job, const model::Step& step, const Act& act) {
  const std::vector<Node> all = members(tools, job);
  for (const std::string& address : act.nodes) {
    const Node* const node = tools.state().node(address);
    if (node == nullptr) return Report::broken("the record of " + address + " is no longer there");
    if (!tools.tasks.runs(node->task)) continue;
    const auto seen = see_cluster(tools, job.intent.cluster);
    if (!seen) return not_agreed(tools, job, step, seen.error().message);
    const ClusterNode* const master = master_of(*seen, all, node->shard);
    if (master == nullptr || master->id != node->node_id) continue;
    bool has_replicas = false;
    std::string why = "its replicas do not run";
    for (const Node& other : all) {
      if (other.shard != node->shard || other.node_id == node->node_id) continue;
      has_replicas = true;
      if (!tools.tasks.runs(other.task)) continue;
      const redisctl::Endpoint at = endpoint(tools, other);
      const auto info = tools.redis.info(at);
      if (!info || !info->link_up) {
        why = other.address() + (info ? " is still copying" : ": " + info.error().message);
        continue;
      }
      const auto asked = tools.redis.failover(at, redisctl::Failover::agreed);
      why = asked ? other.address() + " takes over" : other.address() + ": " + asked.error().message;
      break;
    }
    if (has_replicas) return not_agreed(tools, job, step, address + " is still the master: " + why);
  }
  return Report::done();
}

Report await_masters(Tools& tools, const model::Job& job, const model::Step& step, const Act& act) {
  const std::vector<Node> all = members(tools, job);
  const auto seen = see_cluster(tools, job.intent.cluster);
  if (!seen) return Report::failed(seen.error().message);
  for (const std::string& address : act.nodes) {
    const Node* const node = tools.state().node(address);
    if (node == nullptr) return Report::broken("the record of " + address + " is no longer there");
    const ClusterNode* const master = master_of(*seen, all, node->shard);
    const auto runs = [&](const std::string& id) {
      return std::ranges::any_of(all, [&](const Node& one) { return one.node_id == id && tools.tasks.runs(one.task); });
    };
    if (master != nullptr && runs(master->id)) continue;
    const std::string note = "shard " + std::to_string(node->shard) + " has no master yet";
    if (!late(tools, step, tools.timing.failover_limit)) return Report::again(note);
    for (const Node& other : all) {
      const ClusterNode* const entry = redisctl::find(*seen, other.node_id);
      if (other.shard != node->shard || entry == nullptr || entry->master || !tools.tasks.runs(other.task)) continue;
      const auto asked = tools.redis.failover(endpoint(tools, other), redisctl::Failover::force);
      if (!asked) return Report::failed(other.address() + ": " + asked.error().message);
      return Report::failed(note + "; " + other.address() + " is told to be it");
    }
    return Report::failed(note + ", and no replica runs");
  }
  return Report::done();
}

Report forget_nodes(Tools& tools, const model::Job& job, const std::vector<std::string>& ids) {
  const std::set<std::string> gone(ids.begin(), ids.end());
  bool clean = true;
  for (const Node& node : running(tools, members(tools, job))) {
    if (gone.contains(node.node_id)) continue;
    const redisctl::Endpoint at = endpoint(tools, node);
    const auto seen = tools.redis.topology(at);
    if (!seen) return Report::failed(node.address() + ": " + seen.error().message);
    for (const ClusterNode& known : *seen) {
      if (!gone.contains(known.id)) continue;
      clean = false;
      const auto asked = tools.redis.forget(at, known.id);
      if (!asked) return Report::failed(node.address() + ": " + asked.error().message);
    }
  }
  return clean ? Report::done() : Report::again("forgetting", 100);
}

Report configure_nodes(Tools& tools, const Act& act) {
  for (const std::string& address : act.nodes) {
    const Node* const node = tools.state().node(address);
    // One that does not run reads its settings when it starts.
    if (node == nullptr || !tools.tasks.runs(node->task)) continue;
    const auto set = tools.redis.config_set(endpoint(tools, *node), act.settings);
    if (!set) return Report::failed(address + ": " + set.error().message);
  }
  return Report::done();
}

}  // namespace overlord::jobs
