#include "admin/keys_page.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "admin/json_response.h"

namespace overlord::admin {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostEntries = 1024;
constexpr size_t kUsualEntries = 100;
constexpr std::chrono::milliseconds kPatience{1000};

std::optional<size_t> count_of(const http::Request& request) {
  const std::string_view text = request.parameter("count");
  if (text.empty()) return kUsualEntries;
  size_t count = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (failure != std::errc{} || end != text.data() + text.size() || count < 1 || count > kMostEntries) return {};
  return count;
}

http::Response bad_count() { return http::Response::error(400, "count: must be a number from 1 to 1024"); }

bool known(const proxy::Proxy& proxy, std::string_view cluster) {
  const config::Configuration running = proxy.configuration();
  return cluster.empty() ||
         std::ranges::any_of(running.clusters, [&](const auto& config) { return config->name == cluster; });
}

http::Response unknown(std::string_view cluster) {
  return http::Response::error(404, "there is no cluster '" + std::string(cluster) + "'; /clusters lists them");
}

template <typename Add>
http::Response keys_page(proxy::Proxy& proxy, const http::Request& request, Add&& add) {
  const auto count = count_of(request);
  if (!count) return bad_count();
  const std::string cluster(request.parameter("cluster"));
  if (!known(proxy, cluster)) return unknown(cluster);
  Json list = Json::array();
  for (const proxy::ClusterKeys& keys : proxy.keys(cluster, *count, kPatience)) add(list, keys);
  return json_response(list);
}

}  // namespace

http::Response slow_page(proxy::Proxy& proxy, const http::Request& request) {
  const auto count = count_of(request);
  if (!count) return bad_count();
  const std::string_view cluster = request.parameter("cluster");
  if (!known(proxy, cluster)) return unknown(cluster);
  const slowlog::Store& store = proxy.shared().slow_requests;
  std::string body = "[";
  for (const slowlog::Entry& entry : cluster.empty() ? store.latest(*count) : store.latest(cluster, *count)) {
    body.append(body.size() > 1 ? ",\n" : "\n").append(slowlog::json_line(entry));
  }
  return {.type = "application/json", .body = body + "\n]\n"};
}

http::Response hot_keys_page(proxy::Proxy& proxy, const http::Request& request) {
  return keys_page(proxy, request, [](Json& list, const proxy::ClusterKeys& keys) {
    for (const sketch::HotKey& key : keys.hot) {
      list.push_back({{"cluster", keys.cluster},
                      {"key", key.key},
                      {"key_bytes", key.size},
                      {"per_second", std::round(key.per_second)},
                      {"at_least_per_second", std::round(key.surely)}});
    }
  });
}

http::Response big_keys_page(proxy::Proxy& proxy, const http::Request& request) {
  const auto now = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  return keys_page(proxy, request, [now](Json& list, const proxy::ClusterKeys& keys) {
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
