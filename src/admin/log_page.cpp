#include "admin/log_page.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "admin/json_response.h"
#include "admin/parameters.h"
#include "base/log.h"

namespace overlord::admin {
namespace {

constexpr size_t kMostDetail = 1000;

// Debug messages have a level of their own beside the detail, which only the log itself tells apart.
LogLevel shown_level() { return log_verbosity() > 0 ? LogLevel::debug : log_level(); }

}  // namespace

http::Response log_page() {
  return json_response(nlohmann::ordered_json{
      {"level", to_string(shown_level())}, {"detail", log_verbosity()}, {"lost_lines", log_lost()}});
}

http::Response set_log(const http::Request& request) {
  const std::optional<LogLevel> level = parse_log_level(request.parameter("level"));
  if (!level || *level == LogLevel::off) {
    return http::Response::error(400, "level must be debug, info, warn or error");
  }
  const auto detail = number_parameter(request, "detail", 1, kMostDetail);
  if (!detail) return detail.error();
  if (*level != LogLevel::debug && !request.parameter("detail").empty()) {
    return http::Response::error(400, "detail is of level=debug alone");
  }
  // One of the two is in the log, unless both levels leave it out.
  const auto tell = [old = shown_level(), &level] {
    log_warn("the level of the log changes from ", to_string(old), " to ", to_string(*level), ", as /log was told");
  };
  const bool told = log_enabled(LogLevel::warn);
  if (told) tell();
  log_set_verbosity(*level == LogLevel::debug ? static_cast<uint32_t>(*detail) : 0);
  log_set_level(std::max(*level, LogLevel::info));
  if (!told) tell();
  return log_page();
}

}  // namespace overlord::admin
