#pragma once
// PoolRoute: a pool that places keys by a ring over its backends.
//
// When a backend leaves the ring of a large pool, or comes back while others are out, the ring that follows is built
// elsewhere (RingBuilder) and the present one stays in force for these milliseconds: the backend's keys fail or live
// elsewhere a moment longer.

#include <memory>
#include <vector>

#include "config/config.h"
#include "hashing/hash_tag.h"
#include "hashing/method.h"
#include "hashing/ring.h"
#include "proxy/leaving_backends.h"
#include "proxy/pool.h"
#include "proxy/ring_builder.h"

namespace overlord::proxy {

// Over all servers of a cluster, in their order. May take milliseconds for a thousand.
std::shared_ptr<const hashing::Ring> ring_of(const config::ClusterConfig& cluster);

class PoolRoute final : public Pool, public HealthListener {
 public:
  // next_id: the worker's counter of backend ids.
  PoolRoute(Turn& turn, config::ClusterSnapshot cluster, Resolver& resolver, int32_t& next_id);

  void start() override;
  bool prepare(const PoolChange& change) override;
  void commit(const PoolChange& change) override;
  void sentinel_moved(std::string_view master, const std::string& host, const net::SocketAddress& address) override;
  void housekeeping() override;
  const std::vector<std::unique_ptr<Backend>>& backends() const override { return backends_; }
  void owners(std::vector<Backend*>& out) const override { out.insert(out.end(), in_ring_.begin(), in_ring_.end()); }

  uint64_t placement() const override { return placement_; }

  void send(routing::Request& request) noexcept override;
  int32_t target(std::string_view key) const noexcept override;
  void broadcast(routing::Request& parent, routing::Wire wire, std::string_view bytes) noexcept override;
  void explain(std::string_view key, std::string& out) const override;
  void on_health_changed() noexcept override;

 private:
  void place();
  void use(std::shared_ptr<const hashing::Ring> ring, const std::vector<uint32_t>& servers);
  bool next_ring_ready(const PoolChange& change);
  bool next_fresh(const PoolChange& change, size_t& server) const;
  uint32_t hash(std::string_view key) const noexcept { return hash_(tag_.trim(key)); }

  Turn& turn_;
  Resolver& resolver_;
  int32_t& next_id_;
  config::ClusterSnapshot cluster_;
  hashing::HashTag tag_;
  hashing::HashFn hash_;
  std::vector<std::unique_ptr<Backend>> backends_;   // one for each server, in their order
  std::shared_ptr<const hashing::Ring> whole_ring_;  // over all of them
  std::shared_ptr<const hashing::Ring> ring_;        // over those that are in it
  uint64_t placement_ = 0;
  std::vector<uint32_t> placed_;   // the servers that are in it
  std::vector<Backend*> in_ring_;  // what the ring's indexes mean
  RingBuilder rings_;              // of the present backends
  // Of a reload that is being prepared: the ring without those of the kept backends that are out, and the backends to come, by server; null where one is kept.
  std::vector<std::unique_ptr<Backend>> fresh_;
  size_t fresh_made_ = 0;  // servers looked at so far
  RingBuilder next_rings_;
  PartRing next_ring_;
  std::vector<uint32_t> next_wanted_;
  LeavingBackends leaving_;
};

}  // namespace overlord::proxy
