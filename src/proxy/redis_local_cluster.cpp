// CLUSTER: what cluster clients ask to find the nodes. They are shown proxies (cluster_view.h).

#include <sys/socket.h>

#include <algorithm>

#include "hashing/hash_tag.h"
#include "hashing/slot.h"
#include "protocol/redis/writer.h"
#include "proxy/cluster_view.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {
namespace {

// The proxy's address as this client reached it: what a proxy that was told no other announces.
config::Address reached_at(const net::SocketAddress& local) {
  if (local.family() == AF_INET || local.family() == AF_INET6) {
    if (auto parsed = config::parse_backend_address(net::to_string(local))) return *parsed;
  }
  return {.kind = config::Address::Kind::tcp, .host = "127.0.0.1", .port = 0, .path = ""};
}

ClusterView make_view(const config::ClusterConfig& cluster, const net::SocketAddress& local) {
  const config::Address mine = cluster.cluster_announce ? *cluster.cluster_announce : reached_at(local);
  std::vector<config::Address> proxies = cluster.cluster_proxies;
  const auto self = std::ranges::find(proxies, mine);
  const auto index = static_cast<size_t>(self - proxies.begin());
  if (self == proxies.end()) proxies.push_back(mine);
  return {proxies, index};
}

}  // namespace

bool RedisSession::shown_as_cluster() const {
  const config::ClusterConfig& cluster = cluster_.config();
  return cluster.cache_type == config::CacheType::redis_cluster || cluster.cluster_announce ||
         !cluster.cluster_proxies.empty();
}

void RedisSession::local_cluster(const redis::Command& command) {
  if (!shown_as_cluster()) return error("ERR This instance has cluster support disabled");
  const std::string_view sub = command.name.substr(command.name.find('|') + 1);
  std::string& out = cluster_.scratch();
  out.clear();
  if (sub == "keyslot") {
    const hashing::HashTag tag("{}", hashing::Compat::overlord);
    redis::append_integer(out, hashing::slot(tag.trim(parser_->arg(2))));
    return answer(out);
  }
  const ClusterView view = make_view(cluster_.config(), local_address());
  if (sub == "slots") {
    view.append_slots(out);
  } else if (sub == "shards") {
    view.append_shards(out);
  } else if (sub == "nodes") {
    redis::append_bulk(out, view.nodes_text());
  } else if (sub == "info") {
    redis::append_bulk(out, view.info_text());
  } else if (sub == "myid") {
    redis::append_bulk(out, view.id());
  } else if (sub == "links" || sub == "replicas" || sub == "slaves") {
    redis::append_array_header(out, 0);  // the masters shown have neither
  } else {
    return refuse(command);
  }
  answer(out);
}

}  // namespace overlord::proxy
