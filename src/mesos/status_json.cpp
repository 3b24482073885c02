#include "mesos/status_json.h"

#include <nlohmann/json.hpp>

namespace overlord::mesos {

Status read_status(Fields& fields, const nlohmann::json& in) {
  Status status;
  status.task_id = fields.id(in, "task_id");
  const auto known = state(fields.text(in, "state"));
  if (!known || status.task_id.empty()) fields.spoil();
  status.state = known.value_or(State::unknown);
  status.message = fields.text(in, "message");
  status.source = fields.text(in, "source");
  status.reason = fields.text(in, "reason");
  status.agent_id = fields.id(in, "agent_id");
  status.executor_id = fields.id(in, "executor_id");
  status.uuid = fields.text(in, "uuid");
  status.timestamp = fields.number(in, "timestamp");
  status.healthy = fields.yes(in, "healthy");
  return status;
}

nlohmann::json status_json(const Status& status) {
  nlohmann::json json{{"task_id", {{"value", status.task_id}}},
                      {"state", to_string(status.state)},
                      {"source", status.source},
                      {"uuid", status.uuid},
                      {"timestamp", status.timestamp}};
  if (!status.executor_id.empty()) json["executor_id"] = {{"value", status.executor_id}};
  if (!status.message.empty()) json["message"] = status.message;
  if (!status.reason.empty()) json["reason"] = status.reason;
  if (status.healthy) json["healthy"] = *status.healthy;
  return json;
}

}  // namespace overlord::mesos
