#pragma once
// What a scheduler says to a Mesos master: bodies of calls of the v1 scheduler API, in JSON. Pure functions.

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mesos/types.h"

namespace overlord::mesos {

struct Framework {
  std::string id{};  // empty: a new one
  std::string name = "overlord";
  std::string user = "root";
  std::vector<std::string> roles{};
  std::chrono::seconds failover_timeout{std::chrono::hours(168)};
  bool checkpoint = true;
  std::string hostname{};   // empty: left out
  std::string principal{};  // empty: left out
};

struct ExecutorToRun {
  std::string id{};
  std::string command{};  // for a shell
  std::string url{};      // that the agent fetches it from; empty: it has it
  std::vector<Resource> resources{};
  std::chrono::milliseconds shutdown_grace{};
};

struct TaskToRun {
  std::string id{};
  std::string name{};
  std::string agent_id{};
  std::string cluster{};  // a label; empty: none
  std::string data{};     // any bytes
  std::vector<Resource> resources{};
  ExecutorToRun executor{};
};

struct TaskAt {
  std::string task_id{};
  std::string agent_id{};  // empty: not known
};

// The capabilities are MULTI_ROLE and PARTITION_AWARE.
std::string subscribe_call(const Framework& framework);
// All offers are of one agent and one role; `role` is that. refuse: how long what is left is kept from us.
std::string accept_call(std::string_view framework_id, std::span<const std::string> offer_ids,
                        std::span<const TaskToRun> tasks, std::string_view role, std::chrono::milliseconds refuse);
std::string decline_call(std::string_view framework_id, std::span<const std::string> offer_ids,
                         std::chrono::milliseconds refuse);
std::string suppress_call(std::string_view framework_id);
std::string revive_call(std::string_view framework_id);
std::string acknowledge_call(std::string_view framework_id, const Status& status);
// No tasks: about all that live.
std::string reconcile_call(std::string_view framework_id, std::span<const TaskAt> tasks);
std::string kill_call(std::string_view framework_id, const TaskAt& task, std::chrono::milliseconds grace);
std::string message_call(std::string_view framework_id, std::string_view agent_id, std::string_view executor_id,
                         std::string_view data);

}  // namespace overlord::mesos
