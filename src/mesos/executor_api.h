#pragma once
// What an executor and its Mesos agent say to each other: calls and events of the v1 executor API, in JSON. Pure
// functions. An event comes from outside: whatever it holds, reading it gives a value or an error.

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.h"
#include "mesos/types.h"

namespace overlord::mesos::executor {

struct Ids {
  std::string framework{};
  std::string executor{};
};

// tasks: TaskInfo as they came (Launch::task). Both are what the agent may not know of.
std::string subscribe_call(const Ids& ids, std::span<const std::string> tasks, std::span<const Status> updates);
std::string update_call(const Ids& ids, const Status& status);
std::string message_call(const Ids& ids, std::string_view data);

struct Subscribed {
  std::string agent_id{};
  std::string hostname{};  // of the agent
};
struct Launch {
  std::string task_id{};
  std::string data{};
  std::string task{};  // all of its TaskInfo, JSON
};
struct Kill {
  std::string task_id{};
  std::optional<std::chrono::milliseconds> grace{};
};
struct Acknowledged {
  std::string task_id{};
  std::string uuid{};
};
struct Message {
  std::string data{};
};
struct Shutdown {};
struct Refused {
  std::string message{};  // of an ERROR event
};
struct Other {
  std::string type{};  // HEARTBEAT, LAUNCH_GROUP, ...
};
using Event = std::variant<Subscribed, Launch, Kill, Acknowledged, Message, Shutdown, Refused, Other>;

Result<Event> parse_event(std::string_view text);

}  // namespace overlord::mesos::executor
