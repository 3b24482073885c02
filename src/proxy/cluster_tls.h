#pragma once
// ClusterTls: the TLS contexts of one cluster in one worker, for its listeners and for its backends. They are replaced
// as a whole when files have changed (certificates.h); connections keep the one they began with.

#include <functional>
#include <map>
#include <memory>

#include "config/config.h"
#include "net/tls.h"

namespace overlord::proxy {

enum class TlsSide : uint8_t { clients, backends };

struct ClusterTls {
  net::TlsContextPtr clients;
  net::TlsContextPtr backends;
  net::TlsCounters client_counters;
  net::TlsCounters backend_counters;

  void use(TlsSide side, net::TlsContextPtr context) {
    (side == TlsSide::clients ? clients : backends) = std::move(context);
  }
};

// Those of all clusters of a worker. The address of each stays.
class TlsContexts {
 public:
  ClusterTls& of(const config::ClusterConfig& cluster) { return map_[&cluster]; }

 private:
  std::map<const config::ClusterConfig*, ClusterTls> map_;
};

}  // namespace overlord::proxy
