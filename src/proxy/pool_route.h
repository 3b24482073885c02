#pragma once
// PoolRoute: a pool that places keys by a ring over its backends.

#include <memory>
#include <vector>

#include "config/config.h"
#include "hashing/hash_tag.h"
#include "hashing/method.h"
#include "hashing/ring.h"
#include "proxy/pool.h"

namespace overlord::proxy {

class PoolRoute final : public Pool, public HealthListener {
 public:
  // next_id: the worker's counter of backend ids.
  PoolRoute(Turn& turn, const config::ClusterConfig& cluster, Resolver& resolver, int32_t& next_id);

  void start() override;
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
  void build_ring();
  uint32_t hash(std::string_view key) const noexcept { return hash_(tag_.trim(key)); }

  Turn& turn_;
  const config::ClusterConfig& cluster_;
  const hashing::HashTag tag_;
  const hashing::HashFn hash_;
  std::vector<std::unique_ptr<Backend>> backends_;
  hashing::Ring ring_;
  uint64_t placement_ = 0;
  std::vector<Backend*> in_ring_;  // what the ring's indexes mean
};

}  // namespace overlord::proxy
