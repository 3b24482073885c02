#pragma once
// Healing: what the leader does about nodes and hosts by itself.
//
// * A node whose task is over is started again where it is, with growing pauses, a few times (its data is still there).
//   Then a job replaces it: another host within the rules. When several replacements within an hour have not helped,
//   the cluster is marked for attention, with the reason.
// * A host out of contact for `host_lost` is noted as lost. Each cluster with nodes on it gets a recover job, one job
//   at a time; each with nodes on a host that operators drain, a drain job.
// * A task that no record names is ended: whatever a lost host, or a leader that was replaced, still has running.
// * Ids that a redis_cluster knows and no record does are forgotten: a node that was away when others forgot them tells
//   of them again.
// * What nodes were last seen to be is written to their state records.

#include <map>
#include <set>
#include <string>

#include "jobs/tools.h"

namespace overlord::jobs {

struct HealTiming {
  model::Moment host_lost = 60'000;     // out of contact for so long
  uint32_t restarts = 3;                // in place, before a node is replaced
  model::Moment well_after = 600'000;   // of running: its restarts no longer count
  model::Moment sick_limit = 30'000;    // a task that is sick for so long is ended
  uint32_t replacements = 3;            // of one node, by healing, within an hour
  model::Moment forget_every = 60'000;  // looks for unknown ids
};

inline constexpr const char* kHealer = "self-healing";  // the user of its jobs

class Healer {
 public:
  Healer(Tools& tools, const HealTiming& timing) : tools_(tools), timing_(timing) {}
  // Whether something is not as it should be.
  bool turn(model::Moment now);

 private:
  void note_states(model::Moment now);
  void end_orphans();
  bool watch_hosts(model::Moment now);
  bool mend_nodes(model::Moment now);
  bool empty_hosts(model::Moment now);
  void forget_strangers(model::Moment now);
  void start_again(const model::Node& node, model::Moment now);
  // Makes the job unless the cluster has another at work. A job that only waits for a plan is passed by.
  bool make_job(const model::Cluster& cluster, model::Intent intent, model::Moment now);
  void call_attention(const model::Cluster& cluster, const std::string& reason);
  void set_right(const model::Cluster& cluster);

  Tools& tools_;
  const HealTiming timing_;
  std::map<std::string, model::Moment> silent_since_;  // hosts
  std::map<std::string, model::Moment> not_before_;    // starts, by address
  model::Moment next_forget_ = 0;
};

}  // namespace overlord::jobs
