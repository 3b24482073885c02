#pragma once
// What a Mesos master says to a scheduler: events of the v1 scheduler API, from JSON. Pure functions. An event comes
// from outside: whatever it holds, reading it gives a value or an error. Unknown fields are passed over.

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "mesos/types.h"

namespace overlord::mesos {

// Bytes of one event. Offers of an agent take about a kilobyte each.
inline constexpr size_t kLongestEvent = size_t{64} * 1024 * 1024;

struct Subscribed {
  std::string framework_id{};
  std::chrono::milliseconds heartbeat{};  // 0: none will come
  std::string master{};                   // "host:port", for people
};

struct Offer {
  std::string id{};
  std::string agent_id{};
  std::string hostname{};
  std::string address{};  // of the agent, as the master reaches it; may be empty
  std::string role{};     // that it is allocated to
  // Those that tasks of ours can use: cpus, memory and ports that are neither revocable nor reserved by somebody.
  std::vector<Resource> resources{};
  std::map<std::string, std::string> attributes{};  // as text
};
struct Offers {
  std::vector<Offer> offers{};
};
struct Rescind {
  std::string offer_id{};
};
struct Update {
  Status status{};
};
struct Message {
  std::string agent_id{};
  std::string executor_id{};
  std::string data{};
};
// Of an executor, or, without one, of the whole agent.
struct Failure {
  std::string agent_id{};
  std::string executor_id{};
  int status = 0;  // as wait(2) has it
};
struct Refused {
  std::string message{};  // of an ERROR event
};
struct Heartbeat {};
struct Other {
  std::string type{};
};
using SchedulerEvent = std::variant<Subscribed, Offers, Rescind, Update, Message, Failure, Refused, Heartbeat, Other>;

Result<SchedulerEvent> parse_scheduler_event(std::string_view text);

}  // namespace overlord::mesos
