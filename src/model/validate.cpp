#include "model/validate.h"

#include <algorithm>

namespace overlord::model {
namespace {

constexpr size_t kLongestVersion = 32;
constexpr size_t kLongestPassword = 512;

bool plain_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

bool version_like(std::string_view text) {
  const auto may = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '-'; };
  return !text.empty() && text.size() <= kLongestVersion && text.front() >= '0' && text.front() <= '9' &&
         std::ranges::all_of(text, may);
}

bool setting_like(std::string_view name) {
  const auto may = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; };
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, may);
}

void check_size(const Cluster& cluster, std::vector<Problem>& out) {
  const auto add = [&](const char* field, std::string message) { out.push_back({field, std::move(message)}); };
  if (cluster.spec.cpu_milli == 0 || cluster.spec.cpu_milli > kMaxNodeCpuMilli) {
    add("spec", "a node needs 0.001 to 1024 cores, as in 1c2g");
  }
  if (cluster.spec.memory_mib < kMinNodeMib || cluster.spec.memory_mib > kMaxNodeMib) {
    add("spec", "a node needs 16 MiB to 4 TiB of memory, as in 1c2g; this is " +
                    std::to_string(cluster.spec.memory_mib) + " MiB");
  }
  if (cluster.shards == 0) {
    add("shards", "a cluster has at least one node");
  } else if (cluster.shards > kMaxShards) {
    add("shards", "a cluster has " + std::to_string(kMaxShards) + " masters at most, not " +
                      std::to_string(cluster.shards) + "; take a larger spec");
  } else if (cluster.type == CacheType::redis_cluster && cluster.shards < 3) {
    add("shards", "a Redis Cluster has at least 3 masters: fewer cannot agree on a failover");
  }
  if (cluster.replicas > kMaxReplicas) add("replicas", "0, 1 or 2");
  if (cluster.replicas != 0 && cluster.type != CacheType::redis_cluster) {
    add("replicas", "only a redis_cluster has replicas");
  }
}

void check_settings(const Cluster& cluster, std::vector<Problem>& out) {
  if (cluster.settings.size() > kMaxSettings) {
    out.push_back({"settings", std::to_string(kMaxSettings) + " at most"});
    return;
  }
  for (const auto& [name, value] : cluster.settings) {
    if (!setting_like(name)) {
      out.push_back({"settings", "no setting has such a name; small letters, digits, - and _"});
    } else if (value.size() > kMaxSettingValue || !plain_text(value)) {
      out.push_back({"settings." + name, "one line of at most " + std::to_string(kMaxSettingValue) + " bytes"});
    }
  }
}

}  // namespace

std::vector<Problem> problems_of(const Cluster& cluster) {
  std::vector<Problem> out;
  if (!valid_name(cluster.name)) {
    out.push_back({"name", "1 to 64 letters, digits, '_', '-' and '.', beginning with a letter or digit"});
  }
  if (!version_like(cluster.version)) out.push_back({"version", "a version of the server, as in 7.0.15"});
  if (!valid_name(cluster.group)) out.push_back({"group", "the name of a group"});
  check_size(cluster, out);
  if (cluster.password.size() > kLongestPassword || !plain_text(cluster.password) || cluster.password.contains(' ')) {
    out.push_back({"password", "at most 512 bytes without spaces and control characters"});
  }
  check_settings(cluster, out);
  const ProxySettings& proxy = cluster.proxy;
  constexpr uint32_t kLongestTimeout = 3600 * 1000;
  const auto timeout = [&](const char* field, uint32_t value) {
    if (value == 0 || value > kLongestTimeout) out.push_back({field, "1 to 3600000 ms"});
  };
  timeout("proxy.dial_timeout", proxy.dial_timeout);
  timeout("proxy.read_timeout", proxy.read_timeout);
  timeout("proxy.write_timeout", proxy.write_timeout);
  constexpr uint32_t kMostConnections = 1024;
  if (proxy.node_connections == 0 || proxy.node_connections > kMostConnections) {
    out.push_back({"proxy.node_connections", "1 to 1024"});
  }
  return out;
}

}  // namespace overlord::model
