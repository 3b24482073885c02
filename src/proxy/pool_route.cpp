#include "proxy/pool_route.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/log.h"

namespace overlord::proxy {

using routing::Failure;
using routing::Request;

namespace {

// New backends are made so many at a time: each opens sockets, and the clients of the others must not wait for that.
constexpr size_t kMostAtOnce = 8;

// A ring over so many servers takes 0.3 ms and is built on the spot.
constexpr size_t kSmallRing = 16;

std::vector<uint32_t> all_servers(size_t count) {
  std::vector<uint32_t> all(count);
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

}  // namespace

std::shared_ptr<const hashing::Ring> ring_of(const config::ClusterConfig& cluster) {
  return ring_over(cluster, all_servers(cluster.servers.size()));
}

PoolRoute::PoolRoute(Turn& turn, config::ClusterSnapshot cluster, Resolver& resolver, int32_t& next_id)
    : turn_(turn),
      resolver_(resolver),
      next_id_(next_id),
      cluster_(std::move(cluster)),
      tag_(cluster_->hash_tag),
      hash_(hashing::hash_function(cluster_->hash_method, cluster_->hash_compat)),
      whole_ring_(ring_of(*cluster_)),
      rings_(turn.loop,
             [this](const PartRing& built) {
               use(built.ring, built.servers);
               place();  // who is out may be another one by now
             }),
      next_rings_(turn.loop, [this](PartRing built) { next_ring_ = std::move(built); }),
      leaving_(turn) {
  for (const config::ServerConfig& server : cluster_->servers) {
    backends_.push_back(std::make_unique<Backend>(turn, cluster_, server, next_id++, *this, resolver));
  }
  place();
}

void PoolRoute::start() {
  for (auto& backend : backends_) backend->start();
}

void PoolRoute::housekeeping() {
  for (auto& backend : backends_) backend->close_idle_spares();
}

bool PoolRoute::next_fresh(const PoolChange& change, size_t& server) const {
  while (server < change.kept.size() && change.kept[server] >= 0 && !change.new_connections) ++server;
  return server < change.kept.size();
}

bool PoolRoute::prepare(const PoolChange& change) {
  fresh_.resize(change.config->servers.size());
  // Sentinels tell an address once: whose it is must be there.
  const size_t most = change.config->sentinels.empty() ? kMostAtOnce : SIZE_MAX;
  for (size_t made = 0; made < most && next_fresh(change, fresh_made_); ++made, ++fresh_made_) {
    // Names are looked up on the resolver's thread.
    fresh_[fresh_made_] = std::make_unique<Backend>(turn_, change.config, change.config->servers[fresh_made_],
                                                    next_id_++, *this, resolver_, NameLookup::later);
    fresh_[fresh_made_]->start();
  }
  if (next_fresh(change, fresh_made_) || !next_ring_ready(change)) return false;
  return std::ranges::all_of(fresh_, [](const auto& backend) { return backend == nullptr || backend->settled(); });
}

void PoolRoute::commit(const PoolChange& change) {
  const auto& servers = change.config->servers;
  fresh_.resize(servers.size());
  for (; next_fresh(change, fresh_made_); ++fresh_made_) {  // time was up
    fresh_[fresh_made_] = std::make_unique<Backend>(turn_, change.config, servers[fresh_made_], next_id_++, *this,
                                                    resolver_, NameLookup::later);
    fresh_[fresh_made_]->start();
  }
  std::vector<std::unique_ptr<Backend>> now(servers.size());
  for (size_t i = 0; i < servers.size(); ++i) {
    if (fresh_[i] != nullptr) {
      now[i] = std::move(fresh_[i]);
    } else {
      now[i] = std::move(backends_[static_cast<size_t>(change.kept[i])]);
      now[i]->use(change.config, servers[i]);
    }
  }
  for (auto& backend : backends_) {
    if (backend != nullptr) leaving_.add(std::move(backend));
  }
  backends_ = std::move(now);
  fresh_.clear();
  fresh_made_ = 0;
  // What was built for the backends as they were is of no use any more.
  rings_.forget();
  next_rings_.forget();
  next_wanted_.clear();
  const PartRing ready = std::exchange(next_ring_, {});
  cluster_ = change.config;
  if (change.ring != nullptr) {
    tag_ = cluster_->hash_tag;
    hash_ = hashing::hash_function(cluster_->hash_method, cluster_->hash_compat);
    whole_ring_ = change.ring;
  }
  if (ready.cluster == cluster_) {
    use(ready.ring, ready.servers);
  } else {
    // The ring in force may be of other backends; with those that are out in it until the one without them is built.
    use(whole_ring_, all_servers(backends_.size()));
  }
  place();
}

void PoolRoute::sentinel_moved(std::string_view master, const std::string& host, const net::SocketAddress& address) {
  Pool::sentinel_moved(master, host, address);
  for (auto& backend : fresh_) {
    if (backend != nullptr && backend->serves(master)) backend->move_to(host, address);
  }
}

bool PoolRoute::next_ring_ready(const PoolChange& change) {
  std::vector<uint32_t> in;
  for (uint32_t i = 0; i < fresh_.size(); ++i) {
    if (fresh_[i] != nullptr || !backends_[static_cast<size_t>(change.kept[i])]->ejected()) in.push_back(i);
  }
  if (in.size() == fresh_.size() || in.size() <= kSmallRing) return true;
  if (next_ring_.cluster == change.config && next_ring_.servers == in) return true;
  if (next_wanted_ != in) {
    next_wanted_ = in;
    next_rings_.want(change.config, std::move(in));
  }
  return false;
}

void PoolRoute::place() {
  std::vector<uint32_t> in;
  for (uint32_t i = 0; i < backends_.size(); ++i) {
    if (!backends_[i]->ejected()) in.push_back(i);
  }
  if (in.size() == backends_.size()) {
    rings_.forget();
    use(whole_ring_, in);
  } else if (in.size() <= kSmallRing) {
    rings_.forget();
    use(ring_over(*cluster_, in), in);
  } else if (in != placed_) {
    rings_.want(cluster_, in);
  }
  if (!in.empty() || backends_.empty()) return;
  static LogEvery every(std::chrono::seconds(1));
  if (auto turn = every.next())
    log_error("cluster ", cluster_->name, ": every backend is out of the ring", turn.suffix());
}

void PoolRoute::use(std::shared_ptr<const hashing::Ring> ring, const std::vector<uint32_t>& servers) {
  ring_ = std::move(ring);
  placed_ = servers;
  in_ring_.clear();
  for (const uint32_t i : servers) in_ring_.push_back(backends_[i].get());
  ++placement_;
}

// A backend that is being prepared is in no ring yet.
void PoolRoute::on_health_changed() noexcept { place(); }

void PoolRoute::send(Request& request) noexcept {
  request.key_hash = hash(request.key);
  const uint32_t index = ring_->lookup(request.key_hash);
  if (index >= in_ring_.size()) [[unlikely]]
    return routing::fail(request, Failure::no_backend);
  in_ring_[index]->send(request);
}

int32_t PoolRoute::target(std::string_view key) const noexcept {
  const uint32_t index = ring_->lookup(hash(key));
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
  const uint32_t index = ring_->lookup(value);
  out.append("pool ").append(cluster_->name).append(": hash of '").append(hashed).append("' is ");
  out.append(std::to_string(value)).append(" -> ");
  out.append(index < in_ring_.size() ? in_ring_[index]->name() : "no backend in the ring").append("\n");
}

}  // namespace overlord::proxy
