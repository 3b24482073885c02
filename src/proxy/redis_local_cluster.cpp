// CLUSTER: what cluster clients ask to find the nodes. They are shown proxies (cluster_view.h).

#include <sys/socket.h>

#include <algorithm>

#include "hashing/hash_tag.h"
#include "hashing/slot.h"
#include "protocol/redis/key_positions.h"
#include "protocol/redis/writer.h"
#include "proxy/cluster_view.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {

using routing::Answer;
using routing::Request;
using routing::Wire;

namespace {

constexpr std::string_view kNoCluster = "ERR This instance has cluster support disabled";

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

// CLUSTER COUNTKEYSINSLOT and GETKEYSINSLOT. While a slot moves its keys are on two nodes, and this is the one that owns
// it, as for a client of the cluster.
void RedisSession::ask_slot_owner(const redis::Command& command) {
  if (!shown_as_cluster()) return error(kNoCluster);
  if (moving_pool() == nullptr) {
    return error("ERR the keys of this cluster are not in slots: what looks like a Redis Cluster is the proxy");
  }
  int64_t slot = 0;
  const bool valid = redis::parse_number(parser_->arg(2), slot) && slot >= 0 && slot < hashing::kSlots;
  Request& request = new_request(Wire::redis, Answer::reply);
  request.command = &command;
  request.bytes = parser_->wire();
  // Any node says best what is wrong with the number.
  Backend* const owner = cluster_.pool().slot_owner(valid ? static_cast<uint16_t>(slot) : uint16_t{0});
  if (owner == nullptr) return routing::fail(request, routing::Failure::slot_not_served);
  owner->send(request);
}

void RedisSession::local_cluster(const redis::Command& command) {
  if (!shown_as_cluster()) return error(kNoCluster);
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
