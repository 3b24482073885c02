#pragma once
// TaskFile: what an executor knows of a task, in the task's folder, so that the next one can go on: which process it is,
// whether it is to run or to end, and what became of it. Replaced whole at every change; it holds the password, so only its
// owner reads it.

#include <string>
#include <string_view>

#include "executor/process.h"
#include "model/cluster.h"
#include "model/task.h"

namespace overlord::executor {

struct TaskRecord {
  model::NodeTask task{};
  ProcessId process{};        // pid 0: none
  std::string server{};       // the program that runs or ran, for people
  bool stop = false;          // it is to end, or has ended so
  model::Moment stop_by = 0;  // when it is made to
  model::Health health = model::Health::starting;
  std::string message{};
  model::Moment since = 0;  // of the health
  uint32_t restarts = 0;    // in place, all of them
  uint32_t in_a_row = 0;    // since it last ran well
  bool wiped = false;       // what task.wipe asks for has been done
  bool operator==(const TaskRecord&) const = default;
};

// stopped and failed: it does not run, and will not by itself.
constexpr bool is_over(model::Health health) {
  return health == model::Health::stopped || health == model::Health::failed;
}

inline constexpr std::string_view kTaskFile = "task.json";
inline constexpr size_t kTaskFileLimit = 16 * 1024 * 1024;

std::string to_json(const TaskRecord& record);
Result<TaskRecord> task_record(std::string_view text);
// For people and engines: without the task's secrets.
std::string status_json(const TaskRecord& record);

struct TaskEvent {
  uint64_t number = 0;
  std::string text;  // JSON on one line
};
std::string event_json(uint64_t number, const TaskRecord& record, bool removed);

}  // namespace overlord::executor
