#include "jobs/runner.h"

#include <algorithm>

#include "base/log.h"
#include "jobs/acts.h"
#include "jobs/scene.h"
#include "store/keys.h"

namespace overlord::jobs {
namespace {

using model::ClusterState;
using model::JobKind;
using model::JobState;
using model::StepState;

constexpr Moment kNoteEvery = 2000;  // ms, between stores of a job of which only a note has changed

// What healing asked for can have mended itself while it waited for room.
bool is_moot(const model::Job& job, const State& state, const TaskBoard& tasks) {
  if (job.user != kHealer) return false;
  const auto any_host = [&](bool model::Host::* flag) {
    return std::ranges::any_of(job.intent.hosts, [&](const std::string& name) {
      const auto host = state.hosts.find(name);
      return host != state.hosts.end() && host->second.value.*flag;
    });
  };
  switch (job.intent.kind) {
    case JobKind::recover: return !any_host(&model::Host::lost);
    case JobKind::drain: return !any_host(&model::Host::draining);
    case JobKind::replace:
      return std::ranges::all_of(job.intent.nodes, [&](const std::string& address) {
        const model::Node* const node = state.node(address);
        return node == nullptr || tasks.runs(node->task);
      });
    default: return false;
  }
}

bool worth_keeping(const model::Job& before, const model::Job& after) {
  if (before.state != after.state || before.cursor != after.cursor || before.reason != after.reason) return true;
  if (before.cursor >= before.steps.size()) return false;
  const model::Step& was = before.steps[before.cursor];
  const model::Step& is = after.steps[before.cursor];
  return was.state != is.state || was.attempts != is.attempts || was.began != is.began;
}

}  // namespace

Runner::Runner(store::Store& store, Desk::Fence fence, engine::Engine& engine, redisctl::Admin& redis, Clock& clock,
               uint64_t seed, const Timing& timing, const HealTiming& heal)
    : desk_(store, std::move(fence)),
      tasks_(engine),
      tools_{desk_, tasks_, redis, clock, timing},
      healer_(tools_, heal),
      random_(seed) {}

bool Runner::turn(std::chrono::milliseconds patience) {
  const auto seen = open_ ? desk_.catch_up() : desk_.open();
  if (!seen) {
    static LogEvery every(std::chrono::seconds(5));
    if (auto turn = every.next()) log_warn("the store cannot be read: ", seen.error().message, turn.suffix());
    return false;
  }
  open_ = true;
  tasks_.poll(desk_.state(), patience);
  if (!tasks_.engine().settled()) {
    static LogEvery every(std::chrono::seconds(5));
    if (auto turn = every.next()) log_warn("the engine is not ready: ", tasks_.engine().trouble(), turn.suffix());
    return false;
  }
  const Moment now = tools_.clock.now();
  const std::set<std::string> open = desk_.state().open_jobs;
  std::erase_if(pace_, [&](const auto& pace) { return !open.contains(pace.first); });
  for (const std::string& id : open) drive(id, now);
  const bool hurt = healer_.turn(now);
  tasks_.engine().want(hurt || !desk_.state().open_jobs.empty());
  return true;
}

void Runner::drive(const std::string& id, Moment now) {
  const auto found = desk_.state().jobs.find(id);
  if (found == desk_.state().jobs.end() || is_over(found->second.value.state)) return;
  model::Job job = found->second.value;
  if (absorb(job, now)) {
    keep(job, now);
    pace_[id].not_before = 0;
    return;
  }
  if (now < pace_[id].not_before) return;
  switch (next(job)) {
    case Next::nothing: return;
    case Next::plan: return plan_job(std::move(job), now);
    case Next::act:
    case Next::undo: return act(std::move(job), now);
  }
}

void Runner::plan_job(model::Job job, Moment now) {
  const State& state = desk_.state();
  const model::Cluster* const found = state.cluster(job.intent.cluster);
  pace_[job.id()].not_before = now + kWaitPause;
  const auto not_now = [&](const std::string& reason, bool waits) {
    const model::Job before = job;
    not_planned(job, reason, waits, now);
    if (worth_keeping(before, job)) keep(job, now);
  };
  if (found == nullptr) return not_now("the cluster is no longer there", false);
  if (!found->job.empty() && found->job != job.id())
    return not_now("the cluster is being changed by job " + found->job, true);

  if (is_moot(job, state, tasks_)) {
    planned(job, {}, now);
    keep(job, now);
    return;
  }
  Scene scene = scene_of(tools_, job, *found, random_);
  Steps clearing = steps_to_clear(state, job, *found);
  auto steps = plan(scene);
  if (!steps) return not_now(steps.error().reason, steps.error().waits);
  std::vector<model::Step> made;
  for (const Act& act : clearing.acts) made.push_back(make_step(act));
  for (const Act& act : steps->acts) made.push_back(make_step(act));
  planned(job, std::move(made), now);
  for (const std::string& note : steps->notes) log_info("job ", job.id(), ": ", note);

  store::Transaction with;
  if (scene.last_alias != state.last_alias) {
    with.conditions.push_back(store::modified_at(std::string(kAliasSequence), state.alias_modified));
    with.changes.push_back(store::put(std::string(kAliasSequence), std::to_string(scene.last_alias)));
  }
  if (!is_over(job.state)) {
    model::Cluster cluster = *found;
    cluster.job = job.id();
    cluster.state = job.intent.kind == JobKind::create    ? ClusterState::waiting
                    : job.intent.kind == JobKind::destroy ? ClusterState::deleting
                                                          : ClusterState::changing;
    with.conditions.push_back(as_seen(state, *found));
    with.changes.push_back(put_cluster(cluster));
  }
  if (keep(job, now, std::move(with))) pace_[job.id()].not_before = 0;
}

void Runner::act(model::Job job, Moment now) {
  const std::string id = job.id();
  if (job.cursor >= job.steps.size()) {
    // Undoing a plan that was never begun.
    job.state = JobState::cancelled;
    job.ended = now;
    keep(job, now);
    return;
  }
  const bool undoing = job.state == JobState::undoing;
  const auto act = act_of(job.steps[job.cursor]);
  // Noted before it is begun: behind it nothing can be taken back.
  if (act && !undoing && !can_undo(act->kind) && job.steps[job.cursor].state == StepState::pending) {
    job.steps[job.cursor].state = StepState::running;
    job.steps[job.cursor].began = now;
    job.changed = now;
    if (!keep(job, now)) return;
    job = desk_.state().jobs.at(id).value;
  }
  const model::Step& step = job.steps[job.cursor];
  const Report report = !act      ? Report::broken(act.error().message)
                        : undoing ? take_back(tools_, job, step, *act)
                                  : perform(tools_, job, step, *act);
  const auto found = desk_.state().jobs.find(id);
  if (found == desk_.state().jobs.end()) return;
  // An operator may have asked for something meanwhile.
  const model::Job before = found->second.value;
  if (before.state != job.state || before.cursor != job.cursor) return;
  job = before;
  Pace& pace = pace_[id];
  const Moment delay = reported(job, report, now);
  if (worth_keeping(before, job) || now - pace.stored >= kNoteEvery) {
    if (!keep(job, now)) return;
    pace.stored = now;
    if (report.kind == Report::Kind::done) ++steps_;
  }
  pace.not_before = now + delay;
}

void Runner::add_release(const model::Job& job, Moment now, store::Transaction& transaction) const {
  const model::Cluster* const found = desk_.state().cluster(job.intent.cluster);
  if (found == nullptr || found->job != job.id()) return;
  transaction.conditions.push_back(as_seen(desk_.state(), *found));
  if (job.intent.kind == JobKind::create && job.state == JobState::cancelled) {
    transaction.changes.push_back(store::remove_prefix(store::keys::cluster(found->name)));
    return;
  }
  model::Cluster cluster = *found;
  cluster.job.clear();
  cluster.changed = now;
  cluster.state = job.state == JobState::failed ? ClusterState::attention : ClusterState::done;
  cluster.reason = job.state == JobState::failed ? "job " + job.id() + " failed: " + job.reason : "";
  transaction.changes.push_back(put_cluster(cluster));
}

bool Runner::keep(const model::Job& job, Moment now, store::Transaction with) {
  with.conditions.push_back(as_seen(desk_.state(), job));
  if (is_over(job.state)) add_release(job, now, with);
  with.changes.push_back(put_job(job));
  const auto stored = desk_.commit(std::move(with));
  if (stored) return true;
  const std::string what = "job " + job.id() + " cannot be stored: " + stored.error().message;
  if (stored.error().trouble != store::Trouble::refused) {
    log_info(what);
    return false;
  }
  log_error(what);
  // What is too large to be kept cannot be carried out.
  const auto found = desk_.state().jobs.find(job.id());
  if (found == desk_.state().jobs.end() || is_over(job.state)) return false;
  model::Job failed = found->second.value;
  not_planned(failed, "it cannot be stored: " + stored.error().message, false, now);
  keep(failed, now);
  return false;
}

}  // namespace overlord::jobs
