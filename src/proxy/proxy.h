#pragma once
// Proxy: the process' data plane: opens the listening sockets, starts the workers, stops them.

#include <chrono>
#include <memory>
#include <vector>

#include "base/error.h"
#include "net/inherited_sockets.h"
#include "proxy/certificates.h"
#include "proxy/resolver.h"
#include "proxy/sentinel_watch.h"
#include "proxy/worker.h"

namespace overlord::proxy {

class Proxy {
 public:
  Proxy(config::ProcessConfig process, config::ClusterFile file);
  ~Proxy();

  // Opens every listening socket, or says which could not be and why; then starts the workers.
  Result<void> start();
  // Lets requests in flight finish for at most grace_ns, then returns with all threads ended.
  void stop(uint64_t grace_ns);
  // Listening sockets that a service manager opened; before start(), which takes those that the clusters name.
  void inherit(net::InheritedSockets sockets) { inherited_ = std::move(sockets); }
  // Whether the loop of every worker has turned since the last call (a first call says so); asks them to turn again.
  bool pulse();
  uint32_t clients() const { return shared_.connections.load(std::memory_order_relaxed); }
  // Certificates that have changed are used at once and not only within seconds.
  void reload_certificates() { certificates_.look_now(); }

  // Asks every worker and waits for all answers, or until `limit` has passed: a worker that hangs is left out. Between
  // start() and stop(), any thread but a worker's.
  Snapshot snapshot(std::chrono::milliseconds limit);
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  const Shared& shared() const { return shared_; }

 private:
  Result<void> make_workers();
  Result<void> open_listeners();
  void watch_sentinels();
  Result<void> open_listener(size_t cluster, const config::Address& address, bool tls);
  bool listen_on_inherited(size_t cluster, const net::SocketAddress& address, bool tls);

  Shared shared_;
  Resolver resolver_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<SentinelWatch>> watches_;
  Certificates certificates_;
  net::InheritedSockets inherited_;
  std::vector<std::string> socket_paths_;  // unix listeners, removed at the end
};

}  // namespace overlord::proxy
