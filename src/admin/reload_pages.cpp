#include <nlohmann/json.hpp>
#include <string>

#include "admin/json_response.h"
#include "admin/views.h"

namespace overlord::admin {
namespace {

constexpr int kUnprocessable = 422;

}  // namespace

http::Response report_page(const proxy::Proxy& proxy, const proxy::ReloadReport& report) {
  const proxy::ReloadCounters& counters = proxy.reload_counters();
  nlohmann::ordered_json page = {{"outcome", proxy::to_string(report.outcome)},
                                 {"text", report.text},
                                 {"warnings", report.warnings},
                                 {"at", report.at},
                                 {"applied", counters.applied.get()},
                                 {"unchanged", counters.unchanged.get()},
                                 {"refused", counters.refused.get()}};
  http::Response response = json_response(page);
  if (report.outcome == proxy::ReloadReport::Outcome::refused) response.status = kUnprocessable;
  return response;
}

http::Response diff_page(const proxy::Proxy& proxy) {
  const auto diff = proxy.diff();
  if (!diff) return {.status = kUnprocessable, .body = diff.error().message + "\n"};
  return {.body = diff->empty() ? "nothing would change\n" : *diff};
}

}  // namespace overlord::admin
