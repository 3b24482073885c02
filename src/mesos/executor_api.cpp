#include "mesos/executor_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/ascii.h"
#include "base/base64.h"
#include "mesos/fields.h"
#include "mesos/status_json.h"

namespace overlord::mesos::executor {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr double kLongestGrace = 24.0 * 3600 * 1000;  // ms
constexpr double kNanosecondsPerMillisecond = 1e6;

Json call_of(const Ids& ids, std::string_view type) {
  return {{"type", type}, {"executor_id", {{"value", ids.executor}}}, {"framework_id", {{"value", ids.framework}}}};
}

Event read_launch(Fields& fields, const Json& body) {
  const Json* const task = fields.find(body, "task");
  if (task == nullptr) {
    fields.spoil();
    return Launch{};
  }
  Launch launch{fields.id(*task, "task_id"), fields.bytes(*task, "data"), dump(*task)};
  if (launch.task_id.empty()) fields.spoil();
  return launch;
}

Event read_kill(Fields& fields, const Json& body) {
  Kill kill{fields.id(body, "task_id"), {}};
  if (kill.task_id.empty()) fields.spoil();
  const Json* const policy = fields.find(body, "kill_policy");
  const Json* const period = policy == nullptr ? nullptr : fields.find(*policy, "grace_period");
  if (period != nullptr) {
    const double wanted = fields.number(*period, "nanoseconds") / kNanosecondsPerMillisecond;
    kill.grace = milliseconds(static_cast<int64_t>(std::clamp(wanted, 0.0, kLongestGrace)));
  }
  return kill;
}

Event read_subscribed(Fields& fields, const Json& body) {
  Subscribed subscribed;
  if (const Json* const agent = fields.find(body, "agent_info"); agent != nullptr) {
    subscribed = {fields.id(*agent, "id"), fields.text(*agent, "hostname")};
  }
  return subscribed;
}

Event read_event(Fields& fields, const std::string& type, const Json& body) {
  if (type == "SUBSCRIBED") return read_subscribed(fields, body);
  if (type == "LAUNCH") return read_launch(fields, body);
  if (type == "KILL") return read_kill(fields, body);
  if (type == "ACKNOWLEDGED") return Acknowledged{fields.id(body, "task_id"), fields.text(body, "uuid")};
  if (type == "MESSAGE") return Message{fields.bytes(body, "data")};
  if (type == "SHUTDOWN") return Shutdown{};
  if (type == "ERROR") return Refused{fields.text(body, "message")};
  return Other{type};
}

}  // namespace

std::string subscribe_call(const Ids& ids, std::span<const std::string> tasks, std::span<const Status> updates) {
  Json task_list = Json::array();
  for (const std::string& task : tasks) {
    if (auto parsed = parse_object(task)) task_list.push_back(std::move(*parsed));
  }
  Json update_list = Json::array();
  for (const Status& update : updates) update_list.push_back({{"status", status_json(update)}});
  Json call = call_of(ids, "SUBSCRIBE");
  call["subscribe"] = {{"unacknowledged_tasks", std::move(task_list)},
                       {"unacknowledged_updates", std::move(update_list)}};
  return dump(call);
}

std::string update_call(const Ids& ids, const Status& status) {
  Json call = call_of(ids, "UPDATE");
  call["update"] = {{"status", status_json(status)}};
  return dump(call);
}

std::string message_call(const Ids& ids, std::string_view data) {
  Json call = call_of(ids, "MESSAGE");
  call["message"] = {{"data", to_base64(data)}};
  return dump(call);
}

Result<Event> parse_event(std::string_view text) {
  const auto event = parse_object(text);
  if (!event) return fail("an event that is no JSON object");
  Fields fields;
  const std::string type = fields.text(*event, "type");
  static const Json kNone = Json::object();
  const Json* const body = fields.find(*event, lower_case(type).c_str());
  Event read = read_event(fields, type, body == nullptr ? kNone : *body);
  if (!fields.good() || type.empty()) return fail("an event " + type + " that cannot be read");
  return read;
}

}  // namespace overlord::mesos::executor
