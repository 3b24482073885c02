#pragma once
// ClusterTls: the TLS contexts of one cluster in one worker, for its listeners and for its backends. They are replaced
// as a whole when files or settings have changed (certificates.h); connections keep the one they began with.

#include <map>
#include <memory>
#include <string>

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

// Those of all clusters of a worker, by the clusters' names. They are there as long as somebody holds them.
class TlsContexts {
 public:
  std::shared_ptr<ClusterTls> of(const std::string& cluster) {
    std::weak_ptr<ClusterTls>& known = map_[cluster];
    std::shared_ptr<ClusterTls> tls = known.lock();
    if (tls == nullptr) {
      tls = std::make_shared<ClusterTls>();
      known = tls;
      std::erase_if(map_, [](const auto& entry) { return entry.second.expired(); });
    }
    return tls;
  }

 private:
  std::map<std::string, std::weak_ptr<ClusterTls>> map_;
};

}  // namespace overlord::proxy
