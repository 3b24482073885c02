#include "proxy/cluster.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/log.h"
#include "proxy/pool_route.h"
#include "proxy/session.h"
#include "proxy/slot_pool.h"

namespace overlord::proxy {
namespace {

constexpr std::string_view kRedisFull = "-ERR max number of clients reached\r\n";
constexpr std::string_view kMemcacheFull = "SERVER_ERROR max number of clients reached\r\n";

std::unique_ptr<Session> make_session(Cluster& cluster, uint64_t id) {
  switch (cluster.config().cache_type) {
    case config::CacheType::memcache: return make_memcache_session(cluster, id);
    case config::CacheType::memcache_binary: return make_memcache_binary_session(cluster, id);
    default: return make_redis_session(cluster, id);
  }
}

std::unique_ptr<Pool> make_pool(Turn& turn, const config::ClusterSnapshot& config, Resolver& resolver,
                                int32_t& next_id) {
  if (config->cache_type == config::CacheType::redis_cluster) {
    return std::make_unique<SlotPool>(turn, config, resolver, next_id);
  }
  return std::make_unique<PoolRoute>(turn, config, resolver, next_id);
}

// Until a backend has said its version: that of the command table.
constexpr std::string_view kUnknownVersion = "7.0.0";

// By the numbers between the points.
bool older_version(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const std::string_view x = a.substr(0, a.find('.'));
    const std::string_view y = b.substr(0, b.find('.'));
    if (x.size() != y.size()) return x.size() < y.size();
    if (x != y) return x < y;
    a.remove_prefix(std::min(a.size(), x.size() + 1));
    b.remove_prefix(std::min(b.size(), y.size() + 1));
  }
  return a.size() < b.size();
}

}  // namespace

Cluster::Cluster(Turn& turn, Shared& shared, std::shared_ptr<SharedCluster> all, size_t worker,
                 config::ClusterSnapshot config, config::ProcessSnapshot process, Resolver& resolver,
                 int32_t& next_backend)
    : turn_(turn),
      shared_(shared),
      all_(std::move(all)),
      worker_(worker),
      config_(std::move(config)),
      process_(std::move(process)),
      tls_(turn.tls.of(config_->name)),
      pool_(make_pool(turn, config_, resolver, next_backend)),
      scripts_(turn, *pool_, all_->scripts),
      pubsub_(turn, *pool_, config_->name, config_->cache_type != config::CacheType::redis_cluster),
      times_(turn.timing ? std::make_unique<CommandTimes>(config::is_redis(config_->cache_type)) : nullptr),
      keys_(shared.secret, config_->watch_keys),
      clients_(shared.clients.of(config_->name)) {
  all_->parts[worker_].store(this);
  set_timeouts();
  look_who_notes();
}

void Cluster::housekeeping() {
  pool_->housekeeping();
  pubsub_.housekeeping();
  keys_.housekeeping(turn_.now());
}

Cluster::~Cluster() {
  all_->parts[worker_].store(nullptr);
  // Each leaves through remove(), which buries it.
  while (sessions_ != nullptr) sessions_->cut();
}

void Cluster::start() {
  pool_->start();
  start_learning();
}

bool Cluster::admit() {
  const auto told = [this](std::string_view key, uint32_t limit) {
    static LogEvery every(std::chrono::seconds(1));
    if (auto turn = every.next()) {
      log_warn("cluster ", config_->name, ": refused a client, ", key, " = ", limit, turn.suffix());
    }
    return false;
  };
  const uint32_t all = process_->max_connections;
  if (!shared_.connections.enter(all)) {
    counters_.rejected.add();
    return told("max_connections", all);
  }
  if (clients_.enter(config_->max_clients)) return true;
  shared_.connections.leave();
  counters_.hit(Limit::max_clients);
  return told("max_clients", config_->max_clients);
}

void Cluster::refuse(net::UniqueFd fd, bool tls) {
  const std::string_view line = config::is_redis(config_->cache_type) ? kRedisFull : kMemcacheFull;
  // A fresh socket's buffer takes one line; where it does not there is nobody to tell.
  if (!tls) (void)!::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Cluster::accept(net::UniqueFd fd, bool tls) {
  if (leaving()) return;
  if (!admit()) return refuse(std::move(fd), tls);
  // It has inherited the default from the listening socket.
  if (config_->tcp_keepalive != net::kKeepAliveSeconds) net::tune_stream_socket(fd.get(), config_->tcp_keepalive);
  counters_.accepted.add();
  add_session(shared_.next_session_id.fetch_add(1, std::memory_order_relaxed)).start(std::move(fd), tls);
}

void Cluster::adopt(const handover::ClientState& state, net::UniqueFd fd) {
  if (leaving()) {  // its place is given up with it
    shared_.connections.leave();
    clients_.leave();
    return;
  }
  add_session(state.id).go_on(state, std::move(fd));
}

Session& Cluster::add_session(uint64_t id) {
  counters_.connections.add();
  peak_ = std::max(peak_, session_count());
  Session* session = make_session(*this, id).release();
  session->list_next = sessions_;
  if (sessions_ != nullptr) sessions_->list_prev = session;
  sessions_ = session;
  return *session;
}

void Cluster::note_tls_failure(std::string_view why) {
  counters_.tls_failures.add();
  static LogEvery every(std::chrono::seconds(1));
  if (auto turn = every.next()) {
    log_warn("cluster ", config_->name, ": closed a TLS client: ", why, turn.suffix());
  }
}

void Cluster::note_bad_header(std::string_view why) {
  counters_.bad_proxy_headers.add();
  static LogEvery every(std::chrono::seconds(1));
  if (auto turn = every.next()) {
    log_warn("cluster ", config_->name, ": closed a connection without a good PROXY header: ", why, turn.suffix());
  }
}

void Cluster::remove(Session& session, bool keeps_place) {
  if (session.list_prev != nullptr) session.list_prev->list_next = session.list_next;
  if (session.list_next != nullptr) session.list_next->list_prev = session.list_prev;
  if (sessions_ == &session) sessions_ = session.list_next;
  session.list_prev = session.list_next = nullptr;
  counters_.connections.sub();
  if (!keeps_place) {
    shared_.connections.leave();
    clients_.leave();
  }
  turn_.bury(std::unique_ptr<Flushable>(&session));
}

std::string_view Cluster::shown_version() const {
  if (!config_->shown_version.empty()) return config_->shown_version;
  std::string_view lowest;
  for (const auto& backend : pool_->backends()) {
    const std::string& version = backend->version();
    if (!version.empty() && (lowest.empty() || older_version(version, lowest))) lowest = version;
  }
  return lowest.empty() ? kUnknownVersion : lowest;
}

void Cluster::drain_sessions() {
  for (Session* session = sessions_; session != nullptr;) {
    Session* next = session->list_next;
    session->drain();
    session = next;
  }
}

}  // namespace overlord::proxy
