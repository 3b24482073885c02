#include "admin/upgrade_page.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "admin/json_response.h"

namespace overlord::admin {

http::Response upgrade_page(const proxy::UpgradeStatus& status) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  using std::chrono::steady_clock;
  const auto end = status.under_way() ? steady_clock::now() : status.ended;
  return json_response(nlohmann::ordered_json{{"state", proxy::to_string(status.state)},
                                              {"reason", status.reason},
                                              {"old_pid", status.old_pid},
                                              {"new_pid", status.new_pid},
                                              {"old_version", status.old_version},
                                              {"new_version", status.new_version},
                                              {"remaining", status.remaining},
                                              {"moved", status.moved},
                                              {"drained", status.drained},
                                              {"closed", status.closed},
                                              {"ms", duration_cast<milliseconds>(end - status.began).count()}});
}

http::Response start_upgrade(proxy::Upgrade& upgrade, const http::Request& request) {
  constexpr int kAccepted = 202;
  constexpr int kUnprocessable = 422;
  if (auto started = upgrade.start(std::string(request.parameter("binary"))); !started) {
    return http::Response::error(kUnprocessable, started.error().message);
  }
  http::Response page = upgrade_page(upgrade.board().get());
  page.status = kAccepted;
  return page;
}

}  // namespace overlord::admin
