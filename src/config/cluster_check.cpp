// What clusters of one file must fulfil together.
#include <map>
#include <string>

#include "config/cluster_reader.h"

namespace overlord::config {

namespace {

bool is_wildcard(const Address& address) { return address.host == "0.0.0.0" || address.host == "::"; }

struct Seen {
  const ReadCluster* cluster;
  const char* key;
  const Address* address;
  Position at;
};

void check_listener(const Seen& seen, const std::vector<Seen>& others, Reporter& reporter) {
  const Address& address = *seen.address;
  const bool kernel_chooses = address.kind == Address::Kind::tcp && address.port == 0;
  if (kernel_chooses) return;
  for (const Seen& other : others) {
    const std::string key = seen.cluster->path + seen.key;
    const std::string where = " of " + other.cluster->config.name + " on line " + std::to_string(other.at.line);
    if (*other.address == address) {
      reporter.error(seen.at, key, to_string(address) + " is also the address" + where, "give each its own");
      return;
    }
    const bool same_port = address.kind == Address::Kind::tcp && other.address->kind == Address::Kind::tcp &&
                           address.port == other.address->port;
    const bool same_family =
        (address.host.find(':') == std::string::npos) == (other.address->host.find(':') == std::string::npos);
    if (same_port && same_family && (is_wildcard(address) || is_wildcard(*other.address)))
      reporter.warning(seen.at, key, to_string(address) + " overlaps with " + to_string(*other.address) + where,
                       "the one that names an address gets that address's clients; different ports are clearer");
  }
}

}  // namespace

void check_clusters(const std::vector<ReadCluster>& clusters, Reporter& reporter) {
  std::map<std::string_view, uint32_t> names;
  std::vector<Seen> listeners;
  for (const ReadCluster& cluster : clusters) {
    const ClusterConfig& config = cluster.config;
    const auto [first, is_new] = names.emplace(config.name, cluster.name_at.line);
    if (!is_new)
      reporter.error(cluster.name_at, cluster.path + "name",
                     quoted(config.name) + " is also the name of the cluster on line " + std::to_string(first->second),
                     "give each cluster its own name");
    for (size_t i = 0; i < config.listen.size(); ++i) {
      const Seen seen{&cluster, "listen_addr", &config.listen[i], cluster.listen_at[i]};
      check_listener(seen, listeners, reporter);
      listeners.push_back(seen);
    }
    for (size_t i = 0; i < config.listen_tls.size(); ++i) {
      const Seen seen{&cluster, "listen_tls_addr", &config.listen_tls[i], cluster.listen_tls_at[i]};
      check_listener(seen, listeners, reporter);
      listeners.push_back(seen);
    }
  }
}

}  // namespace overlord::config
