#include <algorithm>

#include "jobs/acts.h"
#include "jobs/plan.h"
#include "store/keys.h"

namespace overlord::jobs {

namespace keys = store::keys;

Report set_in_force(Tools& tools, const std::vector<std::string>& nodes, bool in_force,
                    std::optional<uint32_t> weight) {
  const State& state = tools.state();
  store::Transaction transaction;
  for (const std::string& address : nodes) {
    const model::Node* const found = state.node(address);
    if (found == nullptr) {
      if (!in_force) continue;
      return Report::broken("the record of " + address + " is no longer there");
    }
    model::Node node = *found;
    if (weight && in_force) node.weight = *weight;
    const bool turn = state.is_in_force(node) != in_force;
    if (!turn && node == *found) continue;
    transaction.conditions.push_back(as_seen(state, node));
    if (node != *found) transaction.changes.push_back(put_node(node));
    const std::string key = keys::cluster_instance(node.cluster, node.alias);
    if (turn) transaction.changes.push_back(in_force ? store::put(key, address) : store::remove(key));
  }
  if (transaction.changes.empty()) return Report::done();
  const auto stored = tools.desk.commit(std::move(transaction));
  return stored ? Report::done() : not_stored(stored.error());
}

Report ramp(Tools& tools, const model::Step& step, const Act& act) {
  const std::optional<uint32_t> weight = act.number == 0 ? std::nullopt : std::optional(act.number);
  Report set = set_in_force(tools, act.nodes, act.number > 0, weight);
  if (set.kind != Report::Kind::done) return set;
  const model::Moment held = step.began == 0 ? 0 : tools.clock.now() - step.began;
  if (held >= act.hold) return Report::done();
  return Report::again("proxies take it in", std::min<model::Moment>(act.hold - held, 1000));
}

Report update_cluster(Tools& tools, const model::Job& job, const Act& act, bool back) {
  const model::Cluster* const found = tools.state().cluster(job.intent.cluster);
  if (found == nullptr) return Report::broken("the cluster is no longer there");
  model::Cluster cluster = *found;
  if (act.shards != 0) cluster.shards = back ? act.old_shards : act.shards;
  if (!back) {
    if (act.memory_mib != 0) cluster.spec.memory_mib = act.memory_mib;
    if (!act.version.empty()) cluster.version = act.version;
    for (const auto& [name, value] : act.settings) cluster.settings[name] = value;
  }
  if (cluster == *found) return Report::done();
  const auto stored = tools.desk.commit({{as_seen(tools.state(), *found)}, {put_cluster(cluster)}});
  return stored ? Report::done() : not_stored(stored.error());
}

Report remove_cluster(Tools& tools, const model::Job& job) {
  const std::string& name = job.intent.cluster;
  const model::Cluster* const cluster = tools.state().cluster(name);
  if (cluster == nullptr) return Report::done();
  store::Transaction transaction{{as_seen(tools.state(), *cluster)}, {store::remove_prefix(keys::cluster(name))}};
  // None is left, unless one was bound in the moment that the job was made.
  const auto bound = tools.desk.store().list(keys::of(keys::kClusters, name, "appids/"), {.limit = 100});
  if (!bound) return not_stored(bound.error());
  for (const store::Record& record : bound->records) {
    const std::string appid = record.key.substr(record.key.rfind('/') + 1);
    transaction.changes.push_back(store::remove(keys::of(keys::kAppids, appid, name)));
  }
  const auto stored = tools.desk.commit(std::move(transaction));
  return stored ? Report::done() : not_stored(stored.error());
}

}  // namespace overlord::jobs
