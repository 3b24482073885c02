#pragma once
// The job machine: what becomes of a job by what happens. Pure: a job and an event give a job.
//
//   pending --planned--> running --all steps done--> done
//     |  ^                |  ^ |
//     |  '--- waiting <---'  | '--an act fails too often--> failed --retry--> pending
//     '-----------^          paused
//   cancel: undoing (steps in reverse) --> cancelled; refused behind a step that cannot be taken back, unless the job
//   may stop anywhere, as a rolling restart may.

#include <optional>
#include <string>
#include <vector>

#include "model/job.h"

namespace overlord::jobs {

using model::Job;
using model::Moment;

// What an act says of itself when it returns.
struct Report {
  enum class Kind : uint8_t {
    done,
    again,   // goes on; call it again after `delay`
    wait,    // needs something that is not there: the job is shown as waiting, and it is tried again for ever
    failed,  // this attempt; there are kMaxAttempts
    broken,  // no attempt can succeed
  };
  Kind kind = Kind::done;
  std::string note{};
  Moment delay = 200;  // ms; of again

  static Report done(std::string note = {}) { return {Kind::done, std::move(note)}; }
  static Report again(std::string note, Moment delay = 200) { return {Kind::again, std::move(note), delay}; }
  static Report wait(std::string note) { return {Kind::wait, std::move(note)}; }
  static Report failed(std::string note) { return {Kind::failed, std::move(note)}; }
  static Report broken(std::string note) { return {Kind::broken, std::move(note)}; }
};

inline constexpr uint32_t kMaxAttempts = 10;  // of a step; with the pauses between them more than two minutes
inline constexpr Moment kWaitPause = 3000;    // ms, between looks at what a job waits for

enum class Next : uint8_t { nothing, plan, act, undo };
// What is to be done for a job now; act and undo: of job.steps[job.cursor].
Next next(const Job& job);

// Takes note of what operators ask for (pause, cancel). True: the job has changed.
bool absorb(Job& job, Moment now);

void planned(Job& job, std::vector<model::Step> steps, Moment now);
// It cannot be planned now (`waits`), or never.
void not_planned(Job& job, const std::string& reason, bool waits, Moment now);
// What the act or the undoing of job.steps[job.cursor] said. The pause before it is called again, in ms.
Moment reported(Job& job, const Report& report, Moment now);
// A job that failed begins again: where it was, or with a new plan.
void retried(Job& job, bool replan, Moment now);

// Whether a cancelled job of this kind just ends where it is.
bool stops_anywhere(model::JobKind kind);

}  // namespace overlord::jobs
