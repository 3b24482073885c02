#pragma once
// What an agent tells the executors that it starts, in their environment (Mesos, "Executor HTTP API").

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "mesos/executor_api.h"

namespace overlord::executor_mesos {

struct Environment {
  mesos::executor::Ids ids{};
  std::string agent{};                                                   // "host:port"
  std::string agent_id{};                                                // may be empty
  std::string sandbox{};                                                 // a folder of ours; may be empty
  std::string token{};                                                   // to authenticate with; empty: none
  bool checkpoint = false;                                               // whether the agent, begun anew, will know us
  std::chrono::milliseconds recovery_timeout{std::chrono::minutes(15)};  // with checkpoint: how long it may be away
  std::chrono::milliseconds back_off{std::chrono::seconds(2)};           // between tries to subscribe, at most
  std::chrono::milliseconds shutdown_grace{std::chrono::seconds(5)};     // from SHUTDOWN to SIGKILL
};

// get: as getenv(), null for what is not there. The error names the variable.
Result<Environment> read_environment(const std::function<const char*(const char*)>& get);

// "5secs", "1.5mins", "100ms": ns, us, ms, secs, mins, hrs, days, weeks.
std::optional<std::chrono::milliseconds> duration(std::string_view text);

}  // namespace overlord::executor_mesos
