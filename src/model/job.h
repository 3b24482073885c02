#pragma once
// Jobs: every change of a cluster, as a record that outlives the processes that carry it out.

#include <map>
#include <string>
#include <vector>

#include "model/types.h"

namespace overlord::model {

enum class JobKind : uint8_t {
  create,
  destroy,
  scale,      // to `shards`
  resize,     // to `memory_mib`, in place
  restart,    // `nodes`, or all, one after the other
  replace,    // `nodes`: each gets a new place
  recover,    // all nodes of `hosts`, which are lost
  drain,      // all nodes of `hosts`, which still run
  rebalance,  // roles as planned, slots evenly
  configure,  // `settings`
  upgrade,    // to `version`
};
std::string_view to_string(JobKind kind);
std::optional<JobKind> job_kind(std::string_view text);

// What is wanted. Which fields count follows from the kind.
struct Intent {
  JobKind kind = JobKind::create;
  std::string cluster{};
  uint32_t shards = 0;
  uint32_t memory_mib = 0;
  std::string version{};
  std::vector<std::string> nodes{};  // addresses
  std::vector<std::string> hosts{};
  std::map<std::string, std::string> settings{};
  bool operator==(const Intent&) const = default;
};

enum class JobState : uint8_t {
  pending,  // nobody has begun
  running,
  waiting,  // cannot go on now; `reason` says what for, and it goes on by itself when that comes
  paused,   // by an operator
  undoing,  // cancelled: what can be taken back is
  done,
  failed,  // needs an operator: `reason`; can be retried
  cancelled,
};
std::string_view to_string(JobState state);
constexpr bool is_over(JobState state) {
  return state == JobState::done || state == JobState::failed || state == JobState::cancelled;
}

enum class StepState : uint8_t { pending, running, done, failed, undone };
std::string_view to_string(StepState state);

// One idempotent act. What it needs is in `detail`, JSON by its kind (src/jobs), so that a later leader does the same.
struct Step {
  std::string kind{};    // "launch", "wait_healthy", "move_slots"
  std::string what{};    // for a person: "start 127.0.0.2:31000"
  std::string detail{};  // JSON
  StepState state = StepState::pending;
  uint32_t attempts = 0;
  std::string note{};  // why it waits or failed, or what it found
  Moment began = 0;
  Moment ended = 0;
  uint32_t weight = 1;  // of the job's progress
  bool operator==(const Step&) const = default;
};

struct Job {
  std::string group{};
  uint64_t number = 0;
  Intent intent{};
  JobState state = JobState::pending;
  std::string reason{};
  std::string user{};
  std::vector<Step> steps{};  // empty until it is planned
  uint32_t cursor = 0;        // the first step that is not done
  bool pause = false;         // an operator asks for it
  bool cancel = false;
  uint32_t retries = 0;
  Moment created = 0;
  Moment began = 0;
  Moment ended = 0;
  Moment changed = 0;

  std::string id() const;       // "<group>.<20 digits>"
  uint32_t percent() const;     // by the weights of steps
  Moment eta(Moment at) const;  // by the time that the steps so far took; 0: not known
  bool operator==(const Job&) const = default;
};

std::string to_json(const Job& job);

}  // namespace overlord::model
