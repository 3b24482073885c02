#include "proxy/snapshot.h"

#include <unordered_map>

#include "proxy/cluster.h"

namespace overlord::proxy {
namespace {

template <size_t N>
void add(std::array<uint64_t, N>& to, const std::array<uint64_t, N>& from) {
  for (size_t i = 0; i < N; ++i) to[i] += from[i];
}

template <size_t N>
std::array<uint64_t, N> values(const std::array<Counter, N>& counters) {
  std::array<uint64_t, N> out;
  for (size_t i = 0; i < N; ++i) out[i] = counters[i].get();
  return out;
}

void add(TlsCounts& to, const TlsCounts& from) {
  to.handshakes += from.handshakes;
  to.resumed += from.resumed;
  to.failures += from.failures;
}

TlsCounts values(const net::TlsCounters& counters) {
  return {counters.handshakes.get(), counters.resumed.get(), counters.failures.get()};
}

// Adds each of `more` to that of the same name in `all`, or at the end.
template <typename T>
void merge_by_name(std::vector<T>& all, const std::vector<T>& more, std::string T::* name) {
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < all.size(); ++i) places.emplace(all[i].*name, i);
  for (const T& one : more) {
    const auto [place, fresh] = places.emplace(one.*name, all.size());
    if (fresh) {
      all.emplace_back();
      all.back().copy_names(one);
    }
    all[place->second].merge(one);
  }
}

}  // namespace

void BackendSnapshot::merge(const BackendSnapshot& other) {
  in_ring = in_ring && other.in_ring;
  failing = failing || other.failing;
  if (version.empty()) version = other.version;
  queued += other.queued;
  unsent += other.unsent;
  connections.idle += other.connections.idle;
  connections.connecting += other.connections.connecting;
  connections.up += other.connections.up;
  connections.down += other.connections.down;
  connections.leased += other.connections.leased;
  requests += other.requests;
  faults += other.faults;
  ejections += other.ejections;
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  for (size_t kind = 0; kind < failed.size(); ++kind) {
    add(failed[kind], other.failed[kind]);
    times[kind].merge(other.times[kind]);
  }
}

void ClusterSnapshot::merge(const ClusterSnapshot& other) {
  connections += other.connections;
  accepted += other.accepted;
  rejected += other.rejected;
  requests += other.requests;
  timed_out_clients += other.timed_out_clients;
  bad_proxy_headers += other.bad_proxy_headers;
  tls_failures += other.tls_failures;
  refused_logins += other.refused_logins;
  refused_calls += other.refused_calls;
  slow_subscribers += other.slow_subscribers;
  blocked_clients += other.blocked_clients;
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  add(failures, other.failures);
  add(limits, other.limits);
  add(client_tls, other.client_tls);
  add(backend_tls, other.backend_tls);
  for (const auto& [command, counts] : other.commands) commands[command].merge(counts);
  merge_by_name(backends, other.backends, &BackendSnapshot::node);
}

std::vector<ClusterSnapshot> Snapshot::clusters() const {
  std::vector<ClusterSnapshot> all;
  for (const WorkerSnapshot& part : parts) merge_by_name(all, part.clusters, &ClusterSnapshot::name);
  return all;
}

BackendSnapshot take_snapshot(const Backend& backend) {
  BackendSnapshot out;
  out.cluster = backend.cluster().name;
  out.node = config::to_string(backend.server().address);
  out.alias = backend.server().alias;
  out.version = backend.version();
  out.in_ring = !backend.ejected();
  out.failing = backend.failing();
  backend.visit_connections([&out](const BackendConnection& connection) {
    out.queued += connection.queue_size();
    out.unsent += connection.unsent();
    switch (connection.state()) {
      case BackendConnection::State::idle: ++out.connections.idle; break;
      case BackendConnection::State::connecting: ++out.connections.connecting; break;
      case BackendConnection::State::up: ++out.connections.up; break;
      case BackendConnection::State::down: ++out.connections.down; break;
    }
    if (connection.leased()) ++out.connections.leased;
  });
  const BackendCounters& counters = backend.counters();
  out.requests = counters.requests.get();
  out.faults = counters.failures.get();
  out.ejections = counters.ejections.get();
  out.bytes_in = counters.bytes_in.get();
  out.bytes_out = counters.bytes_out.get();
  for (size_t kind = 0; kind < out.failed.size(); ++kind) {
    out.failed[kind] = values(counters.failed[kind]);
    if (const auto& times = backend.times()[kind]) out.times[kind] = times->counts();
  }
  return out;
}

ClusterSnapshot take_snapshot(Cluster& cluster) {
  ClusterSnapshot out;
  out.name = cluster.config().name;
  out.type = config::to_string(cluster.config().cache_type);
  const ClusterCounters& counters = cluster.counters();
  out.connections = counters.connections.get();
  out.accepted = counters.accepted.get();
  out.rejected = counters.rejected.get();
  out.requests = counters.requests.get();
  out.timed_out_clients = counters.timed_out_clients.get();
  out.bad_proxy_headers = counters.bad_proxy_headers.get();
  out.tls_failures = counters.tls_failures.get();
  out.refused_logins = counters.refused_logins.get();
  out.refused_calls = counters.refused_calls.get();
  out.slow_subscribers = counters.slow_subscribers.get();
  out.blocked_clients = counters.blocked_clients.get();
  out.bytes_in = counters.bytes_in.get();
  out.bytes_out = counters.bytes_out.get();
  out.failures = values(counters.failures);
  out.limits = values(counters.limits);
  out.client_tls = values(cluster.tls().client_counters);
  out.backend_tls = values(cluster.tls().backend_counters);
  if (CommandTimes* const times = cluster.times()) {
    const bool redis = config::is_redis(cluster.config().cache_type);
    for (size_t number = 0; number < times->by_number().size(); ++number) {
      if (const auto& histogram = times->by_number()[number]) {
        out.commands[routing::tag_name(redis, static_cast<uint16_t>(number))] = histogram->counts();
      }
    }
  }
  for (const auto& backend : cluster.pool().backends()) out.backends.push_back(take_snapshot(*backend));
  return out;
}

}  // namespace overlord::proxy
