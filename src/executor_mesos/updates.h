#pragma once
// UpdateBook: the updates that the agent has not acknowledged, and the tasks that it may not know we have. No I/O, no
// clock of its own.
//
// An agent acknowledges an update once it has written it down, whatever the scheduler does; then it is its business. One
// that is sent twice is acknowledged twice and passed on once.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mesos/executor_api.h"

namespace overlord::executor_mesos {

class UpdateBook {
 public:
  using Clock = std::chrono::steady_clock;

  explicit UpdateBook(std::chrono::milliseconds again) : again_(again) {}

  // False: it is known already.
  bool launched(const mesos::executor::Launch& launch);

  void add(mesos::Status status);
  void acknowledged(const std::string& task_id, const std::string& uuid);
  // Nothing needs to be sent until the time to send it again.
  void sent(const std::string& uuid, Clock::time_point now) { sent_[uuid] = now; }
  // Those to be sent now. Updates of one task go in order, each without waiting for the one before.
  std::vector<mesos::Status> due(Clock::time_point now) const;
  const std::vector<mesos::Status>& unacknowledged() const { return updates_; }
  // Whole TaskInfos.
  std::vector<std::string> unacknowledged_tasks() const;

 private:
  const std::chrono::milliseconds again_;
  std::map<std::string, std::optional<std::string>> tasks_;  // their TaskInfo, until the first acknowledgement
  std::vector<mesos::Status> updates_;                       // in order
  std::map<std::string, Clock::time_point> sent_;            // by uuid
};

}  // namespace overlord::executor_mesos
