#pragma once
// What both sides of Mesos speak of: resources, states of tasks, updates.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "placement/model.h"

namespace overlord::mesos {

using placement::PortRange;

// One entry of the resources of an offer, a task or an executor. Mesos keeps scalars to a thousandth; memory is in MiB.
enum class ResourceKind : uint8_t { cpus, memory, ports };
struct Resource {
  ResourceKind kind = ResourceKind::cpus;
  std::string role = "*";  // that the agent keeps it for; "*": for all
  uint64_t amount = 0;     // thousandths of a core, or MiB
  std::vector<PortRange> ports{};
  bool operator==(const Resource&) const = default;
};

enum class State : uint8_t {
  staging,
  starting,
  running,
  killing,
  finished,
  killed,
  failed,
  error,
  lost,
  dropped,
  unreachable,
  gone,
  gone_by_operator,
  unknown,
};
std::string_view to_string(State state);  // "TASK_STAGING", ...
std::optional<State> state(std::string_view text);
// Of a task in this state nothing more is to be heard.
constexpr bool is_terminal(State state) {
  return state == State::finished || state == State::killed || state == State::failed || state == State::error ||
         state == State::lost || state == State::dropped || state == State::gone || state == State::gone_by_operator;
}

struct Status {
  std::string task_id{};
  State state = State::staging;
  std::string message{};
  std::string source{};  // "SOURCE_EXECUTOR"
  std::string reason{};  // "REASON_RECONCILIATION"
  std::string agent_id{};
  std::string executor_id{};
  std::string uuid{};  // base64, as it came; empty: not to be acknowledged
  double timestamp = 0;
  std::optional<bool> healthy{};
  bool operator==(const Status&) const = default;
};

// 16 random bytes (RFC 4122, version 4) in base64, as updates carry them.
std::string make_uuid();

}  // namespace overlord::mesos
