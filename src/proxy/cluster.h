#pragma once
// Cluster: one [[clusters]] of the config in one worker: its listeners, its sessions, its route tree, its counters.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "access/acl_log.h"
#include "base/counter.h"
#include "config/config.h"
#include "handover/client_state.h"
#include "net/loop.h"
#include "proxy/client_gate.h"
#include "proxy/command_learner.h"
#include "proxy/command_times.h"
#include "proxy/key_watch.h"
#include "proxy/limit.h"
#include "proxy/pool.h"
#include "proxy/pubsub.h"
#include "proxy/redis_script.h"
#include "proxy/shared_cluster.h"
#include "proxy/turn.h"
#include "routing/failure.h"
#include "routing/route.h"
#include "slowlog/store.h"

namespace overlord::proxy {

class Session;
class Cluster;

struct ClientTimeouts {
  uint64_t read;   // ns without a byte from an idle client, 0: never
  uint64_t write;  // ns without a byte taken by a client, 0: never
};

struct ClusterCounters {
  Counter connections;  // open now
  Counter accepted;
  Counter rejected;  // over max_connections
  Counter requests;
  Counter timed_out_clients;
  Counter bad_proxy_headers;  // none, a wrong one, or too late
  Counter refused_logins;     // wrong user or password
  Counter slow_subscribers;   // closed because they did not take their messages
  Counter refused_calls;      // by the rules of a user
  Counter blocked_clients;    // that wait at a node now (BLPOP and its like)
  Counter tls_failures;       // handshakes of clients, and connections later on
  Counter bytes_in;           // from clients; with TLS what was in it
  Counter bytes_out;          // to clients, likewise, when written for them
  std::array<Counter, kLimitCount> limits;
  std::array<Counter, routing::kFailureCount> failures;

  void failed(routing::Failure failure) { failures[static_cast<size_t>(failure)].add(); }
  void hit(Limit limit) { limits[static_cast<size_t>(limit)].add(); }
};

// What all workers of the process share. Atomic or immutable.
struct Shared {
  uint64_t started_at = 0;  // unix seconds
  ClientCount connections;
  ClientCounts clients;  // of each cluster
  AcceptRate accepts;
  std::atomic<uint64_t> next_session_id{1};
  slowlog::Store slow_requests;
  const uint64_t secret = make_secret();  // for numbers of keys: the same in all workers
};

class Cluster {
 public:
  Cluster(Turn& turn, Shared& shared, std::shared_ptr<SharedCluster> all, size_t worker, config::ClusterSnapshot config,
          config::ProcessSnapshot process, Resolver& resolver, int32_t& next_backend);
  ~Cluster();

  void start();
  // A reload (cluster_reload.cpp). prepare() as in Pool; change null: this cluster stays as it is.
  bool prepare(const PoolChange& change) { return pool_->prepare(change); }
  void commit(const PoolChange* change, const config::ProcessSnapshot& process);
  // It is not in the configuration any more: answers what is in flight and closes its clients.
  void leave();
  bool leaving() const { return left_at_ != 0; }
  // Nothing is left of it in any worker, and it can be destroyed. About once a second.
  bool gone();
  // Takes an accepted connection; over the limit it answers why (not with TLS) and closes.
  void accept(net::UniqueFd fd, bool tls);
  // memory.cpp
  // The client that holds the most bytes, when it is more than `least`; else null.
  Session* largest_client(size_t& least);
  // It is closed because max_memory is used up.
  void close_for_memory(Session& session);
  // Clients that were not read from are again, when the turn ends.
  void read_on();
  // A client's handshake failed, or its TLS connection later on.
  void note_tls_failure(std::string_view why);
  // A client did not begin with a PROXY header, or with a wrong one.
  void note_bad_header(std::string_view why);
  void drain_sessions();
  // The session leaves; it is destroyed when the turn ends. keeps_place: it is counted as a client until somebody
  // takes it off the counts (Proxy::leave_places).
  void remove(Session& session, bool keeps_place = false);
  // A client that comes from another process; it is counted already.
  void adopt(const handover::ClientState& state, net::UniqueFd fd);
  // Most sessions at once since the last call.
  size_t take_peak() { return std::exchange(peak_, session_count()); }
  size_t session_count() const { return static_cast<size_t>(counters_.connections.get()); }

