#include "proxy/pool_route.h"

#include "base/log.h"

namespace overlord::proxy {

using routing::Failure;
using routing::Request;

PoolRoute::PoolRoute(Turn& turn, const config::ClusterConfig& cluster, Resolver& resolver, int32_t& next_id)
    : turn_(turn),
      cluster_(cluster),
      tag_(cluster.hash_tag),
      hash_(hashing::hash_function(cluster.hash_method, cluster.hash_compat)) {
  for (const config::ServerConfig& server : cluster.servers) {
    backends_.push_back(std::make_unique<Backend>(turn, cluster, server, next_id++, *this, resolver));
  }
  build_ring();
}

void PoolRoute::start() {
  for (auto& backend : backends_) backend->start();
}

void PoolRoute::housekeeping() {
  for (auto& backend : backends_) backend->close_idle_spares();
}

void PoolRoute::build_ring() {
  std::vector<hashing::RingNode> nodes;
  in_ring_.clear();
  ++placement_;
  for (auto& backend : backends_) {
    if (backend->ejected()) continue;
    nodes.push_back({backend->server().ring_name, backend->server().weight});
    in_ring_.push_back(backend.get());
  }
  ring_ = hashing::Ring(nodes, cluster_.distribution, cluster_.hash_compat);
  if (!in_ring_.empty()) return;
  static LogEvery every(std::chrono::seconds(1));
  if (auto turn = every.next())
    log_error("cluster ", cluster_.name, ": every backend is out of the ring", turn.suffix());
}

void PoolRoute::on_health_changed() noexcept { build_ring(); }

void PoolRoute::send(Request& request) noexcept {
  request.key_hash = hash(request.key);
  const uint32_t index = ring_.lookup(request.key_hash);
  if (index >= in_ring_.size()) [[unlikely]]
    return routing::fail(request, Failure::no_backend);
  in_ring_[index]->send(request);
}

int32_t PoolRoute::target(std::string_view key) const noexcept {
  const uint32_t index = ring_.lookup(hash(key));
  return index < in_ring_.size() ? in_ring_[index]->id() : routing::kNoTarget;
}

void PoolRoute::broadcast(Request& parent, routing::Wire wire, std::string_view bytes) noexcept {
  // All children exist before the first is sent: one that fails at once must not complete the parent.
  for (size_t i = 0; i < backends_.size(); ++i) turn_.requests.take_child(parent, wire).bytes = bytes;
  Request* child = parent.children;
  for (auto& backend : backends_) {
    Request& request = *child;
    child = child->next;
    backend->send(request);
  }
}

void PoolRoute::explain(std::string_view key, std::string& out) const {
  const std::string_view hashed = tag_.trim(key);
  const uint32_t value = hash_(hashed);
  const uint32_t index = ring_.lookup(value);
  out.append("pool ").append(cluster_.name).append(": hash of '").append(hashed).append("' is ");
  out.append(std::to_string(value)).append(" -> ");
  out.append(index < in_ring_.size() ? in_ring_[index]->name() : "no backend in the ring").append("\n");
}

}  // namespace overlord::proxy
