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

  // An upgrade (proxy_move.cpp); any thread but the workers'. take_over() comes before start(), which then takes these
  // sockets and lets nobody in until open_doors().
  void take_over(std::vector<HandedListener> sockets);
  Result<std::vector<HandedListener>> listening();
  // False: some worker did not answer in time.
  bool close_doors();
  void open_doors();
  // `take` is called on the workers' threads; not any more when stop_moving() has returned true.
  void begin_moving(const Worker::TakeClient& take);
  bool stop_moving();
  void drain_clients();
  // Whether a client may go on here; if not, why.
  Result<void> may_adopt(const handover::ClientState& state);
  // A client from elsewhere, whose place is counted already.
  void adopt(MovingClient client);
  // Places of clients; no name: of all together. Those of clients that left by moving are theirs until left().
  void reserve_places(const std::string& cluster, uint32_t count);
  void leave_places(const std::string& cluster, uint32_t count);
  uint32_t clients_of(const std::string& cluster);
  uint64_t next_client_id() const { return shared_.next_session_id.load(); }
  void begin_client_ids_at(uint64_t id) { shared_.next_session_id.store(id); }
  void freeze_reloads(bool on) { reloader_.freeze(on); }
  void leave_paths() { reloader_.leave_paths(); }

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
  // The same for the process itself, beside those and for as long as the proxy runs. Before start().
  std::shared_ptr<Tail> always_tail(TailFilter filter);
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  const Shared& shared() const { return shared_; }

 private:
  Result<void> make_workers();

  Shared shared_;
  Resolver resolver_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Reloader reloader_;
  bool taking_over_ = false;
  std::unique_ptr<FileWatch> file_watch_;  // null: the files are not followed
  SlowCollector slow_{shared_.slow_requests};
  std::atomic<uint32_t> tails_{0};
  std::vector<std::shared_ptr<Tail>> always_;
};

}  // namespace overlord::proxy
