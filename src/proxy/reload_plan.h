#pragma once
// ReloadPlan: what a reload does in every worker. Made by Reloader on the thread that asked for the reload; the workers
// carry it out by messages, in two steps (Worker::prepare, Worker::commit), each touching only what is its own in it.

#include <memory>
#include <string>
#include <vector>

#include "net/socket.h"
#include "proxy/certificates.h"
#include "proxy/pool.h"
#include "proxy/shared_cluster.h"

namespace overlord::proxy {

struct ClusterChange {
  std::shared_ptr<SharedCluster> cluster;
  PoolChange pool;  // config null: the cluster goes
  // It comes: what its parts are made with; `pool` is a change of that. While the process runs this has no servers, so
  // that they are connected to as those of any other change are.
  config::ClusterSnapshot begins_as = {};
};

// A listening address in force after the reload.
struct ListenPlan {
  std::string address;  // as the configuration writes it
  std::shared_ptr<SharedCluster> cluster;
  bool tls = false;
  std::vector<net::UniqueFd> sockets;  // by worker; empty: it was there before
  bool one_socket = false;             // that all workers share
  std::string path = {};               // made for it, to be removed with it; empty: none
  bool handed = false;                 // it was another process's, and is until that lets go
};

struct ReloadPlan {
  config::ProcessSnapshot process;
  std::vector<ClusterChange> clusters;  // those that change
  std::vector<ListenPlan> listeners;    // all
  std::vector<Certificates::Contexts> tls;
};

}  // namespace overlord::proxy
