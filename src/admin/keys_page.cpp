#include "admin/keys_page.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "admin/json_response.h"
#include "admin/parameters.h"

namespace overlord::admin {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostEntries = 1024;
constexpr size_t kUsualEntries = 100;

bool known(const proxy::Proxy& proxy, std::string_view cluster) {
  const config::Configuration running = proxy.configuration();
  return cluster.empty() ||
         std::ranges::any_of(running.clusters, [&](const auto& config) { return config->name == cluster; });
}

template <typename Add>
http::Response keys_page(proxy::Proxy& proxy, const http::Request& request, std::chrono::milliseconds patience,
                         Add&& add) {
  const auto count = number_parameter(request, "count", kUsualEntries, kMostEntries);
  if (!count) return count.error();
  const std::string cluster(request.parameter("cluster"));
  if (!known(proxy, cluster)) return no_cluster(cluster);
  Json list = Json::array();
  for (const proxy::ClusterKeys& keys : proxy.keys(cluster, *count, patience)) add(list, keys);
  return json_response(list);
}

}  // namespace

http::Response slow_page(proxy::Proxy& proxy, const http::Request& request) {
  const auto count = number_parameter(request, "count", kUsualEntries, kMostEntries);
  if (!count) return count.error();
  const std::string_view cluster = request.parameter("cluster");
  if (!known(proxy, cluster)) return no_cluster(cluster);
  const slowlog::Store& store = proxy.shared().slow_requests;
  std::string body = "[";
  for (const slowlog::Entry& entry : cluster.empty() ? store.latest(*count) : store.latest(cluster, *count)) {
    body.append(body.size() > 1 ? ",\n" : "\n").append(slowlog::json_line(entry));
  }
  return {.type = "application/json", .body = body + "\n]\n"};
}

http::Response hot_keys_page(proxy::Proxy& proxy, const http::Request& request, std::chrono::milliseconds patience) {
  return keys_page(proxy, request, patience, [](Json& list, const proxy::ClusterKeys& keys) {
    for (const sketch::HotKey& key : keys.hot) {
      list.push_back({{"cluster", keys.cluster},
                      {"key", key.key},
                      {"key_bytes", key.size},
                      {"per_second", std::round(key.per_second)},
                      {"at_least_per_second", std::round(key.surely)}});
    }
  });
}

http::Response big_keys_page(proxy::Proxy& proxy, const http::Request& request, std::chrono::milliseconds patience) {
  const auto now = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  return keys_page(proxy, request, patience, [now](Json& list, const proxy::ClusterKeys& keys) {
    for (const sketch::BigKey& key : keys.big) {
      list.push_back({{"cluster", keys.cluster},
                      {"key", key.key},
                      {"key_bytes", key.key_size},
                      {"bytes", key.bytes},
                      {"seen_seconds_ago", now > key.seen_at ? (now - key.seen_at) / 1'000'000'000 : 0}});
    }
  });
}

}  // namespace overlord::admin
