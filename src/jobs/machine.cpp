#include "jobs/machine.h"

#include <algorithm>

#include "jobs/step.h"

namespace overlord::jobs {
namespace {

using model::JobState;
using model::StepState;

void end(Job& job, JobState state, std::string reason, Moment now) {
  job.state = state;
  job.reason = std::move(reason);
  job.ended = now;
}

// A step that was begun and cannot be taken back; nothing: there is none.
const model::Step* irrevocable(const Job& job) {
  for (const model::Step& step : job.steps) {
    if (step.state == StepState::pending || step.state == StepState::undone) continue;
    const auto act = act_of(step);
    if (!act || !can_undo(act->kind)) return &step;
  }
  return nullptr;
}

Moment pause_after(uint32_t attempts) { return std::min<Moment>(500LL << std::min(attempts, 10U), 30'000); }

void absorb_cancel(Job& job, Moment now) {
  const model::Step* const fixed = irrevocable(job);
  if (fixed == nullptr) {
    // The step at the cursor may have done something too.
    job.state = JobState::undoing;
    job.reason = "cancelled";
    if (job.cursor >= job.steps.size() && !job.steps.empty()) job.cursor = static_cast<uint32_t>(job.steps.size()) - 1;
    if (job.steps.empty()) end(job, JobState::cancelled, "cancelled before anything was done", now);
    return;
  }
  job.cancel = false;
  if (stops_anywhere(job.intent.kind)) {
    end(job, JobState::cancelled,
        "cancelled after " + std::to_string(job.cursor) + " of " + std::to_string(job.steps.size()) +
            " steps, which remain",
        now);
    return;
  }
  job.reason = "cannot be cancelled any more: \"" + fixed->what + "\" cannot be taken back";
}

Moment undone(Job& job, model::Step& step, const Report& report, Moment now) {
  step.note = report.note;
  switch (report.kind) {
    case Report::Kind::done:
      step.state = StepState::undone;
      step.ended = now;
      step.attempts = 0;
      if (job.cursor == 0) {
        end(job, JobState::cancelled, "cancelled; what was done has been taken back", now);
      } else {
        --job.cursor;
      }
      return 0;
    case Report::Kind::again: return report.delay;
    case Report::Kind::wait: job.reason = "cancelled, and waits: " + report.note; return kWaitPause;
    case Report::Kind::failed:
    case Report::Kind::broken:
      ++step.attempts;
      if (report.kind == Report::Kind::broken || step.attempts >= kMaxAttempts) {
        end(job, JobState::failed, "cannot be taken back: " + step.what + ": " + report.note, now);
      }
      return pause_after(step.attempts);
  }
  return 0;
}

}  // namespace

bool stops_anywhere(model::JobKind kind) {
  using enum model::JobKind;
  return kind == restart || kind == resize || kind == configure || kind == upgrade || kind == rebalance;
}

Next next(const Job& job) {
  if (is_over(job.state) || job.state == JobState::paused) return Next::nothing;
  if (job.state == JobState::undoing) return Next::undo;
  return job.steps.empty() ? Next::plan : Next::act;
}

bool absorb(Job& job, Moment now) {
  if (is_over(job.state) || job.state == JobState::undoing) return false;
  if (job.cancel) {
    absorb_cancel(job, now);
  } else if (job.pause && job.state != JobState::paused) {
    job.state = JobState::paused;
    job.reason = "paused";
  } else if (!job.pause && job.state == JobState::paused) {
    job.state = job.steps.empty() ? JobState::pending : JobState::running;
    job.reason.clear();
  } else {
    return false;
  }
  job.changed = now;
  return true;
}

void planned(Job& job, std::vector<model::Step> steps, Moment now) {
  job.steps = std::move(steps);
  job.cursor = 0;
  job.state = JobState::running;
  job.reason.clear();
  if (job.began == 0) job.began = now;
  job.changed = now;
  if (job.steps.empty()) end(job, JobState::done, "there was nothing to do", now);
}

void not_planned(Job& job, const std::string& reason, bool waits, Moment now) {
  job.changed = now;
  if (!waits) return end(job, JobState::failed, reason, now);
  job.state = JobState::waiting;
  job.reason = reason;
}

Moment reported(Job& job, const Report& report, Moment now) {
  model::Step& step = job.steps[job.cursor];
  job.changed = now;
  if (step.began == 0) step.began = now;
  if (job.state == JobState::undoing) return undone(job, step, report, now);

  step.note = report.note;
  step.state = StepState::running;
  job.state = JobState::running;
  job.reason.clear();
  switch (report.kind) {
    case Report::Kind::done:
      step.state = StepState::done;
      step.ended = now;
      step.attempts = 0;
      if (++job.cursor == job.steps.size()) end(job, JobState::done, {}, now);
      return 0;
    case Report::Kind::again: return report.delay;
    case Report::Kind::wait:
      job.state = JobState::waiting;
      job.reason = report.note;
      return kWaitPause;
    case Report::Kind::failed:
    case Report::Kind::broken:
      ++step.attempts;
      if (report.kind == Report::Kind::broken || step.attempts >= kMaxAttempts) {
        step.state = StepState::failed;
        end(job, JobState::failed, step.what + ": " + report.note, now);
      }
      return pause_after(step.attempts);
  }
  return 0;
}

void retried(Job& job, bool replan, Moment now) {
  job.state = JobState::pending;
  job.reason.clear();
  job.pause = false;
  job.cancel = false;
  job.ended = 0;
  job.changed = now;
  ++job.retries;
  if (replan) {
    job.steps.clear();
    job.cursor = 0;
    return;
  }
  for (model::Step& step : job.steps) step.attempts = 0;
}

}  // namespace overlord::jobs
