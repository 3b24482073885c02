#include "executor_mesos/environment.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "model/types.h"

namespace overlord::executor_mesos {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::pair<std::string_view, double>, 8> kUnits{{
    {"ns", 1e-6},
    {"us", 1e-3},
    {"ms", 1},
    {"secs", 1e3},
    {"mins", 60e3},
    {"hrs", 3600e3},
    {"days", 24 * 3600e3},
    {"weeks", 7 * 24 * 3600e3},
}};
constexpr double kLongest = 1e13;  // ms: some 300 years, far from the end of the clock

}  // namespace

std::optional<milliseconds> duration(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (failure != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
  const std::string_view unit(stop, static_cast<size_t>(end - stop));
  for (const auto& [name, factor] : kUnits) {
    if (unit != name) continue;
    return milliseconds(static_cast<int64_t>(std::min(std::ceil(number * factor), kLongest)));
  }
  return std::nullopt;
}

Result<Environment> read_environment(const std::function<const char*(const char*)>& get) {
  const auto text = [&](const char* name) {
    const char* const value = get(name);
    return std::string(value == nullptr ? "" : value);
  };
  Environment made;
  made.ids = {text("MESOS_FRAMEWORK_ID"), text("MESOS_EXECUTOR_ID")};
  made.agent = text("MESOS_AGENT_ENDPOINT");
  made.agent_id = text("MESOS_SLAVE_ID");
  made.sandbox = text("MESOS_SANDBOX");
  made.token = text("MESOS_EXECUTOR_AUTHENTICATION_TOKEN");
  made.checkpoint = text("MESOS_CHECKPOINT") == "1";
  if (made.ids.framework.empty()) return fail("MESOS_FRAMEWORK_ID is not set: not started by a Mesos agent");
  if (made.ids.executor.empty()) return fail("MESOS_EXECUTOR_ID is not set");
  if (!model::host_port(made.agent)) return fail("MESOS_AGENT_ENDPOINT is not host:port: \"" + made.agent + "\"");
  for (const auto& [name, into] : {std::pair{"MESOS_RECOVERY_TIMEOUT", &made.recovery_timeout},
                                   std::pair{"MESOS_SUBSCRIPTION_BACKOFF_MAX", &made.back_off},
                                   std::pair{"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", &made.shutdown_grace}}) {
    const std::string value = text(name);
    if (value.empty()) continue;
    const auto read = duration(value);
    if (!read) return fail(std::string(name) + " is no duration: \"" + value + "\"");
    *into = *read;
  }
  return made;
}

}  // namespace overlord::executor_mesos
