#include "proxy/cluster_totals.h"

namespace overlord::proxy {

uint64_t ClusterTotals::of(Counter ClusterCounters::* counter) const {
  uint64_t total = 0;
  for (const Cluster* share : cluster_.shares()) total += (share->counters().*counter).get();
  return total;
}

uint64_t ClusterTotals::failures(routing::Failure failure) const {
  uint64_t total = 0;
  for (const Cluster* share : cluster_.shares())
    total += share->counters().failures[static_cast<size_t>(failure)].get();
  return total;
}

uint64_t ClusterTotals::of(net::TlsCounters ClusterTls::* side, Counter net::TlsCounters::* counter) const {
  uint64_t total = 0;
  for (const Cluster* share : cluster_.shares()) total += (share->tls().*side.*counter).get();
  return total;
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