  Session* first_session() const { return sessions_; }
  // What it has in common with the parts in the other workers, and which of them it is.
  const std::shared_ptr<SharedCluster>& all() const { return all_; }
  size_t worker() const { return worker_; }

  Turn& turn() { return turn_; }
  Shared& shared() { return shared_; }
  // As the last reload left it: not to be kept beyond the turn of the loop. On the worker's thread.
  const config::ClusterConfig& config() const { return *config_; }
  const config::ProcessConfig& process() const { return *process_; }
  const std::string& name() const { return all_->name; }  // any thread
  routing::Route& root() { return *pool_; }
  Pool& pool() { return *pool_; }
  Scripts& scripts() { return scripts_; }
  LearnedCommands& learned() { return all_->learned; }
  PubSub& pubsub() { return pubsub_; }
  void housekeeping();  // about once a second
  ClusterCounters& counters() { return counters_; }
  const ClusterCounters& counters() const { return counters_; }  // any thread
  ClusterTls& tls() const { return *tls_; }                      // its counters from any thread
  CommandTimes* times() { return times_.get(); }                 // null: nobody wants to know
  access::AclLog& acl_log() { return acl_log_; }
  KeyWatch& keys() { return keys_; }
  // Nobody wants to know of a request that took less (ns); UINT64_MAX: of any.
  uint64_t noted_from() const { return noted_from_; }
  void look_who_notes();  // after a change of slowlog_slower_than or of the worker's tails
  // A request that took longer (ns) is slow; UINT64_MAX: none is.
  uint64_t slow_after() const {
    const auto limit = static_cast<uint64_t>(config_->slowlog_slower_than.count());
    return limit == 0 ? UINT64_MAX : limit * 1000;
  }
  const ClientTimeouts& client_timeouts() const { return client_timeouts_; }
  // How often a session checks its timeouts; 0 when it has none.
  uint64_t client_tick() const { return client_tick_; }
  // All keys are on one server, whatever they are.
  bool one_node() const {
    return config_->servers.size() == 1 && config_->cache_type != config::CacheType::redis_cluster;
  }
  // What clients are told to be the server's version: as configured, else the lowest of the backends' own.
  std::string_view shown_version() const;
  std::string& scratch() { return scratch_; }  // for building wire forms; cleared by the user

 private:
  void set_timeouts();
  void start_learning();
  bool admit();  // counts a client, or says why not
  void refuse(net::UniqueFd fd, bool tls);
  Session& add_session(uint64_t id);

  Turn& turn_;
  Shared& shared_;
  const std::shared_ptr<SharedCluster> all_;
  const size_t worker_;
  config::ClusterSnapshot config_;
  config::ProcessSnapshot process_;
  const std::shared_ptr<ClusterTls> tls_;
  ClientTimeouts client_timeouts_{};
  uint64_t client_tick_ = 0;
  uint64_t noted_from_ = UINT64_MAX;
  std::unique_ptr<Pool> pool_;
  Scripts scripts_;
  std::unique_ptr<CommandLearner> learner_;  // in one worker
  PubSub pubsub_;
  ClusterCounters counters_;
  std::unique_ptr<CommandTimes> times_;
  KeyWatch keys_;
  access::AclLog acl_log_;
  ClientCount& clients_;  // in all workers
  Session* sessions_ = nullptr;
  size_t peak_ = 0;
  uint64_t left_at_ = 0;   // loop time of leave(); 0: it is in the configuration
  uint64_t empty_at_ = 0;  // when the last client had gone after that; 0: not yet
  std::string scratch_;
};

std::unique_ptr<Session> make_redis_session(Cluster& cluster, uint64_t id);
std::unique_ptr<Session> make_memcache_session(Cluster& cluster, uint64_t id);
std::unique_ptr<Session> make_memcache_binary_session(Cluster& cluster, uint64_t id);

}  // namespace overlord::proxy
