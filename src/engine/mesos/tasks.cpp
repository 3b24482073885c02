#include "engine/mesos/tasks.h"

#include <algorithm>
#include <utility>

namespace overlord::engine {
namespace {

using mesos::State;
using std::chrono::milliseconds;

constexpr size_t kMostSeen = 16;

bool says(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// Reasons of a TASK_LOST that leave no doubt: it was not started, or its agent has made sure of its end.
bool surely_gone(std::string_view reason) {
  return reason == "REASON_INVALID_OFFERS" || reason == "REASON_AGENT_RESTARTED" ||
         reason == "REASON_EXECUTOR_REREGISTRATION_TIMEOUT" || reason == "REASON_TASK_KILLED_DURING_LAUNCH";
}

}  // namespace

std::optional<model::HostPort> place_of(std::string_view task_id) {
  const size_t end = task_id.find('-');
  if (end == std::string_view::npos) return std::nullopt;
  return model::host_port(task_id.substr(0, end));
}

TaskState state_of(const mesos::Status& status) {
  switch (status.state) {
    case State::staging: return TaskState::staging;
    case State::starting: return TaskState::starting;
    case State::running:
    case State::killing: return status.healthy == false ? TaskState::sick : TaskState::running;
    case State::finished:
    case State::killed: return TaskState::stopped;
    case State::failed:
    case State::error: return TaskState::failed;
    case State::dropped:
    case State::gone:
    case State::gone_by_operator: return TaskState::gone;
    case State::lost: return surely_gone(status.reason) ? TaskState::gone : TaskState::lost;
    case State::unreachable:
    case State::unknown: break;
  }
  return TaskState::lost;
}

TaskBook::Task& TaskBook::task(const std::string& id, const std::string& host) {
  Task& task = tasks_[id];
  if (!task.status.id.empty()) return task;
  task.status.id = id;
  task.status.host = host;
  task.status.state = TaskState::lost;  // until somebody says more
  const auto place = place_of(id);
  if (!place) return task;
  if (task.status.host.empty()) task.status.host = place->host;
  task.used.ports.insert(place->port);
  return task;
}

void TaskBook::set(Task& task, TaskState state, std::string message) {
  task.status.state = state;
  task.status.message = std::move(message);
  if (!task.changed) ++changed_;
  task.changed = true;
}

void TaskBook::end(Task& task, TaskState state, std::string message, Clock::time_point now) {
  set(task, state, std::move(message));
  task.final = true;
  task.waiting = false;
  task.ended = now;
  task.question.reset();
  task.killing.reset();
}

bool TaskBook::alive(const std::string& id) const {
  const auto found = tasks_.find(id);
  if (found == tasks_.end()) return false;
  const TaskState state = found->second.status.state;
  return !is_over(state) && state != TaskState::lost;
}

void TaskBook::launched(const std::string& id, const std::string& host, const std::string& agent_id,
                        const OfferBook::Used& used) {
  Task& launched = task(id, host);
  launched.agent_id = agent_id;
  launched.used = used;
  launched.final = false;
  launched.waiting = true;
  launched.question.reset();
  launched.killing.reset();
  set(launched, TaskState::staging, {});
}

void TaskBook::asked_for(const std::string& id) {
  if (const auto found = tasks_.find(id); found != tasks_.end()) found->second.waiting = false;
}

void TaskBook::withdrawn(const std::string& id, const std::string& why, Clock::time_point now) {
  end(task(id, {}), TaskState::gone, why, now);
}

// An agent sends the next update of a task only when the one before is acknowledged, and until then the same again. So
// one that was seen before the newest is an echo.
bool TaskBook::is_echo(Task& task, const std::string& uuid) {
  if (uuid.empty()) return false;
  const auto found = std::ranges::find(task.seen, uuid);
  if (found != task.seen.end()) return std::next(found) != task.seen.end();
  task.seen.push_back(uuid);
  if (task.seen.size() > kMostSeen) task.seen.pop_front();
  return false;
}

void TaskBook::updated(const mesos::Status& status, Clock::time_point now) {
  Task& known = task(status.task_id, {});
  if (status.reason == "REASON_TASK_INVALID" && says(status.message, "duplicate ID")) {
    // It runs already: a launch that was not remembered. What it does now the master says when asked.
    if (known.status.state == TaskState::staging) known.question = Repeat{now, times_.ask_first, now};
    return;
  }
  known.question.reset();
  if (!status.agent_id.empty()) known.agent_id = status.agent_id;
  if (!is_echo(known, status.uuid) && !known.final) {
    const TaskState before = known.status.state;
    TaskState next = state_of(status);
    if (next == TaskState::staging && before != TaskState::lost) next = before;
    const std::string& message = status.message.empty() ? status.reason : status.message;
    const bool news = next != before || (status.reason != "REASON_RECONCILIATION" && message != known.status.message);
    if (is_over(next)) {
      end(known, next, message, now);
    } else if (news || known.tell) {
      set(known, next, message);
    }
    known.tell = false;
  }
  if (status.uuid.empty()) return;
  auto& updates = known.changed ? known.updates : told_;
  if (std::ranges::find(updates, status.uuid, &mesos::Status::uuid) == updates.end()) updates.push_back(status);
}

void TaskBook::agent_failed(const std::string& agent_id, Clock::time_point) {
  for (auto& [id, known] : tasks_) {
    if (known.agent_id != agent_id || is_over(known.status.state) || known.status.state == TaskState::lost) continue;
    set(known, TaskState::lost, "the agent is lost");
  }
}

void TaskBook::kill(const std::string& id, const std::string& host, milliseconds grace, Clock::time_point now) {
  Task& known = task(id, host);
  if (known.final) {
    set(known, known.status.state, known.status.message);  // told again
    return;
  }
  known.grace = grace;
  known.tell = known.tell || known.status.state == TaskState::lost;
  if (!known.killing) known.killing = Repeat{now, times_.kill_first, now};
}

void TaskBook::ask(const TaskStatus& asked, Clock::time_point now) {
  Task& known = task(asked.id, asked.host);
  if (known.final) {
    set(known, known.status.state, known.status.message);
    return;
  }
  known.tell = true;
  if (!known.question) known.question = Repeat{now, times_.ask_first, now};
}

void TaskBook::ask_all(Clock::time_point now) {
  for (auto& [id, known] : tasks_) {
    if (!known.final && !known.question) known.question = Repeat{now, times_.ask_first, now};
  }
}

void TaskBook::connected(Clock::time_point now) {
  to_send_.clear();
  for (auto& [id, known] : tasks_) {
    if (known.final) continue;
    known.question = Repeat{now, times_.ask_first, now};
    if (known.killing) known.killing = Repeat{now, times_.kill_first, now};
  }
}

std::vector<TaskBook::KillNow> TaskBook::kills(Clock::time_point now) {
  std::vector<KillNow> due;
  for (auto& [id, known] : tasks_) {
    if (!known.killing || known.killing->next > now) continue;
    due.push_back({{id, known.agent_id}, known.grace});
    known.killing->next = now + known.killing->pause;
    known.killing->pause = std::min(2 * known.killing->pause, times_.kill_longest);
  }
  return due;
}

std::vector<mesos::TaskAt> TaskBook::questions(const OfferBook& offers, Clock::time_point now) {
  std::vector<mesos::TaskAt> due;
  for (auto& [id, known] : tasks_) {
    if (!known.question || known.waiting || known.question->next > now) continue;
    due.push_back({id, known.agent_id.empty() ? offers.agent_of(known.status.host) : known.agent_id});
    known.question->next = now + known.question->pause;
    known.question->pause = std::min(2 * known.question->pause, times_.ask_longest);
    const bool lost = known.status.state == TaskState::lost;
    if (now - known.question->since >= times_.silence && (!lost || known.status.message.empty())) {
      set(known, TaskState::lost, "the Mesos master says nothing of it");
    }
  }
  return due;
}

bool TaskBook::asks() const {
  return std::ranges::any_of(tasks_, [](const auto& entry) { return entry.second.question.has_value(); });
}

std::vector<TaskStatus> TaskBook::take_changes() {
  std::vector<TaskStatus> all;
  for (auto& [id, known] : tasks_) {
    if (!known.changed) continue;
    known.changed = false;
    all.push_back(known.status);
    told_.insert(told_.end(), known.updates.begin(), known.updates.end());
    known.updates.clear();
  }
  changed_ = 0;
  return all;
}

void TaskBook::acknowledge_told() {
  to_send_.insert(to_send_.end(), told_.begin(), told_.end());
  told_.clear();
}

std::vector<mesos::Status> TaskBook::take_acknowledgements() { return std::exchange(to_send_, {}); }

std::map<std::string, OfferBook::Used> TaskBook::used() const {
  std::map<std::string, OfferBook::Used> all;
  for (const auto& [id, known] : tasks_) {
    if (is_over(known.status.state) || known.status.host.empty()) continue;
    OfferBook::Used& used = all[known.status.host];
    used.share.cpu_milli += known.used.share.cpu_milli;
    used.share.memory_mib += known.used.share.memory_mib;
    used.ports.insert(known.used.ports.begin(), known.used.ports.end());
  }
  return all;
}

std::string TaskBook::agent_of(const std::string& id) const {
  const auto found = tasks_.find(id);
  return found == tasks_.end() ? std::string() : found->second.agent_id;
}

void TaskBook::forget_old(Clock::time_point now) {
  std::erase_if(tasks_, [&](const auto& entry) {
    return entry.second.final && !entry.second.changed && now - entry.second.ended > times_.keep;
  });
}

}  // namespace overlord::engine
