#include "api/proxy_config.h"

#include "store/keys.h"

namespace overlord::api {
namespace {

using model::CacheType;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

std::string server_line(const model::Node& node) {
  if (node.type == CacheType::redis_cluster) return quoted(node.address());
  return quoted(node.address() + ":" + std::to_string(node.weight) + " " + store::keys::ordered(node.alias));
}

// Why it cannot be served; null: it can.
const char* obstacle(const ClusterView& view, size_t servers) {
  if (view.cluster.state == model::ClusterState::waiting) return "is not made yet";
  if (view.cluster.state == model::ClusterState::deleting) return "is being deleted";
  return servers == 0 ? "has no node with a weight" : nullptr;
}

void append_cluster(std::string& out, const ClusterView& view, std::string_view listen) {
  const model::Cluster& cluster = view.cluster;
  const bool slots = cluster.type == CacheType::redis_cluster;
  std::string servers;
  size_t count = 0;
  for (const NodeView& node : view.nodes) {
    if (!slots && node.node.weight == 0) continue;
    servers += "  " + server_line(node.node) + ",\n";
    ++count;
  }
  if (const char* why = obstacle(view, count)) {
    out += "\n# " + cluster.name + " " + why + ".\n";
    return;
  }
  const auto line = [&out](std::string_view key, const std::string& value) {
    out.append(key).append(" = ").append(value).append("\n");
  };
  out += "\n[[clusters]]\n";
  line("name", quoted(cluster.name));
  line("cache_type", quoted(to_string(cluster.type)));
  line("listen_addr", quoted(std::string(listen) + ":" + std::to_string(cluster.front_port)));
  line("dial_timeout", std::to_string(cluster.proxy.dial_timeout));
  line("read_timeout", std::to_string(cluster.proxy.read_timeout));
  line("write_timeout", std::to_string(cluster.proxy.write_timeout));
  line("node_connections", std::to_string(cluster.proxy.node_connections));
  if (!slots) {
    line("hash_method", "\"fnv1a_64\"");
    line("hash_distribution", "\"ketama\"");
    line("hash_tag", "\"{}\"");
    line("ping_auto_eject", cluster.proxy.ping_auto_eject ? "true" : "false");
    line("ping_fail_limit", std::to_string(cluster.proxy.ping_fail_limit));
  }
  if (!cluster.password.empty()) line("redis_auth", quoted(cluster.password));
  out += "servers = [\n" + servers + "]\n";
}

}  // namespace

std::string proxy_toml(const std::vector<ClusterView>& clusters, std::string_view listen) {
  std::string out = "# Made by overlord-apiserver; changes belong there.\n";
  for (const ClusterView& cluster : clusters) append_cluster(out, cluster, listen);
  return out;
}

}  // namespace overlord::api
