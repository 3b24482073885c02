#include "admin/admin.h"

#include <chrono>

#include "admin/keys_page.h"
#include "admin/log_page.h"
#include "admin/metrics_page.h"
#include "admin/tail_page.h"
#include "admin/upgrade_page.h"
#include "admin/views.h"
#include "base/log.h"

namespace overlord::admin {
namespace {

// A worker that does not come to a question within this time is left out of the answer.
constexpr std::chrono::milliseconds kPatience{1000};

Result<net::SocketAddress> resolve(const std::string& text) {
  auto address = config::parse_listen_address(text, "tcp");
  if (!address) return std::unexpected(address.error());
  if (address->kind == config::Address::Kind::unix_socket) return net::unix_address(address->path);
  auto list = net::resolve(address->host, address->port, true);
  if (!list) return std::unexpected(list.error());
  return list->front();
}

}  // namespace

Admin::Admin(proxy::Proxy& proxy) : proxy_(proxy) {
  server_.route("GET", "/", "this list", [this](const http::Request&) { return http::Response{.body = index()}; });
  server_.route("GET", "/healthz", "says ok while the process serves",
                [](const http::Request&) { return http::Response{.body = "ok\n"}; });
  if (proxy.configuration().process->use_metrics) {
    server_.route("GET", "/metrics", "numbers for Prometheus (docs/metrics.md)",
                  [this](const http::Request&) { return metrics(); });
  }
  server_.route("GET", "/clusters", "clusters: clients, requests, failures, times by command",
                [this](const http::Request&) { return clusters_page(proxy_.snapshot(kPatience)); });
  server_.route("GET", "/backends", "backends and their state; ?cluster=NAME",
                [this](const http::Request& request) { return backends_page(proxy_.snapshot(kPatience), request); });
  server_.route("GET", "/clients", "connected clients; ?cluster=NAME&limit=N",
                [this](const http::Request& request) { return clients_page(proxy_, request, kPatience); });
  server_.route("GET", "/config", "the configuration that is in force, without secrets",
                [this](const http::Request&) { return config_page(proxy_); });
  server_.route("GET", "/diff", "what a reload would change",
                [this](const http::Request&) { return diff_page(proxy_); });
  server_.route("GET", "/reload", "how the last reload ended, and how many there were", [this](const http::Request&) {
    http::Response page = report_page(proxy_, proxy_.last_reload());
    page.status = 200;  // the question was answered
    return page;
  });
  server_.route("POST", "/reload", "reads the files again and puts in force what has changed",
                [this](const http::Request&) { return report_page(proxy_, proxy_.reload()); });
  server_.route("POST", "/rollback", "back to the configuration before the last reload",
                [this](const http::Request&) { return report_page(proxy_, proxy_.rollback()); });
  server_.route("GET", "/explain", "where a key would go; ?cluster=NAME&key=KEY&cmd=NAME",
                [this](const http::Request& request) { return explain_page(proxy_, request, kPatience); });
  server_.route("GET", "/slowlog", "slow requests, newest first (?cluster=, ?count=)",
                [this](const http::Request& request) { return slow_page(proxy_, request); });
  server_.route("GET", "/hotkeys", "keys that are asked most (?cluster=, ?count=)",
                [this](const http::Request& request) { return hot_keys_page(proxy_, request, kPatience); });
  server_.route("GET", "/bigkeys", "keys with the largest values (?cluster=, ?count=)",
                [this](const http::Request& request) { return big_keys_page(proxy_, request, kPatience); });
  server_.route("GET", "/tail",
                "requests live; ?cluster=&cmd=&key=&client=&backend=&errors=1&slower_than=&sample=&limit=",
                [this](const http::Request& request) { return tail_page(proxy_, request, kPatience); });
  server_.route("GET", "/log", "how much the log says", [](const http::Request&) { return log_page(); });
  server_.route("POST", "/log", "changes that; ?level=debug|info|warn|error&detail=N", set_log);
}

void Admin::show(proxy::Upgrade& upgrade) {
  upgrade_ = &upgrade;
  server_.route("GET", "/upgrade", "how the last upgrade went, or goes",
                [&upgrade](const http::Request&) { return upgrade_page(upgrade.board().get()); });
  server_.route("POST", "/upgrade", "gives way to a new process; ?binary=PATH",
                [&upgrade](const http::Request& request) { return start_upgrade(upgrade, request); });
}

void Admin::let_in(bool in) { server_.let_in(in); }

proxy::HandedListener Admin::socket() const {
  const bool unix_socket = server_.address().family() == AF_UNIX;
  return {.address = address_, .path = unix_socket ? address_ : std::string(), .fd = server_.socket()};
}

Result<void> Admin::start(const std::string& address, proxy::HandedListener handed, bool open) {
  const auto refuse = [&](const std::string& why) {
    return fail("stat = \"" + address + "\": " + why +
                "; give another address, or none to go without (-stat does the same)");
  };
  auto resolved = resolve(address);
  if (!resolved) return refuse(resolved.error().message);
  if (handed.fd.valid() && handed.address != address) handed.fd.reset();
  address_ = address;
  if (auto started = server_.start(*resolved, std::move(handed.fd), open); !started) {
    return refuse(started.error().message);
  }
  log_info("http on ", net::to_string(server_.address()));
  return {};
}

// A worker that hangs is shown as it was when it last answered: sums that fall look like a restart to Prometheus.
proxy::Snapshot Admin::snapshot() {
  proxy::Snapshot snapshot = proxy_.snapshot(kPatience);
  for (const proxy::WorkerSnapshot& part : snapshot.parts) last_.insert_or_assign(part.index, part);
  for (const uint32_t index : snapshot.silent) {
    if (const auto found = last_.find(index); found != last_.end()) snapshot.parts.push_back(found->second);
  }
  return snapshot;
}

std::string Admin::index() const {
  std::string text = "overlord-proxy " OVERLORD_VERSION "\n\n";
  for (const http::RouteInfo& route : server_.routes()) {
    text.append(route.method).append(" ").append(route.path);
    text.append(route.path.size() < 14 ? 14 - route.path.size() : 1, ' ').append(route.what).append("\n");
  }
  return text;
}

http::Response Admin::metrics() {
  http::Response response;
  response.type = "text/plain; version=0.0.4; charset=utf-8";
  static const proxy::UpgradeCounters kNone;
  const proxy::UpgradeCounters& upgrades = upgrade_ == nullptr ? kNone : upgrade_->board().counters;
  response.body =
      metrics_page(snapshot(), {.process = process_facts(),
                                .started_at = proxy_.shared().started_at,
                                .max_connections = proxy_.configuration().process->max_connections,
                                .reloads_applied = proxy_.reload_counters().applied.get(),
                                .reloads_unchanged = proxy_.reload_counters().unchanged.get(),
                                .reloads_refused = proxy_.reload_counters().refused.get(),
                                .upgrades_taken_over = upgrades.taken_over.get(),
                                .upgrades_failed = upgrades.failed.get(),
                                .clients_moved_in = upgrades.clients_in.get(),
                                .clients_moved_out = upgrades.clients_out.get(),
                                .traces = traces_ == nullptr ? std::optional<otlp::TraceCounts>() : traces_->counts()});
  return response;
}

}  // namespace overlord::admin
