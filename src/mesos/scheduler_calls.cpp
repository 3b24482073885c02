#include "mesos/scheduler_calls.h"

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "mesos/fields.h"

namespace overlord::mesos {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr double kThousand = 1000;

Json id_of(std::string_view value) { return {{"value", value}}; }

Json ids_of(std::span<const std::string> values) {
  Json ids = Json::array();
  for (const std::string& value : values) ids.push_back(id_of(value));
  return ids;
}

Json call_of(std::string_view framework_id, std::string_view type) {
  return {{"framework_id", id_of(framework_id)}, {"type", type}};
}

Json refusing(milliseconds refuse) { return {{"refuse_seconds", static_cast<double>(refuse.count()) / kThousand}}; }

Json nanoseconds(milliseconds time) {
  return {{"nanoseconds", std::chrono::duration_cast<std::chrono::nanoseconds>(time).count()}};
}

// A resource that is kept for a role says so; offers are allocated to the framework's role either way.
Json resource(const Resource& from, std::string_view allocated) {
  Json json{{"allocation_info", {{"role", allocated}}}};
  if (from.role != "*") json["role"] = from.role;
  if (from.kind == ResourceKind::ports) {
    json["name"] = "ports";
    json["type"] = "RANGES";
    Json ranges = Json::array();
    for (const PortRange range : from.ports) ranges.push_back({{"begin", range.first}, {"end", range.last}});
    json["ranges"] = {{"range", std::move(ranges)}};
    return json;
  }
  const bool cpus = from.kind == ResourceKind::cpus;
  json["name"] = cpus ? "cpus" : "mem";
  json["type"] = "SCALAR";
  json["scalar"] = {{"value", static_cast<double>(from.amount) / (cpus ? kThousand : 1)}};
  return json;
}

Json resources(std::span<const Resource> from, std::string_view allocated) {
  Json all = Json::array();
  for (const Resource& one : from) all.push_back(resource(one, allocated));
  return all;
}

Json executor_info(const ExecutorToRun& executor, std::string_view framework_id, std::string_view role) {
  Json command{{"value", executor.command}, {"shell", true}};
  if (!executor.url.empty()) {
    command["uris"] =
        Json::array({{{"value", executor.url}, {"executable", true}, {"extract", false}, {"cache", false}}});
  }
  Json info{{"type", "CUSTOM"},
            {"executor_id", id_of(executor.id)},
            {"framework_id", id_of(framework_id)},
            {"name", "overlord-executor"},
            {"command", std::move(command)},
            {"resources", resources(executor.resources, role)}};
  if (executor.shutdown_grace.count() > 0) info["shutdown_grace_period"] = nanoseconds(executor.shutdown_grace);
  return info;
}

Json task_info(const TaskToRun& task, std::string_view framework_id, std::string_view role) {
  Json info{{"name", task.name},
            {"task_id", id_of(task.id)},
            {"agent_id", id_of(task.agent_id)},
            {"resources", resources(task.resources, role)},
            {"data", to_base64(task.data)},
            {"executor", executor_info(task.executor, framework_id, role)}};
  if (!task.cluster.empty()) {
    info["labels"] = {{"labels", Json::array({{{"key", "cluster"}, {"value", task.cluster}}})}};
  }
  return info;
}

Json task_at(const TaskAt& task) {
  Json json{{"task_id", id_of(task.task_id)}};
  if (!task.agent_id.empty()) json["agent_id"] = id_of(task.agent_id);
  return json;
}

}  // namespace

std::string subscribe_call(const Framework& framework) {
  Json info{{"user", framework.user},
            {"name", framework.name},
            {"checkpoint", framework.checkpoint},
            {"failover_timeout", static_cast<double>(framework.failover_timeout.count())},
            {"roles", framework.roles},
            {"capabilities", Json::array({{{"type", "MULTI_ROLE"}}, {{"type", "PARTITION_AWARE"}}})}};
  if (!framework.hostname.empty()) info["hostname"] = framework.hostname;
  if (!framework.principal.empty()) info["principal"] = framework.principal;
  Json call{{"type", "SUBSCRIBE"}};
  if (!framework.id.empty()) {
    info["id"] = id_of(framework.id);
    call["framework_id"] = id_of(framework.id);
  }
  call["subscribe"] = {{"framework_info", std::move(info)}};
  return dump(call);
}

std::string accept_call(std::string_view framework_id, std::span<const std::string> offer_ids,
                        std::span<const TaskToRun> tasks, std::string_view role, milliseconds refuse) {
  Json infos = Json::array();
  for (const TaskToRun& task : tasks) infos.push_back(task_info(task, framework_id, role));
  Json call = call_of(framework_id, "ACCEPT");
  call["accept"] = {{"offer_ids", ids_of(offer_ids)},
                    {"operations", Json::array({{{"type", "LAUNCH"}, {"launch", {{"task_infos", std::move(infos)}}}}})},
                    {"filters", refusing(refuse)}};
  return dump(call);
}

std::string decline_call(std::string_view framework_id, std::span<const std::string> offer_ids, milliseconds refuse) {
  Json call = call_of(framework_id, "DECLINE");
  call["decline"] = {{"offer_ids", ids_of(offer_ids)}, {"filters", refusing(refuse)}};
  return dump(call);
}

std::string suppress_call(std::string_view framework_id) { return dump(call_of(framework_id, "SUPPRESS")); }

std::string revive_call(std::string_view framework_id) { return dump(call_of(framework_id, "REVIVE")); }

std::string acknowledge_call(std::string_view framework_id, const Status& status) {
  Json call = call_of(framework_id, "ACKNOWLEDGE");
  call["acknowledge"] = {
      {"agent_id", id_of(status.agent_id)}, {"task_id", id_of(status.task_id)}, {"uuid", status.uuid}};
  return dump(call);
}

std::string reconcile_call(std::string_view framework_id, std::span<const TaskAt> tasks) {
  Json list = Json::array();
  for (const TaskAt& task : tasks) list.push_back(task_at(task));
  Json call = call_of(framework_id, "RECONCILE");
  call["reconcile"] = {{"tasks", std::move(list)}};
  return dump(call);
}

std::string kill_call(std::string_view framework_id, const TaskAt& task, milliseconds grace) {
  Json call = call_of(framework_id, "KILL");
  call["kill"] = task_at(task);
  call["kill"]["kill_policy"] = {{"grace_period", nanoseconds(grace)}};
  return dump(call);
}

std::string message_call(std::string_view framework_id, std::string_view agent_id, std::string_view executor_id,
                         std::string_view data) {
  Json call = call_of(framework_id, "MESSAGE");
  call["message"] = {{"agent_id", id_of(agent_id)}, {"executor_id", id_of(executor_id)}, {"data", to_base64(data)}};
  return dump(call);
}

}  // namespace overlord::mesos
