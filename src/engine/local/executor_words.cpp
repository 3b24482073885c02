#include "engine/local/executor_words.h"

#include <nlohmann/json.hpp>

namespace overlord::engine {
namespace {

using Json = nlohmann::json;

Json parsed(std::string_view text) { return Json::parse(text, nullptr, /*allow_exceptions=*/false); }

std::string text_in(const Json& from, const char* name) {
  const auto at = from.find(name);
  return at != from.end() && at->is_string() ? at->get<std::string>() : std::string();
}

uint64_t number_in(const Json& from, const char* name) {
  const auto at = from.find(name);
  return at != from.end() && at->is_number_unsigned() ? at->get<uint64_t>() : 0;
}

bool yes_in(const Json& from, const char* name) {
  const auto at = from.find(name);
  return at != from.end() && at->is_boolean() && at->get<bool>();
}

TaskState state_of(const std::string& health) {
  if (health == "starting") return TaskState::starting;
  if (health == "running") return TaskState::running;
  if (health == "sick") return TaskState::sick;
  if (health == "stopped") return TaskState::stopped;
  if (health == "failed") return TaskState::failed;
  return TaskState::lost;
}

Result<TaskView> view_of(const Json& from) {
  if (!from.is_object()) return fail("a task that is no object");
  TaskView view;
  view.status.id = text_in(from, "id");
  view.status.host = text_in(from, "host");
  view.status.message = text_in(from, "message");
  view.status.state = state_of(text_in(from, "health"));
  view.type = model::cache_type(text_in(from, "type")).value_or(model::CacheType::redis);
  const uint64_t port = number_in(from, "port");
  const uint64_t cpu = number_in(from, "cpu_milli");
  const uint64_t memory = number_in(from, "memory_mib");
  if (view.status.id.empty() || port == 0 || port > UINT16_MAX || cpu > UINT32_MAX || memory > UINT32_MAX) {
    return fail("a task without an id, or with numbers that cannot be");
  }
  view.port = static_cast<uint16_t>(port);
  view.spec = {.cpu_milli = static_cast<uint32_t>(cpu), .memory_mib = static_cast<uint32_t>(memory)};
  return view;
}

}  // namespace

Result<TaskList> task_list(std::string_view text) {
  const Json json = parsed(text);
  if (!json.is_object() || !json.contains("tasks") || !json["tasks"].is_array()) return fail("not a list of tasks");
  TaskList list;
  list.next = number_in(json, "next");
  for (const Json& each : json["tasks"]) {
    auto view = view_of(each);
    if (!view) return fail(view.error().message);
    list.tasks.push_back(std::move(*view));
  }
  return list;
}

Result<TaskView> task_view(std::string_view text) { return view_of(parsed(text)); }

Result<EventLine> event_line(std::string_view text) {
  const Json json = parsed(text);
  if (!json.is_object()) return fail("an event that is no object");
  EventLine line;
  line.reset = yes_in(json, "reset");
  line.removed = yes_in(json, "removed");
  line.hello = !json.contains("task");
  if (line.hello) return line;
  auto view = view_of(json["task"]);
  if (!view) return fail(view.error().message);
  line.task = std::move(*view);
  return line;
}

}  // namespace overlord::engine
