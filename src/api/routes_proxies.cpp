// Proxies: their configuration, which ones follow the platform, and what Prometheus is to scrape.

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "api/change.h"
#include "api/feed.h"
#include "api/paging.h"
#include "api/proxy_config.h"
#include "api/secrets.h"
#include "api/views.h"
#include "base/log.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;
using std::chrono::milliseconds;

constexpr milliseconds kLongestWait{60'000};
constexpr std::chrono::seconds kProxyTtl{150};  // more than two polls

constexpr Field kConfigQuery[] = {
    {.name = "cluster", .what = "Names with commas between; all clusters unless said."},
    {.name = "group", .what = "Those of one group alone."},
    {.name = "listen", .what = "The address to listen on; 0.0.0.0 unless said."},
    {.name = "wait", .what = "With If-None-Match: how long to wait for a change, such as 30s; at most 60s."},
    {.name = "proxy", .what = "A name for the proxy that asks, to be listed by."},
    {.name = "stat", .what = "The address at which it shows its metrics, with proxy."},
};
constexpr Field kProxyFields[] = {
    {.name = "name", .required = true},
    {.name = "stat", .what = "Where it shows its metrics.", .required = true},
    {.name = "clusters", .what = "That it asked for; empty: all.", .required = true},
    {.name = "address", .what = "Where it asked from.", .required = true},
};
constexpr Schema kProxySchema{"Proxy", kProxyFields};

// "30s", "500ms", "30"; nothing: it is none of these.
std::optional<milliseconds> wait_of(std::string_view text) {
  if (text.empty()) return milliseconds(0);
  uint32_t value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (wrong != std::errc{} || (unit != "s" && unit != "ms" && !unit.empty())) return std::nullopt;
  const auto wait = unit == "ms" ? milliseconds(value) : milliseconds(uint64_t{value} * 1000);
  return std::min(wait, kLongestWait);
}

std::vector<std::string> names_of(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    if (!name.empty()) out.emplace_back(name);
  }
  return out;
}

bool address_like(std::string_view text) {
  return text.size() <= 128 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  std::string_view(".:-_[]").contains(c);
         });
}

Result<std::vector<ClusterView>> clusters_for(Call& call, const std::vector<std::string>& names) {
  std::vector<ClusterView> out;
  if (names.empty()) {
    auto all = read_clusters(call.store());
    if (!all) return all;
    out = std::move(*all);
  }
  for (const std::string& name : names) {
    if (!model::valid_name(name)) return not_found("there is no cluster of that name");
    auto one = read_cluster(call.store(), name);
    if (!one) return std::unexpected(one.error());
    if (!*one) return not_found("there is no cluster " + name);
    out.push_back(std::move(**one));
  }
  std::erase_if(out, [&](const ClusterView& view) { return !asked_for(call, "group", view.cluster.group); });
  return out;
}

// Lists the proxy for as long as it comes back. A store that does not take that is no reason not to answer.
void note_proxy(Call& call, const std::string& name) {
  const std::string key = keys::of(keys::kProxies, name);
  const std::string value = text_of({{"name", name},
                                     {"stat", call.request.parameter("stat")},
                                     {"clusters", call.request.parameter("cluster")},
                                     {"address", call.request.peer}});
  const auto complain = [&](const store::Error& error) {
    static LogEvery every(std::chrono::seconds(10));
    if (const auto turn = every.next()) log_warn("proxy ", name, " is not listed: ", error.message, turn.suffix());
  };
  const auto known = call.store().get(key);
  if (!known) return complain(known.error());
  if (*known && (*known)->value == value && (*known)->lease != 0 && call.store().keep_alive((*known)->lease)) return;
  const auto lease = call.store().grant(kProxyTtl);
  if (!lease) return complain(lease.error());
  const auto put = call.store().commit({.changes = {store::put(key, value, lease->id)}});
  if (!put) complain(put.error());
}

