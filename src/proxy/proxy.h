#pragma once
// Proxy: the process' data plane: starts the workers, changes what they do while they run, stops them.

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "base/error.h"
#include "net/inherited_sockets.h"
#include "proxy/file_watch.h"
#include "proxy/reloader.h"
#include "proxy/resolver.h"
#include "proxy/slow_collector.h"
#include "proxy/worker.h"

namespace overlord::proxy {

// What goes by most, and the largest.
struct ClusterKeys {
  std::string cluster;
  std::vector<sketch::HotKey> hot;
  std::vector<sketch::BigKey> big;
};

class Proxy {
 public:
  // load: reads the files again, for reloads.
  Proxy(config::Configuration configuration, Reloader::Load load);
  ~Proxy();

  // Opens every listening socket, or says which could not be and why; then starts the workers.
  Result<void> start();
  // Lets requests in flight finish for at most grace_ns, then returns with all threads ended.
  void stop(uint64_t grace_ns);
  // Listening sockets that a service manager opened; before start(), which takes those that the clusters name.
  void inherit(net::InheritedSockets sockets) { reloader_.inherit(std::move(sockets)); }
  // Whether the loop of every worker has turned since the last call (a first call says so); asks them to turn again.
  bool pulse();
  uint32_t clients() const { return shared_.connections.get(); }
  // From now on a change of one of these files is a reload. After start().
  void follow(std::vector<std::string> paths);

  // Any thread but the workers'. What each does is in reloader.h.
  ReloadReport reload() { return reloader_.reload(); }
  ReloadReport rollback() { return reloader_.rollback(); }
  Result<std::string> diff() const { return reloader_.diff(); }
  ReloadReport last_reload() const { return reloader_.last(); }
  const ReloadCounters& reload_counters() const { return reloader_.counters(); }
  config::Configuration configuration() const { return reloader_.running(); }
  // Certificates that have changed are used at once and not only within seconds.
  void reload_certificates() { reloader_.look_at_certificates(); }

  // Asks every worker and waits for all answers, or until `limit` has passed: a worker that hangs is left out. Between
  // start() and stop(), any thread but a worker's.
  Snapshot snapshot(std::chrono::milliseconds limit);
  // Of one cluster, or of all when the name is empty; at most `count` of each, by cluster. Like snapshot().
  std::vector<ClusterKeys> keys(const std::string& cluster, size_t count, std::chrono::milliseconds limit);
  // Shows what is answered from now on, until end_tail(). Waits for the workers as snapshot() does. Null: there are
  // kMostTails already.
  static constexpr uint32_t kMostTails = 4;
  std::shared_ptr<Tail> begin_tail(TailFilter filter, std::chrono::milliseconds limit);
  void end_tail(const std::shared_ptr<Tail>& tail);
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  const Shared& shared() const { return shared_; }

 private:
  Result<void> make_workers();

  Shared shared_;
  Resolver resolver_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Reloader reloader_;
  std::unique_ptr<FileWatch> file_watch_;  // null: the files are not followed
  SlowCollector slow_{shared_.slow_requests};
  std::atomic<uint32_t> tails_{0};
};

}  // namespace overlord::proxy
