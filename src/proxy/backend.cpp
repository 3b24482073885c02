#include "proxy/backend.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "proxy/duration.h"

namespace overlord::proxy {

using routing::Failure;
using routing::Request;

namespace {

constexpr size_t kMaxSpares = 64;
constexpr uint64_t kSpareIdle = 30'000'000'000;

std::string display_name(const config::ClusterConfig& cluster, const config::ServerConfig& server) {
  const std::string address = config::to_string(server.address);
  return cluster.name + "/" + (server.alias.empty() ? address : server.alias + " (" + address + ")");
}

BackendLimits limits_of(const config::ClusterConfig& cluster) {
  return {nanoseconds(cluster.dial_timeout), nanoseconds(cluster.read_timeout), nanoseconds(cluster.write_timeout),
          cluster.limits.max_node_queue};
}

}  // namespace

Backend::Backend(Turn& turn, config::ClusterSnapshot cluster, const config::ServerConfig& server, int32_t id,
                 HealthListener& listener, Resolver& resolver, NameLookup lookup)
    : turn_(turn),
      cluster_(std::move(cluster)),
      server_(&server),
      host_(server.address.host),
      id_(id),
      name_(display_name(*cluster_, server)),
      listener_(listener),
      limits_(limits_of(*cluster_)),
      addresses_(resolver, turn.loop, server.address, lookup),
      tls_(cluster_->backend_tls_on ? turn.tls.of(cluster_->name) : nullptr),
      shared_(cluster_->node_connections),
      leases_(*this, cluster_->limits.max_leased_connections) {
  probe_.set([](void* self) { static_cast<Backend*>(self)->probe(); }, this);
  for (uint32_t i = 0; i < shared_; ++i) connections_.push_back(make_connection());
}

void Backend::use(const config::ClusterSnapshot& cluster, const config::ServerConfig& server) {
  const bool renamed = server.alias != server_->alias;
  const bool other_patience = cluster->read_timeout != cluster_->read_timeout;
  const bool probed = cluster_->ping_auto_eject;
  cluster_ = cluster;
  server_ = &server;
  if (renamed) name_ = display_name(*cluster_, server);
  limits_ = limits_of(*cluster_);
  leases_.set_limit(cluster_->limits.max_leased_connections);
  if (other_patience) {
    for (auto& connection : connections_) connection->set_patience(limits_.read_timeout);
  }
  if (cluster_->ping_auto_eject == probed) return;
  if (probed) {
    probe_.cancel();
    ejected_ = false;  // the pool looks after this
    failures_ = 0;
  } else {
    turn_.loop.timers().arm(probe_, turn_.now(), nanoseconds(cluster_->ping_interval));
  }
}

bool Backend::settled() const {
  using State = BackendConnection::State;
  return std::all_of(connections_.begin(), connections_.begin() + shared_, [this](const auto& connection) {
    return connection->state() == State::up || (connection->failing() && dialed_);
  });
}

void Backend::retire() {
  retired_ = true;
  own_server_ = std::make_unique<const config::ServerConfig>(*server_);
  server_ = own_server_.get();
  ejected_ = false;
  probe_.cancel();
}

void Backend::cut() {
  for (auto& connection : connections_) connection->move(false);
  leases_.close_all();
}

std::unique_ptr<BackendConnection> Backend::make_connection() {
  if (config::is_redis(cluster_->cache_type)) return make_redis_connection(*this);
  return cluster_->backend_protocol == config::BackendProtocol::binary ? make_memcache_binary_connection(*this)
                                                                       : make_memcache_connection(*this);
}

void Backend::start() {
  for (auto& connection : connections_) {
    if (connection->state() == BackendConnection::State::idle) connection->open();
  }
  if (cluster_->ping_auto_eject) turn_.loop.timers().arm(probe_, turn_.now(), nanoseconds(cluster_->ping_interval));
}

void Backend::send(Request& request) noexcept {
  counters_.requests.add();
  BackendConnection* connection = connection_for(request);
  if (connection == nullptr) {
    counters_.request_failed(request, Failure::queue_full);
    return routing::fail(request, Failure::queue_full);
  }
  connection->send(request);
}

BackendConnection* Backend::connection_for(const Request& request) {
  const size_t shared = shared_;
  routing::Lane* lane = request.lane;
  const size_t usual = lane == nullptr ? 0 : lane->number % shared;
  if (request.uploading) [[unlikely]] {
    const size_t index = spare();
    return index == SIZE_MAX ? nullptr : connections_[index].get();
  }
  if (lane == nullptr) return connections_[usual].get();
  if (request.in_order) return connections_[lane->backend == id_ ? lane->chosen : usual].get();
  if (connections_[usual]->usable()) [[likely]]
    return connections_[usual].get();
  size_t index = usual;
  for (size_t i = 1; i < shared && !connections_[index]->usable(); ++i) index = (usual + i) % shared;
  if (!connections_[index]->usable() && connections_[usual]->busy_with_large_reply()) index = spare();
  if (index == SIZE_MAX) index = usual;
  lane->backend = id_;
  lane->chosen = static_cast<uint32_t>(index);
  return connections_[index].get();
}

size_t Backend::spare() {
  const size_t shared = shared_;
  for (size_t i = shared; i < connections_.size(); ++i) {
    if (connections_[i]->idle()) return i;
  }
  if (connections_.size() == shared + kMaxSpares) return SIZE_MAX;
  connections_.push_back(make_connection());
  return connections_.size() - 1;
}

BackendConnection* Backend::lease(LeaseHolder& holder, Failure& why) {
  // While the backend is down nobody has to wait to be told so.
  if (shared_ > 0 && failing()) {
    why = down_reason();
    return nullptr;
  }
  BackendConnection* const connection = leases_.take(holder);
  if (connection == nullptr) why = Failure::no_lease;
  return connection;
}

void Backend::close_idle_spares() {
  leases_.close_idle();
  for (size_t i = shared_; i < connections_.size(); ++i) connections_[i]->close_if_idle(kSpareIdle);
}

bool Backend::failing() const {
  return std::all_of(connections_.begin(), connections_.begin() + shared_,
                     [](const auto& connection) { return connection->failing(); });
}

bool Backend::idle() const {
  return leases_.in_use() == 0 &&
         std::ranges::all_of(connections_, [](const auto& connection) { return connection->idle(); });
}

const net::SocketAddress* Backend::address() {
  const auto& list = addresses_.list();
  if (list.empty()) return nullptr;
  return &list[next_address_ % list.size()];
}

void Backend::move_to(const std::string& host, const net::SocketAddress& address) {
  const auto& known = addresses_.list();
  if (host == host_ && known.size() == 1 && known.front() == address) return;
  host_ = host;
  addresses_.set(address);
  next_address_ = 0;
  for (size_t i = 0; i < connections_.size(); ++i) connections_[i]->move(i < shared_);
  leases_.close_all();
}

void Backend::resolve_again() {
  ++next_address_;
  addresses_.refresh();
}

void Backend::connect(net::Stream& stream, const net::SocketAddress& address, net::StreamHandler& handler) {
  dialed_ = true;
  if (tls_ == nullptr) return turn_.loop.connect(stream, address, handler);
  const std::string& named = cluster_->backend_tls_server_name;
  net::tls_connect(turn_.loop, stream, address, handler, tls_->backends, tls_->backend_counters,
                   named.empty() ? host_ : named);
}

uint64_t Backend::min_retry() const { return ejected_ ? nanoseconds(cluster_->eject_retry_interval) : 0; }

void Backend::refuse(const std::string& answer) {
  static LogEvery every(std::chrono::seconds(5));
  if (answer.starts_with("*")) {
    if (auto turn = every.next()) {
      log_warn("backend ", name_, ": is a replica at this moment; waiting for it or for word of another master",
               turn.suffix());
    }
    return;
  }
  refused_ = true;
  if (auto turn = every.next()) {
    log_error("backend ", name_, ": refused the handshake: ", answer.substr(0, answer.find('\r')),
              config::is_redis(cluster_->cache_type) ? "; check redis_auth" : "; check memcache_auth", " of cluster ",
              cluster_->name, turn.suffix());
  }
}

void Backend::on_success() noexcept {
  refused_ = false;
  failures_ = 0;
  if (!ejected_) return;
  ejected_ = false;
  static LogEvery every(std::chrono::seconds(1), LogEvery::kBurst);
  if (auto turn = every.next()) log_info("backend ", name_, ": back in the ring", turn.suffix());
  listener_.on_health_changed();
}

void Backend::on_failure() noexcept {
  counters_.failures.add();
  version_fresh_ = false;
  if (!cluster_->ping_auto_eject || ejected_ || retired_ || ++failures_ < cluster_->ping_fail_limit) return;
  ejected_ = true;
  counters_.ejections.add();
  static LogEvery every(std::chrono::seconds(1), LogEvery::kBurst);
  if (auto turn = every.next()) {
    log_warn("backend ", name_, ": out of the ring after ", failures_, " failures in a row", turn.suffix());
  }
  listener_.on_health_changed();
}

void Backend::probe() {
  if (!ejected_) {
    for (auto& connection : connections_) connection->probe();
  }
  turn_.loop.timers().arm(probe_, turn_.now(), nanoseconds(cluster_->ping_interval));
}

}  // namespace overlord::proxy
