#include <algorithm>

#include "model/cluster.h"
#include "model/job.h"
#include "model/names.h"
#include "model/people.h"

namespace overlord::model {

std::string_view to_string(ClusterState state) { return name_of(state); }
std::string_view to_string(Health health) { return name_of(health); }
std::string_view to_string(JobKind kind) { return name_of(kind); }
std::string_view to_string(JobState state) { return name_of(state); }
std::string_view to_string(StepState state) { return name_of(state); }
std::string_view to_string(Access access) { return name_of(access); }
std::optional<JobKind> job_kind(std::string_view text) { return value_of<JobKind>(text); }
std::optional<Access> access(std::string_view text) { return value_of<Access>(text); }

std::string task_id(const Node& node) {
  return node.address() + "-" + node.cluster + "-" + std::to_string(node.incarnation);
}

std::string Job::id() const {
  std::string digits = std::to_string(number);
  constexpr size_t kDigits = 20;
  return group + "." + std::string(kDigits - std::min(kDigits, digits.size()), '0') + digits;
}

uint32_t Job::percent() const {
  uint64_t all = 0;
  uint64_t done = 0;
  for (const Step& step : steps) {
    all += step.weight;
    if (step.state == StepState::done) done += step.weight;
  }
  constexpr uint64_t kWhole = 100;
  if (all == 0) return state == JobState::done ? kWhole : 0;
  return static_cast<uint32_t>(done * kWhole / all);
}

Moment Job::eta(Moment at) const {
  uint64_t all = 0;
  uint64_t done = 0;
  Moment spent = 0;
  for (const Step& step : steps) {
    all += step.weight;
    if (step.state != StepState::done) continue;
    done += step.weight;
    spent += step.ended - step.began;
  }
  if (is_over(state) || done == 0 || spent <= 0) return 0;
  return at + spent * static_cast<Moment>(all - done) / static_cast<Moment>(done);
}

}  // namespace overlord::model
