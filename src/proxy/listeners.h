#pragma once
// Listeners: the addresses that the process listens on. A reload keeps the sockets of an address that stays, whatever
// cluster it belongs to afterwards, so no client that is just connecting is refused.

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "net/inherited_sockets.h"
#include "proxy/handed_listener.h"
#include "proxy/reload_plan.h"

namespace overlord::proxy {

class Listeners {
 public:
  Listeners() = default;
  // Before open().
  void set_workers(size_t workers) { workers_ = workers; }

  struct Wanted {
    config::ClusterSnapshot config;
    std::shared_ptr<SharedCluster> cluster;
  };
  // Sockets that a service manager opened: taken by the first open(), those that no cluster names are closed.
  void inherit(net::InheritedSockets sockets) { inherited_ = std::move(sockets); }
  // Sockets that another process had, taken by the first open() in the same way.
  void take_over(std::vector<HandedListener> sockets) { handed_ = std::move(sockets); }
  // The path of a socket that is ours to remove; empty: none.
  std::string path_of(const std::string& address) const;
  // They are another's now: they stay when this process ends.
  void leave_paths() { ours_.clear(); }
  // Opens what is not open yet, for every worker. The error says which address could not be had and why; then nothing
  // has changed. The workers take the sockets from the plan.
  Result<std::vector<ListenPlan>> open(const std::vector<Wanted>& wanted);
  // What the plan says is in force: paths of unix sockets that are left are removed.
  void adopt(const std::vector<ListenPlan>& plan);
  void remove_paths();

 private:
  Result<void> add(const Wanted& wanted, const config::Address& address, bool tls, std::vector<ListenPlan>& plan);
  Result<void> open_one(const config::ClusterConfig& cluster, const config::Address& address, ListenPlan& one);
  Result<bool> take_handed(const config::ClusterConfig& cluster, const net::SocketAddress& address, ListenPlan& one);
  bool take_inherited(const config::ClusterConfig& cluster, const net::SocketAddress& address, ListenPlan& one);

  size_t workers_ = 0;
  net::InheritedSockets inherited_;
  std::vector<HandedListener> handed_;
  std::vector<std::string> open_;  // addresses
  std::vector<std::string> ours_;  // of these: paths that we made, and remove
};

}  // namespace overlord::proxy
