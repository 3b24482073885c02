#pragma once
// Backend: one upstream server as one worker sees it: its connections, its address, its health.
//
// Health: failures in a row (connections lost or refused, timeouts, failed probes) are counted, any validated
// connection or answered probe resets the count. With auto-eject the pool is told at the limit, and told again when
// a connection has proved itself. A backend that is out is tried every eject_retry_interval.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/counter.h"
#include "base/histogram.h"
#include "config/config.h"
#include "net/address.h"
#include "net/timer.h"
#include "proxy/backend_connection.h"
#include "proxy/lease_pool.h"
#include "proxy/resolver.h"
#include "proxy/turn.h"

namespace overlord::proxy {

struct BackendLimits {
  uint64_t dial_timeout;  // ns, 0: none
  uint64_t read_timeout;
  uint64_t write_timeout;
  uint32_t max_queue;  // requests per connection
};

struct BackendCounters {
  Counter requests;
  Counter failures;  // faults of connections, not of requests
  Counter ejections;
  Counter bytes_in;   // from the backend; with TLS what was in it
  Counter bytes_out;  // to the backend, likewise, when it was asked to be sent
  // Requests of clients that failed here, by what kind of command they are and why.
  std::array<std::array<Counter, routing::kFailureCount>, routing::kCommandKinds> failed;

  void request_failed(const routing::Request& request, routing::Failure failure) {
    if (request.tag.number == 0) return;
    failed[static_cast<size_t>(request.tag.kind)][static_cast<size_t>(failure)].add();
  }
};

// Told when a backend leaves or rejoins (ping_auto_eject).
class HealthListener {
 public:
  virtual void on_health_changed() noexcept = 0;

 protected:
  ~HealthListener() = default;
};

class Backend {
 public:
  // id: unique and small in this worker. The server outlives the backend, or is part of the snapshot.
  Backend(Turn& turn, config::ClusterSnapshot cluster, const config::ServerConfig& server, int32_t id,
          HealthListener& listener, Resolver& resolver, NameLookup lookup = NameLookup::now);

  void start();  // opens the connections
  void send(routing::Request& request) noexcept;
  // It is somewhere else from now on: its connections are opened anew there. host: what its certificate must name.
  void move_to(const std::string& host, const net::SocketAddress& address);
  // The configuration after a reload, in which all that concerns connections is as it was. server: as for the
  // constructor.
  void use(const config::ClusterSnapshot& cluster, const config::ServerConfig& server);
  // Whether it is known if the server can be reached: its connections are up, or could not be made.
  bool settled() const;
  // It gets no new requests any more: connections that break stay closed, and its health is nobody's business.
  void retire();
  bool retired() const { return retired_; }
  // Closes everything: what is in flight fails.
  void cut();
  // Requests would be refused at once: no shared connection works.
  bool failing() const;
  // No request is in flight.
  bool idle() const;
  // A connection for one client alone. Null: `why` says so.
  BackendConnection* lease(LeaseHolder& holder, routing::Failure& why);
  LeasePool& leases() { return leases_; }
  // Closes extra connections that nobody has used for a while. Called about once a second.
  void close_idle_spares();

  int32_t id() const { return id_; }
  const std::string& name() const { return name_; }
  bool ejected() const { return ejected_; }
  // What the server last said its version is ("7.0.15"); empty until it has said it.
  const std::string& version() const { return version_; }
  bool ask_version() const { return !version_fresh_ && cluster_->shown_version.empty(); }
  void learn_version(std::string_view version) {
    version_ = version;
    version_fresh_ = true;
  }
  const config::ClusterConfig& cluster() const { return *cluster_; }
  const config::ServerConfig& server() const { return *server_; }
  // It is the master that Sentinels know by this name.
  bool serves(std::string_view master) const {
    return server_->address.kind == config::Address::Kind::sentinel && server_->address.path == master;
  }
  BackendCounters& counters() { return counters_; }
  const BackendCounters& counters() const { return counters_; }
  // How long requests that it answered were there, by kind of command; null where there was none.
  const std::array<std::unique_ptr<Histogram>, routing::kCommandKinds>& times() const { return times_; }
  // `answered`: loop time at which the reply was whole.
  void note_time(const routing::Request& request, uint64_t answered) {
    if (!turn_.timing || request.tag.number == 0) return;
    std::unique_ptr<Histogram>& times = times_[static_cast<size_t>(request.tag.kind)];
    if (times == nullptr) [[unlikely]]
      times = std::make_unique<Histogram>();
    times->add(answered - request.sent_at);
  }
  // Its connections: the shared ones and the spares, then those that single clients have.
  template <typename Visit>
  void visit_connections(Visit&& visit) const {
    for (const auto& connection : connections_) visit(*connection);
    leases_.visit_connections(visit);
  }

  // For the connections and their pools.
  std::unique_ptr<BackendConnection> make_connection();
  Turn& turn() { return turn_; }
  const BackendLimits& limits() const { return limits_; }
  const net::SocketAddress* address();  // the next one to try; null while the name does not resolve
  void resolve_again();
  void connect(net::Stream& stream, const net::SocketAddress& address, net::StreamHandler& handler);
  routing::Failure down_reason() const {
    return refused_ ? routing::Failure::refused_auth : routing::Failure::backend_down;
  }
  uint64_t min_retry() const;
  // Whether a memcache node knows meta commands, as far as it has told.
  enum class Meta : uint8_t {
    untold,
    doubted,  // it has closed a connection when it was asked one: the next handshake asks `mn`
    spoken,
    too_old,  // by its version
    closes    // when it is asked one, whatever its version says
  };
  Meta meta() const { return meta_; }
  void set_meta(Meta meta) { meta_ = meta; }
  bool without_meta() const { return meta_ >= Meta::too_old; }
  void refuse(const std::string& answer);
  void on_success() noexcept;
  void on_failure() noexcept;

 private:
  BackendConnection* connection_for(const routing::Request& request);
  size_t spare();  // index of an idle extra connection; SIZE_MAX when there may be no more
  void probe();

  Turn& turn_;
  config::ClusterSnapshot cluster_;
  const config::ServerConfig* server_;
  std::unique_ptr<const config::ServerConfig> own_server_;  // of a retired one, which may outlive its pool's
  std::string host_;  // as the configuration, or a Sentinel, names it; empty: nobody has
  const int32_t id_;
  std::string name_;
  HealthListener& listener_;
  BackendLimits limits_;
  ResolvedName addresses_;
  size_t next_address_ = 0;
  std::string version_;
  bool version_fresh_ = false;  // no connection was lost since
  bool refused_ = false;
  bool ejected_ = false;
  bool retired_ = false;
  bool dialed_ = false;  // some connection was tried: an address was known
  Meta meta_ = Meta::untold;
  uint32_t failures_ = 0;  // in a row
  net::Timer probe_;
  const std::shared_ptr<ClusterTls> tls_;  // null: plain text
  BackendCounters counters_;
  std::array<std::unique_ptr<Histogram>, routing::kCommandKinds> times_;
  const uint32_t shared_;  // node_connections
  // The first node_connections are shared by all clients. The others are made when they are needed: for a large upload,
  // and for clients that would have to wait because large replies are on the way on all shared ones.
  std::vector<std::unique_ptr<BackendConnection>> connections_;
  LeasePool leases_;
};

std::unique_ptr<BackendConnection> make_redis_connection(Backend& backend);
std::unique_ptr<BackendConnection> make_memcache_connection(Backend& backend);
std::unique_ptr<BackendConnection> make_memcache_binary_connection(Backend& backend);

}  // namespace overlord::proxy
