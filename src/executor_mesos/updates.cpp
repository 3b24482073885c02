#include "executor_mesos/updates.h"

#include <algorithm>

namespace overlord::executor_mesos {

bool UpdateBook::launched(const mesos::executor::Launch& launch) {
  return tasks_.try_emplace(launch.task_id, launch.task).second;
}

void UpdateBook::add(mesos::Status status) { updates_.push_back(std::move(status)); }

void UpdateBook::acknowledged(const std::string& task_id, const std::string& uuid) {
  sent_.erase(uuid);
  std::erase_if(updates_, [&](const mesos::Status& status) { return status.uuid == uuid; });
  if (const auto task = tasks_.find(task_id); task != tasks_.end()) task->second.reset();
}

std::vector<mesos::Status> UpdateBook::due(Clock::time_point now) const {
  std::vector<mesos::Status> found;
  for (const mesos::Status& status : updates_) {
    const auto sent = sent_.find(status.uuid);
    if (sent == sent_.end() || now - sent->second >= again_) found.push_back(status);
  }
  return found;
}

std::vector<std::string> UpdateBook::unacknowledged_tasks() const {
  std::vector<std::string> found;
  for (const auto& [id, info] : tasks_) {
    if (info) found.push_back(*info);
  }
  return found;
}

}  // namespace overlord::executor_mesos
