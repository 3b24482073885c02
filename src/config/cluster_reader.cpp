#include "config/cluster_reader.h"

#include <algorithm>
#include <map>
#include <utility>

#include "config/access_reader.h"
#include "config/policy_reader.h"
#include "config/server_line.h"
#include "config/table_reader.h"
#include "config/tls_check.h"
#include "hashing/ketama.h"

namespace overlord::config {

namespace {

using Reader = TableReader<ClusterConfig>;

constexpr size_t kMostServers = 65536;

// The strings of an array with their places; what is not a string is reported.
std::vector<std::pair<std::string, Position>> strings(const TomlEntry& entry, const std::string& key,
                                                      Reporter& reporter) {
  std::vector<std::pair<std::string, Position>> found;
  for (const TomlValue& item : entry.value.get<TomlArray>()->items) {
    if (const auto* text = item.get<std::string>())
      found.emplace_back(*text, item.at);
    else
      reporter.error(item.at, key, "expected a string, found " + std::string(item.type_name()));
  }
  return found;
}

void read_name(const Reader& reader, size_t number, ReadCluster& read, Reporter& reporter) {
  if (const TomlEntry* entry = reader.find("name")) read.name_at = entry->value.at;
  std::string name = reader.text("name", "");
  if (name.empty()) {
    name = "cluster-" + std::to_string(number);
    reporter.warning(read.name_at, reader.path("name"), "missing; the cluster is called " + name,
                     "name it: metrics and logs use the name");
  }
  const bool has_control =
      std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (has_control)
    reporter.error(read.name_at, reader.path("name"), quoted(name) + " holds a control character", "take it out");
  if (name.size() > 128) reporter.error(read.name_at, reader.path("name"), "longer than 128 bytes", "shorten it");
  read.config.name = std::move(name);
}

// The addresses of one key, which is there.
void read_addresses(const Reader& reader, std::string_view name, const std::string& proto, const char* example,
                    std::vector<Address>& addresses, std::vector<Position>& places, Reporter& reporter) {
  const std::string key = reader.path(name);
  const TomlEntry* entry = reader.find(name);
  std::vector<std::pair<std::string, Position>> texts;
  if (const auto* text = entry->value.get<std::string>()) {
    texts.emplace_back(*text, entry->value.at);
  } else if (entry->value.get<TomlArray>() != nullptr) {
    texts = strings(*entry, key, reporter);
    if (entry->value.get<TomlArray>()->items.empty()) reporter.error(entry->value.at, key, "empty", example);
  } else {
    reporter.error(entry->value.at, key, "expected a string, found " + std::string(entry->value.type_name()), example);
  }
  for (const auto& [text, at] : texts) {
    auto address = parse_listen_address(text, proto);
    if (!address) {
      reporter.error(at, key, quoted(text) + ": " + address.error().message, example);
      continue;
    }
    addresses.push_back(std::move(*address));
    places.push_back(at);
  }
}

void read_listen(const Reader& reader, ReadCluster& read, Reporter& reporter) {
  const std::string proto = reader.text("listen_proto", "tcp");
  if (proto != "tcp" && proto != "unix" && !proto.empty()) {
    reporter.error(reader.find("listen_proto")->value.at, reader.path("listen_proto"),
                   "unknown protocol " + quoted(proto), "use tcp or unix");
    return;
  }
  const char* example = proto == "unix" ? "write a path, like /run/overlord/redis.sock"
                                        : "write IP:PORT, like 0.0.0.0:26379, or unix:/PATH";
  const bool tls = reader.find("listen_tls_addr") != nullptr;
  if (reader.find("listen_addr") != nullptr)
    read_addresses(reader, "listen_addr", proto, example, read.config.listen, read.listen_at, reporter);
  else if (!tls)
    reporter.error(read.at, reader.path("listen_addr"), "missing", example);
  if (tls)
    read_addresses(reader, "listen_tls_addr", proto, example, read.config.listen_tls, read.listen_tls_at, reporter);
}

void read_hash_tag(const Reader& reader, ReadCluster& read, Reporter& reporter) {
  const std::string text = reader.text("hash_tag", "");
  const hashing::Compat compat = read.config.hash_compat;
  read.config.hash_tag = hashing::HashTag::from_config(text, compat);
  if (text.empty() || text == "none" || text.size() == 2) return;
  const Position at = reader.find("hash_tag")->value.at;
  const std::string key = reader.path("hash_tag");
  const std::string message = quoted(text) + " is not two bytes";
  if (compat == hashing::Compat::twemproxy)
    reporter.error(at, key, message, "write two, like \"{}\", or \"none\"");
  else
    reporter.warning(at, key, message + ", so tags are off, as they were", "write \"none\" to say so");
}

// Names and addresses of one cluster's servers against each other.
void check_servers(const ClusterConfig& cluster, const std::vector<Position>& places, const std::string& key,
                   Reporter& reporter) {
  std::map<std::string_view, uint32_t> names;
  std::map<std::string, uint32_t> addresses;
  const bool aliases = !cluster.servers.empty() && !cluster.servers.front().alias.empty();
  for (size_t i = 0; i < cluster.servers.size(); ++i) {
    const ServerConfig& server = cluster.servers[i];
    if (server.alias.empty() == aliases)
      reporter.error(places[i], key,
                     aliases ? "no alias, but the first server has one" : "an alias, but the first server has none",
                     "give all servers of a cluster an alias, or none");
    const auto [name, new_name] = names.emplace(server.ring_name, server.line);
    const auto [address, new_address] = addresses.emplace(to_string(server.address), server.line);
    if (!new_name) {
      reporter.error(places[i], key,
                     (server.alias.empty() ? "the server " : "the alias ") + quoted(server.ring_name) +
                         " stands already on line " + std::to_string(name->second),
                     server.alias.empty() ? "take one out; a weight gives a server more keys"
                                          : "give each server an alias of its own");
    } else if (!new_address) {
      reporter.warning(places[i], key,
                       "the address " + address->first + " stands already on line " + std::to_string(address->second) +
                           " under another name",
                       "both names lead to the same server");
    }
  }
}

void check_ring(const ClusterConfig& cluster, const std::vector<Position>& places, const Reader& reader,
                Reporter& reporter) {
  if (cluster.cache_type == CacheType::redis_cluster || cluster.distribution != hashing::Distribution::ketama) return;
  if (cluster.hash_method == hashing::Method::crc32 && cluster.servers.size() > 1)
    reporter.warning(reader.find("hash_method")->value.at, reader.path("hash_method"),
                     "crc32 gives numbers below 32768 only, so with ketama one server gets nearly every key",
                     "crc32a uses the whole range (keys then move)");
  std::vector<hashing::RingNode> nodes;
  for (const ServerConfig& server : cluster.servers)
    nodes.push_back({.name = server.ring_name, .weight = server.weight});
  std::vector<uint32_t> points(nodes.size(), 0);
  for (const hashing::RingPoint& point : hashing::ketama_points(nodes, cluster.hash_compat)) ++points[point.node];
  const std::string key = reader.path("servers");
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (points[i] == 0)
      reporter.warning(places[i], key,
                       quoted(nodes[i].name) + " gets no key: its weight " + std::to_string(nodes[i].weight) +
                           " is too small beside the others",
                       "raise it, or lower the others");
    // The text of a point is the name, a dash and up to three digits.
    else if (nodes[i].name.size() > 60 && cluster.hash_compat == hashing::Compat::overlord)
      reporter.warning(places[i], key,
                       "the name has more than 60 bytes, so the server gets far fewer keys than its share",
                       "shorten the alias (keys then move)");
  }
}

void read_sentinels(const Reader& reader, ReadCluster& read, Reporter& reporter) {
  const std::string key = reader.path("sentinels");
  const char* example = "write sentinels = [\"10.0.0.1:26379\"]";
  const TomlEntry* entry = reader.find("sentinels");
  const TomlEntry* tls = reader.find("sentinel_tls");
  if (tls == nullptr) read.config.sentinel_tls = entry != nullptr && read.config.backend_tls_on;
  if (entry == nullptr) {
    if (read.config.sentinel_tls)
      reporter.warning(tls->value.at, reader.path("sentinel_tls"), "has no effect without sentinels", "take it out");
    read.config.sentinel_tls = false;
    if (const TomlEntry* masters = reader.find("masters"))
      reporter.error(masters->at, key, "missing, and masters are known by Sentinels", example);
    return;
  }
  const auto* array = entry->value.get<TomlArray>();
  if (array == nullptr || array->items.empty())
    return reporter.error(entry->value.at, key, "expected an array of at least one string", example);
  for (const auto& [text, at] : strings(*entry, key, reporter)) {
    auto address = parse_backend_address(text);
    if (address)
      read.config.sentinels.push_back(std::move(*address));
    else
      reporter.error(at, key, quoted(text) + ": " + address.error().message, example);
  }
  if (read.config.cache_type != CacheType::redis)
    reporter.error(entry->at, key, "only cache_type redis has Sentinels", "take it out");
  if (const TomlEntry* servers = reader.find("servers"))
    reporter.error(servers->at, reader.path("servers"), "set together with sentinels",
                   "name the masters in masters = [\"mymaster:1\"], and take servers out");
}

void read_proxies(const Reader& reader, ReadCluster& read, Reporter& reporter) {
  const TomlEntry* entry = reader.find("cluster_proxies");
  if (entry == nullptr) return;
  const std::string key = reader.path("cluster_proxies");
  const char* example = "write cluster_proxies = [\"10.0.0.1:26379\", \"10.0.0.2:26379\"]";
  if (entry->value.get<TomlArray>() == nullptr)
    return reporter.error(entry->value.at, key,
                          "expected an array of strings, found " + std::string(entry->value.type_name()), example);
  for (const auto& [text, at] : strings(*entry, key, reporter)) {
    auto address = parse_backend_address(text);
    if (address && address->kind == Address::Kind::tcp)
      read.config.cluster_proxies.push_back(std::move(*address));
    else
      reporter.error(at, key, quoted(text) + " is not HOST:PORT", example);
  }
  if (read.config.cluster_proxies.empty()) return;
  const auto& announce = read.config.cluster_announce;
  const auto& all = read.config.cluster_proxies;
  if (!announce)
    reporter.error(entry->at, reader.path("cluster_announce"), "missing beside cluster_proxies",
                   "say which of them this proxy is");
  else if (std::find(all.begin(), all.end(), *announce) == all.end())
    reporter.error(entry->at, key, "cluster_announce " + to_string(*announce) + " is not among them",
                   "the list names every proxy, also this one");
}

void read_servers(const Reader& reader, ReadCluster& read, Reporter& reporter) {
  ClusterConfig& cluster = read.config;
  const bool by_sentinel = reader.find("sentinels") != nullptr;
  const char* name = by_sentinel ? "masters" : "servers";
  const std::string key = reader.path(name);
  const char* example = by_sentinel ? "write masters = [\"mymaster:1\"]"
                        : cluster.cache_type == CacheType::redis_cluster
                            ? "write servers = [\"127.0.0.1:7000\"]"
                            : "write servers = [\"127.0.0.1:6379:1 redis1\"]";
  const TomlEntry* entry = reader.find(name);
  if (entry == nullptr) return reporter.error(read.at, key, "missing", example);
  const auto* array = entry->value.get<TomlArray>();
  if (array == nullptr)
    return reporter.error(entry->value.at, key,
                          "expected an array of strings, found " + std::string(entry->value.type_name()), example);
  if (array->items.empty()) return reporter.error(entry->value.at, key, "empty", example);
  if (array->items.size() > kMostServers)
    return reporter.error(entry->value.at, key, "more than " + std::to_string(kMostServers) + " servers");

  std::vector<Position> places;
  bool all_good = true;
  for (const auto& [text, at] : strings(*entry, key, reporter)) {
    auto line =
        by_sentinel ? parse_master_line(text) : parse_server_line(text, cluster.cache_type, cluster.hash_compat);
    if (!line) {
      reporter.error(at, key, quoted(text) + ": " + line.error().message);
      all_good = false;
      continue;
    }
    if (!line->note.empty()) reporter.warning(at, key, quoted(text) + ": " + line->note);
    line->server.line = at.line;
    cluster.servers.push_back(std::move(line->server));
    places.push_back(at);
  }
  check_servers(cluster, places, key, reporter);
  if (all_good) check_ring(cluster, places, reader, reporter);
}

// Keys that are right alone and wrong together.
void check_together(const Reader& reader, ReadCluster& read, Reporter& reporter) {
  ClusterConfig& cluster = read.config;
  const TomlEntry* type = reader.find("cache_type");
  if (type == nullptr)
    reporter.error(read.at, reader.path("cache_type"), "missing",
                   "use one of memcache, memcache_binary, redis, redis_cluster");
  else
    read.type_at = type->value.at;

  if (type != nullptr && !is_redis(cluster.cache_type)) {
    if (!reader.text("redis_auth", "").empty())
      reporter.warning(reader.find("redis_auth")->value.at, reader.path("redis_auth"), "has no effect: it is for redis",
                       "use memcache_auth");
  }
  if (type != nullptr && cluster.cache_type != CacheType::redis_cluster && cluster.read_from != ReadFrom::master)
    reporter.warning(reader.find("read_from")->value.at, reader.path("read_from"),
                     "has no effect: only a redis_cluster has replicas here", "take it out");
  const TomlEntry* backend_protocol = reader.find("backend_protocol");
  if (backend_protocol == nullptr && cluster.cache_type == CacheType::memcache_binary) {
    cluster.backend_protocol = BackendProtocol::binary;  // in old files it meant both sides
  } else if (cluster.backend_protocol == BackendProtocol::binary && type != nullptr && is_redis(cluster.cache_type)) {
    reporter.warning(backend_protocol->value.at, reader.path("backend_protocol"),
                     "has no effect: redis has one protocol for its backends", "take it out");
  }
  if (cluster.cache_type == CacheType::redis_cluster && cluster.ping_auto_eject) {
    reporter.warning(reader.find("ping_auto_eject")->value.at, reader.path("ping_auto_eject"),
                     "has no effect: a redis_cluster says itself which of its nodes serve", "take it out");
    cluster.ping_auto_eject = false;
  }
  if (!cluster.proxy_protocol && cluster.proxy_protocol_timeout != ClusterConfig().proxy_protocol_timeout) {
    reporter.warning(reader.find("proxy_protocol_timeout")->value.at, reader.path("proxy_protocol_timeout"),
                     "has no effect without proxy_protocol = true");
  }
  if (reader.find("max_node_queue") == nullptr) {
    const uint64_t old_queue = uint64_t{cluster.node_pipe_count} * cluster.node_pipe_count * 16;
    cluster.limits.max_node_queue = static_cast<uint32_t>(std::clamp<uint64_t>(old_queue, 1024, 1U << 24));
  }
  const Limits& limits = cluster.limits;
  if (limits.max_value_size > limits.max_request_size)
    reporter.error(read.at, reader.path("max_value_size"),
                   "above max_request_size (" + std::to_string(limits.max_request_size) + ")",
                   "lower it, or raise max_request_size");
}

}  // namespace

ReadCluster read_cluster(const TomlTable& table, Position at, size_t number, std::set<std::string_view>& told,
                         FileCheck files, Reporter& reporter) {
  ReadCluster read;
  read.at = read.name_at = read.type_at = at;
  read.config.line = at.line;
  read.path = "clusters[" + std::to_string(number) + "].";
  Reader reader(table, Section::cluster, cluster_keys(), read.path, told, reporter);
  reader.read(read.config);
  read_name(reader, number, read, reporter);
  read_listen(reader, read, reporter);
  read_hash_tag(reader, read, reporter);
  read_sentinels(reader, read, reporter);
  read_proxies(reader, read, reporter);
  read_servers(reader, read, reporter);
  read_access(reader, read, reporter);
  read_policy(reader, read, reporter);
  check_together(reader, read, reporter);
  check_tls(reader, files, read.config, reporter);
  return read;
}

}  // namespace overlord::config
