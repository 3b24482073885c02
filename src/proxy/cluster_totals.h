#pragma once
// ClusterTotals: the counters of one cluster, summed over all workers, for INFO and stats. Any worker may ask: counters
// are written by one thread and read by all.

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "proxy/cluster.h"

namespace overlord::proxy {

class ClusterTotals {
 public:
  explicit ClusterTotals(const Cluster& cluster) : cluster_(cluster) {}

  uint64_t of(Counter ClusterCounters::* counter) const;
  uint64_t failures(routing::Failure failure) const;
  uint64_t hits(Limit limit) const;
  // Clients refused because there were too many, here or in the whole process.
  uint64_t refused() const { return of(&ClusterCounters::rejected) + hits(Limit::max_clients); }

  // What happened below the protocols, by the names that INFO and stats have for it.
  using Edge = std::array<std::pair<std::string_view, uint64_t>, 6>;
  Edge edge() const;

 private:
  uint64_t of(net::TlsCounters ClusterTls::* side, Counter net::TlsCounters::* counter) const;

  const Cluster& cluster_;
};

}  // namespace overlord::proxy
