#include "executor/task_file.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "model/json.h"

namespace overlord::executor {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json status_of(const TaskRecord& record) {
  Json out;
  out["id"] = record.task.id;
  out["cluster"] = record.task.cluster;
  out["type"] = to_string(record.task.type);
  out["version"] = record.task.version;
  out["host"] = record.task.host;
  out["port"] = record.task.port;
  out["cpu_milli"] = record.task.spec.cpu_milli;
  out["memory_mib"] = record.task.spec.memory_mib;
  out["health"] = to_string(record.health);
  out["stopping"] = record.stop && !is_over(record.health);
  out["pid"] = record.process.pid;
  out["since"] = record.since;
  out["restarts"] = record.restarts;
  out["message"] = record.message;
  out["server"] = record.server;
  return out;
}

// A field that is there and of another type is an error; one that is not there keeps its default.
class Reader {
 public:
  explicit Reader(const Json& from) : from_(from) {}
  void operator()(const char* name, std::string& value) {
    take(name, value, [](const Json& field) { return field.is_string(); });
  }
  void operator()(const char* name, bool& value) {
    take(name, value, [](const Json& field) { return field.is_boolean(); });
  }
  template <std::integral T>
  void operator()(const char* name, T& value) {
    const auto at = from_.find(name);
    if (at == from_.end()) return;
    bool good = false;
    if (at->is_number_unsigned()) {
      good = std::in_range<T>(at->get<uint64_t>());
      if (good) value = static_cast<T>(at->get<uint64_t>());
    } else if (at->is_number_integer()) {
      good = std::in_range<T>(at->get<int64_t>());
      if (good) value = static_cast<T>(at->get<int64_t>());
    }
    if (!good) wrong_ = name;
  }
  const std::string& wrong() const { return wrong_; }

 private:
  template <typename T, typename Test>
  void take(const char* name, T& value, Test test) {
    const auto at = from_.find(name);
    if (at == from_.end()) return;
    if (test(*at)) {
      value = at->template get<T>();
    } else {
      wrong_ = name;
    }
  }
  const Json& from_;
  std::string wrong_;
};

}  // namespace

std::string to_json(const TaskRecord& record) {
  Json out;
  out["task"] = Json::parse(model::to_json(record.task), nullptr, /*allow_exceptions=*/false);
  out["pid"] = record.process.pid;
  out["started"] = record.process.started;
  out["boot"] = record.process.boot;
  out["server"] = record.server;
  out["stop"] = record.stop;
  out["stop_by"] = record.stop_by;
  out["health"] = to_string(record.health);
  out["message"] = record.message;
  out["since"] = record.since;
  out["restarts"] = record.restarts;
  out["in_a_row"] = record.in_a_row;
  out["wiped"] = record.wiped;
  return text_of(out);
}

Result<TaskRecord> task_record(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("task")) return fail("not the record of a task");
  auto task = model::from_json<model::NodeTask>(text_of(json["task"]));
  if (!task) return fail("task: " + task.error().message);
  TaskRecord record;
  record.task = std::move(*task);
  std::string health = "unknown";
  Reader read(json);
  read("pid", record.process.pid);
  read("started", record.process.started);
  read("boot", record.process.boot);
  read("server", record.server);
  read("stop", record.stop);
  read("stop_by", record.stop_by);
  read("health", health);
  read("message", record.message);
  read("since", record.since);
  read("restarts", record.restarts);
  read("in_a_row", record.in_a_row);
  read("wiped", record.wiped);
  if (!read.wrong().empty()) return fail("the field " + read.wrong() + " cannot be read");
  record.health = model::Health::unknown;
  for (const auto each : {model::Health::starting, model::Health::running, model::Health::sick, model::Health::failed,
                          model::Health::stopped, model::Health::lost}) {
    if (to_string(each) == health) record.health = each;
  }
  return record;
}

std::string status_json(const TaskRecord& record) { return text_of(status_of(record)); }

std::string event_json(uint64_t number, const TaskRecord& record, bool removed) {
  Json out;
  out["number"] = number;
  if (removed) out["removed"] = true;
  out["task"] = status_of(record);
  return text_of(out);
}

}  // namespace overlord::executor
