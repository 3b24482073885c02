#include "proxy/cluster_totals.h"

namespace overlord::proxy {

namespace {

// Every worker has its part while there is a client to ask for this.
template <typename Get>
uint64_t sum(const Cluster& cluster, Get get) {
  uint64_t total = 0;
  for (const auto& part : cluster.all()->parts) {
    if (const Cluster* const one = part.load()) total += get(*one);
  }
  return total;
}

}  // namespace

uint64_t ClusterTotals::of(Counter ClusterCounters::* counter) const {
  return sum(cluster_, [counter](const Cluster& part) { return (part.counters().*counter).get(); });
}

uint64_t ClusterTotals::failures(routing::Failure failure) const {
  return sum(cluster_,
             [failure](const Cluster& part) { return part.counters().failures[static_cast<size_t>(failure)].get(); });
}

uint64_t ClusterTotals::hits(Limit limit) const {
  return sum(cluster_,
             [limit](const Cluster& part) { return part.counters().limits[static_cast<size_t>(limit)].get(); });
}

uint64_t ClusterTotals::of(net::TlsCounters ClusterTls::* side, Counter net::TlsCounters::* counter) const {
  return sum(cluster_, [=](const Cluster& part) { return (part.tls().*side.*counter).get(); });
}

ClusterTotals::Edge ClusterTotals::edge() const {
  using net::TlsCounters;
  return {{
      {"tls_handshakes", of(&ClusterTls::client_counters, &TlsCounters::handshakes)},
      {"tls_resumed_sessions", of(&ClusterTls::client_counters, &TlsCounters::resumed)},
      {"tls_failures", of(&ClusterTls::client_counters, &TlsCounters::failures)},
      {"backend_tls_handshakes", of(&ClusterTls::backend_counters, &TlsCounters::handshakes)},
      {"backend_tls_failures", of(&ClusterTls::backend_counters, &TlsCounters::failures)},
      {"bad_proxy_headers", of(&ClusterCounters::bad_proxy_headers)},
  }};
}

}  // namespace overlord::proxy
