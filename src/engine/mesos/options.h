#pragma once
// What the Mesos engine is told: where the masters are, who we are, what tasks are run with.

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/mesos/offers.h"
#include "engine/mesos/tasks.h"
#include "http/client.h"
#include "mesos/scheduler_calls.h"

namespace overlord::engine {

struct MesosOptions {
  std::vector<std::string> masters{};  // "HOST:PORT", "https://HOST:PORT"; any of them: they know who leads
  mesos::Framework framework{};        // its id comes from the store; roles are the groups
  std::string secret{};                // of framework.principal; empty: no authentication
  http::ClientTls tls{};

  // "http://host/executor": fetched by the agents; its last part is the file's name. Empty: `executor_command` is there.
  std::string executor_url{};
  std::string executor_command{};    // for a shell; empty: the file that was fetched
  std::string executor_arguments{};  // behind it
  Share executor{50, 32};            // of each node's share, for its executor; a quarter of the node's at most

  // The id of the framework, in the store; empty: none yet. An error: not to be known now, tried again.
  std::function<Result<std::string>()> load_framework_id{};
  std::function<Result<void>(const std::string&)> store_framework_id{};
  // An executor's message, on the engine's thread.
  std::function<void(const std::string& executor_id, const std::string& data)> on_message{};

  std::chrono::milliseconds hold{30'000};        // offers longer than this are given back, though they are wanted
  std::chrono::milliseconds refuse{1'000};       // how long the master then keeps them from us
  std::chrono::milliseconds unwanted{60'000};    // and those that nobody wanted
  std::chrono::milliseconds gather{20};          // tasks of one agent that come within this go in one call
  std::chrono::milliseconds look{2'000};         // after subscribing: time for all that runs to be heard of
  std::chrono::milliseconds reconcile{300'000};  // all tasks are asked about so often
  std::chrono::milliseconds tick{200};           // how often it is looked whether something is due
  std::chrono::milliseconds timeout{5'000};      // of a call, and for the answer to SUBSCRIBE
  std::chrono::milliseconds back_off{100};       // before the second try to subscribe, doubled each time
  std::chrono::milliseconds longest_back_off{15'000};
  TaskTimes times{};
};

// "mesos://10.0.0.1:5050,10.0.0.2:5050" as masters.
Result<std::vector<std::string>> masters_of(std::string_view url);
// What is wrong with them, if anything.
Result<void> check(const MesosOptions& options);
// The command that runs the executor.
std::string command_of(const MesosOptions& options);

}  // namespace overlord::engine
