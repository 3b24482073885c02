#pragma once
// What an executor says, read: its answers are JSON and come from another process, so nothing is believed of them but
// what has the right type.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"
#include "model/types.h"

namespace overlord::engine {

struct TaskView {
  TaskStatus status{};
  model::CacheType type = model::CacheType::redis;
  model::Spec spec{};
  uint16_t port = 0;
  bool operator==(const TaskView&) const = default;
};

struct TaskList {
  uint64_t next = 0;  // event
  std::vector<TaskView> tasks{};
};
Result<TaskList> task_list(std::string_view text);

// The answer to a request about one task.
Result<TaskView> task_view(std::string_view text);

struct EventLine {
  bool hello = false;    // the first line
  bool reset = false;    // events are missing
  bool removed = false;  // the executor has no more to say of the task
  TaskView task{};
};
Result<EventLine> event_line(std::string_view text);

}  // namespace overlord::engine