Result<http::Response> config(Call& call) {
  const auto wait = wait_of(call.request.parameter("wait"));
  const std::string_view listen = call.request.parameter("listen");
  const std::string proxy(call.request.parameter("proxy"));
  Problems problems;
  if (!wait) problems.add("wait", "must be seconds or milliseconds, such as 30s or 500ms");
  if (!address_like(listen)) problems.add("listen", "must be an address");
  if (!address_like(call.request.parameter("stat"))) problems.add("stat", "must be an address with its port");
  if (!proxy.empty() && !model::valid_name(proxy))
    problems.add("proxy", "must be 1 to 64 letters, digits, '_', '-', '.'");
  if (!problems.none()) return problems.refusal();
  if (!proxy.empty()) note_proxy(call, proxy);

  const uint64_t version = call.service.feed.proxy_version();  // before the store is read
  const auto clusters = clusters_for(call, names_of(call.request.parameter("cluster")));
  if (!clusters) return std::unexpected(clusters.error());
  http::Response response{.type = "application/toml; charset=utf-8",
                          .body = proxy_toml(*clusters, listen.empty() ? "0.0.0.0" : listen)};
  const std::string tag = "\"" + sha256_hex(response.body).substr(0, 32) + "\"";
  response.headers.emplace_back("ETag", tag);
  if (call.request.header("if-none-match") != tag) return response;
  response.status = 304;
  response.body.clear();
  const auto until = call.request.came + *wait;
  if (std::chrono::steady_clock::now() < until) {
    response.again_when = [&feed = call.service.feed, version, until] {
      return feed.proxy_version() != version || std::chrono::steady_clock::now() >= until;
    };
  }
  return response;
}

Result<std::vector<Json>> proxies(store::Store& store) {
  const auto page = store::list_all(store, keys::kProxies);
  if (!page) return refuse(page.error());
  std::vector<Json> out;
  for (const store::Record& record : page->records) {
    Json document = Json::parse(record.value, nullptr, false);
    if (document.is_object() && document.contains("name") && document.contains("stat") &&
        document["stat"].is_string()) {
      out.push_back(std::move(document));
    } else {
      log_damaged(record.key, "no record of a proxy");
    }
  }
  return out;
}

Result<http::Response> list(Call& call) {
  auto items = proxies(call.store());
  if (!items) return std::unexpected(items.error());
  return list_response(call, std::move(*items), "name");
}

// Source: https://prometheus.io/docs/prometheus/latest/http_sd/
Result<http::Response> discovery(Call& call) {
  const auto nodes = read_nodes(call.store());
  if (!nodes) return std::unexpected(nodes.error());
  const auto known = proxies(call.store());
  if (!known) return std::unexpected(known.error());
  Json out = Json::array();
  for (const NodeView& view : *nodes) {
    const model::Node& node = view.node;
    out.push_back({{"targets", Json::array({node.address()})},
                   {"labels",
                    {{"__meta_overlord_kind", "node"},
                     {"__meta_overlord_cluster", node.cluster},
                     {"__meta_overlord_cache_type", to_string(node.type)},
                     {"__meta_overlord_group", node.group},
                     {"__meta_overlord_role", to_string(node.role)},
                     {"__meta_overlord_alias", keys::ordered(node.alias)},
                     {"__meta_overlord_version", node.version},
                     {"__meta_overlord_host", node.host}}}});
  }
  for (const Json& proxy : *known) {
    if (proxy["stat"].get_ref<const std::string&>().empty()) continue;
    out.push_back({{"targets", Json::array({proxy["stat"]})},
                   {"labels", {{"__meta_overlord_kind", "proxy"}, {"__meta_overlord_proxy", proxy["name"]}}}});
  }
  return json_response(out);
}

constexpr Route kRoutes[] = {
    {.method = "GET",
     .path = "/api/v1/proxies/config",
     .what = "The cluster file of overlord-proxy for these clusters, with the passwords of their nodes.",
     .need = Need::operator_,
     .handler = config,
     .query = kConfigQuery},
    {.method = "GET",
     .path = "/api/v1/proxies",
     .what = "Proxies that follow the platform.",
     .handler = list,
     .answer = &kProxySchema,
     .list = true},
    {.method = "GET",
     .path = "/api/v1/sd/prometheus",
     .what = "All nodes and proxies, as Prometheus' HTTP service discovery reads them.",
     .handler = discovery},
};

}  // namespace

std::span<const Route> proxy_routes() { return kRoutes; }

}  // namespace overlord::api
