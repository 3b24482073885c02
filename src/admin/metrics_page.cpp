#include "admin/metrics_page.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/exposition.h"

namespace overlord::admin {
namespace {

using metrics::Exposition;
using proxy::BackendSnapshot;
using proxy::ClusterSnapshot;
using proxy::Limit;
using routing::CommandKind;
using routing::Failure;

using Clusters = std::vector<ClusterSnapshot>;

// What the Go program called a network error.
bool of_the_network(Failure failure) {
  switch (failure) {
    case Failure::backend_down:
    case Failure::connection_lost:
    case Failure::timed_out:
    case Failure::bad_reply: return true;
    default: return false;
  }
}

template <typename Visit>
void each_backend(const Clusters& clusters, Visit&& visit) {
  for (const ClusterSnapshot& cluster : clusters) {
    for (const BackendSnapshot& backend : cluster.backends) visit(cluster, backend);
  }
}

void per_cluster(Exposition& out, const Clusters& clusters, std::string_view family,
                 uint64_t ClusterSnapshot::* number) {
  out.family(family);
  for (const ClusterSnapshot& cluster : clusters) out.sample({cluster.name}, cluster.*number);
}

// One family whose second label tells its numbers apart.
void per_cluster(Exposition& out, const Clusters& clusters, std::string_view family,
                 std::initializer_list<std::pair<std::string_view, uint64_t ClusterSnapshot::*>> numbers) {
  out.family(family);
  for (const ClusterSnapshot& cluster : clusters) {
    for (const auto& [label, number] : numbers) out.sample({cluster.name, label}, cluster.*number);
  }
}

void per_backend(Exposition& out, const Clusters& clusters, std::string_view family,
                 uint64_t BackendSnapshot::* number) {
  out.family(family);
  each_backend(clusters, [&](const ClusterSnapshot& cluster, const BackendSnapshot& backend) {
    out.sample({cluster.name, backend.node}, backend.*number);
  });
}

uint64_t network_errors(const BackendSnapshot& backend, size_t kind) {
  uint64_t total = 0;
  for (size_t i = 0; i < routing::kFailureCount; ++i) {
    if (of_the_network(static_cast<Failure>(i))) total += backend.failed[kind][i];
  }
  return total;
}

void add_old_families(Exposition& out, const Clusters& clusters) {
  per_cluster(out, clusters, "overlord_proxy_conns", &ClusterSnapshot::connections);
  out.family("overlord_proxy_err");
  each_backend(clusters, [&](const ClusterSnapshot& cluster, const BackendSnapshot& backend) {
    for (size_t kind = 0; kind < routing::kCommandKinds; ++kind) {
      const uint64_t errors = network_errors(backend, kind);
      if (errors == 0) continue;
      out.sample({cluster.name, backend.node, kind_name(static_cast<CommandKind>(kind)), "network err"}, errors);
    }
    if (backend.ejections > 0) out.sample({cluster.name, backend.node, "", "del node"}, backend.ejections);
  });
  out.family("overlord_proxy_version");
  out.sample({OVERLORD_VERSION}, uint64_t{1});
  out.family("overlord_proxy_timer");
  for (const ClusterSnapshot& cluster : clusters) {
    for (const auto& [command, counts] : cluster.commands) out.histogram({cluster.name, command}, counts);
  }
  out.family("overlord_proxy_handler_timer");
  each_backend(clusters, [&](const ClusterSnapshot& cluster, const BackendSnapshot& backend) {
    for (size_t kind = 0; kind < routing::kCommandKinds; ++kind) {
      if (backend.times[kind].count() == 0) continue;
      out.histogram({cluster.name, backend.node, kind_name(static_cast<CommandKind>(kind))}, backend.times[kind]);
    }
  });
}

void add_clients(Exposition& out, const Clusters& clusters) {
  per_cluster(out, clusters, "overlord_proxy_client_accepts_total", &ClusterSnapshot::accepted);
  per_cluster(out, clusters, "overlord_proxy_client_refusals_total",
              {{"max_connections", &ClusterSnapshot::rejected},
               {"proxy_header", &ClusterSnapshot::bad_proxy_headers},
               {"tls", &ClusterSnapshot::tls_failures}});
  for (const ClusterSnapshot& cluster : clusters) {
    out.sample({cluster.name, "max_clients"}, cluster.limits[static_cast<size_t>(Limit::max_clients)]);
  }
  per_cluster(
      out, clusters, "overlord_proxy_client_closes_total",
      {{"timeout", &ClusterSnapshot::timed_out_clients}, {"slow_subscriber", &ClusterSnapshot::slow_subscribers}});
  per_cluster(out, clusters, "overlord_proxy_client_denials_total",
              {{"login", &ClusterSnapshot::refused_logins}, {"call", &ClusterSnapshot::refused_calls}});
  per_cluster(out, clusters, "overlord_proxy_clients_blocked", &ClusterSnapshot::blocked_clients);
  per_cluster(out, clusters, "overlord_proxy_client_receive_bytes_total", &ClusterSnapshot::bytes_in);
  per_cluster(out, clusters, "overlord_proxy_client_transmit_bytes_total", &ClusterSnapshot::bytes_out);
  per_cluster(out, clusters, "overlord_proxy_requests_total", &ClusterSnapshot::requests);
  out.family("overlord_proxy_failures_total");
  for (const ClusterSnapshot& cluster : clusters) {
    for (size_t i = 1; i < routing::kFailureCount; ++i) {
      out.sample({cluster.name, failure_name(static_cast<Failure>(i))}, cluster.failures[i]);
    }
  }
  out.family("overlord_proxy_limit_hits_total");
  const auto failures = [](const ClusterSnapshot& cluster, Failure failure) {
    return cluster.failures[static_cast<size_t>(failure)];
  };
  for (const ClusterSnapshot& cluster : clusters) {
    out.sample({cluster.name, "max_connections"}, cluster.rejected);
    out.sample({cluster.name, "max_node_queue"}, failures(cluster, Failure::queue_full));
    out.sample({cluster.name, "max_leased_connections"}, failures(cluster, Failure::no_lease));
    for (size_t i = 0; i < proxy::kLimitCount; ++i) {
      out.sample({cluster.name, limit_name(static_cast<Limit>(i))}, cluster.limits[i]);
    }
  }
}

void add_backends(Exposition& out, const Clusters& clusters) {
  out.family("overlord_proxy_backend_in_ring");
  each_backend(clusters, [&](const ClusterSnapshot& cluster, const BackendSnapshot& backend) {
    out.sample({cluster.name, backend.node}, uint64_t{backend.in_ring});
  });
  out.family("overlord_proxy_backend_up");
  each_backend(clusters, [&](const ClusterSnapshot& cluster, const BackendSnapshot& backend) {
    out.sample({cluster.name, backend.node}, uint64_t{!backend.failing});
  });
  out.family("overlord_proxy_backend_connections");
  each_backend(clusters, [&](const ClusterSnapshot& cluster, const BackendSnapshot& backend) {
    const proxy::ConnectionCounts& counts = backend.connections;
    out.sample({cluster.name, backend.node, "idle"}, counts.idle);
    out.sample({cluster.name, backend.node, "connecting"}, counts.connecting);
    out.sample({cluster.name, backend.node, "up"}, counts.up);
    out.sample({cluster.name, backend.node, "down"}, counts.down);
  });
  out.family("overlord_proxy_backend_leases");
  each_backend(clusters, [&](const ClusterSnapshot& cluster, const BackendSnapshot& backend) {
    out.sample({cluster.name, backend.node}, backend.connections.leased);
  });
  per_backend(out, clusters, "overlord_proxy_backend_queue_requests", &BackendSnapshot::queued);
  per_backend(out, clusters, "overlord_proxy_backend_unsent_bytes", &BackendSnapshot::unsent);
  per_backend(out, clusters, "overlord_proxy_backend_requests_total", &BackendSnapshot::requests);
  out.family("overlord_proxy_backend_failures_total");
  each_backend(clusters, [&](const ClusterSnapshot& cluster, const BackendSnapshot& backend) {
    for (size_t kind = 0; kind < routing::kCommandKinds; ++kind) {
      for (size_t i = 1; i < routing::kFailureCount; ++i) {
        if (backend.failed[kind][i] == 0) continue;
        out.sample({cluster.name, backend.node, kind_name(static_cast<CommandKind>(kind)),
                    failure_name(static_cast<Failure>(i))},
                   backend.failed[kind][i]);
      }
    }
  });
  per_backend(out, clusters, "overlord_proxy_backend_faults_total", &BackendSnapshot::faults);
  per_backend(out, clusters, "overlord_proxy_backend_ejections_total", &BackendSnapshot::ejections);
  per_backend(out, clusters, "overlord_proxy_backend_receive_bytes_total", &BackendSnapshot::bytes_in);
  per_backend(out, clusters, "overlord_proxy_backend_transmit_bytes_total", &BackendSnapshot::bytes_out);
}

void add_tls(Exposition& out, const Clusters& clusters) {
  out.family("overlord_proxy_tls_handshakes_total");
  for (const ClusterSnapshot& cluster : clusters) {
    const proxy::TlsCounts& clients = cluster.client_tls;
    out.sample({cluster.name, "client", "no"}, clients.handshakes - clients.resumed);
    out.sample({cluster.name, "client", "yes"}, clients.resumed);
    out.sample({cluster.name, "backend", "no"}, cluster.backend_tls.handshakes);
  }
  out.family("overlord_proxy_tls_failures_total");
  for (const ClusterSnapshot& cluster : clusters) {
    out.sample({cluster.name, "client"}, cluster.client_tls.failures);
    out.sample({cluster.name, "backend"}, cluster.backend_tls.failures);
  }
}

void add_workers(Exposition& out, const proxy::Snapshot& snapshot) {
  out.family("overlord_proxy_workers");
  out.sample({}, uint64_t{snapshot.workers});
  out.family("overlord_proxy_worker_up");
  for (uint32_t i = 0; i < snapshot.workers; ++i) {
    const bool silent = std::ranges::find(snapshot.silent, i) != snapshot.silent.end();
    out.sample({std::to_string(i)}, uint64_t{!silent});
  }
  const auto seconds = [](uint64_t ns) { return static_cast<double>(ns) / 1e9; };
  out.family("overlord_proxy_worker_delay_seconds");
  for (const auto& part : snapshot.parts) out.sample({std::to_string(part.index)}, seconds(part.delay_ns));
  out.family("overlord_proxy_worker_cpu_seconds_total");
  for (const auto& part : snapshot.parts) out.sample({std::to_string(part.index)}, seconds(part.cpu_ns));
  out.family("overlord_proxy_worker_turns_total");
  for (const auto& part : snapshot.parts) out.sample({std::to_string(part.index)}, part.turns);
  out.family("overlord_proxy_worker_accept_pauses_total");
  for (const auto& part : snapshot.parts) out.sample({std::to_string(part.index)}, part.accept_pauses);
  out.family("overlord_proxy_memory_bytes");
  constexpr std::pair<std::string_view, proxy::MemoryCounts proxy::WorkerSnapshot::*> kOwners[] = {
      {"chunks", &proxy::WorkerSnapshot::chunks},
      {"buffers", &proxy::WorkerSnapshot::buffers},
      {"requests", &proxy::WorkerSnapshot::requests}};
  for (const auto& [owner, pool] : kOwners) {
    proxy::MemoryCounts sum;
    for (const auto& part : snapshot.parts) {
      sum.used += (part.*pool).used;
      sum.free += (part.*pool).free;
    }
    out.sample({owner, "used"}, sum.used);
    out.sample({owner, "free"}, sum.free);
  }
}

void add_process(Exposition& out, const proxy::Snapshot& snapshot, const PageFacts& facts) {
  out.family("overlord_proxy_max_connections");
  out.sample({}, uint64_t{facts.max_connections});
  out.family("overlord_proxy_reloads_total");
  out.sample({"applied"}, facts.reloads_applied);
  out.sample({"unchanged"}, facts.reloads_unchanged);
  out.sample({"refused"}, facts.reloads_refused);
  out.family("overlord_proxy_upgrades_total");
  out.sample({"taken_over"}, facts.upgrades_taken_over);
  out.sample({"failed"}, facts.upgrades_failed);
  out.family("overlord_proxy_moved_clients_total");
  out.sample({"in"}, facts.clients_moved_in);
  out.sample({"out"}, facts.clients_moved_out);
  if (facts.traces) {
    out.family("overlord_proxy_traced_requests_total");
    out.sample({"sent"}, facts.traces->sent);
    out.sample({"rejected"}, facts.traces->rejected);
    out.sample({"dropped"}, facts.traces->dropped);
  }
  out.family("overlord_proxy_build_info");
  out.sample({OVERLORD_VERSION, "g++ " __VERSION__, snapshot.parts.empty() ? "" : snapshot.parts.front().driver},
             uint64_t{1});
  out.family("process_cpu_seconds_total");
  out.sample({}, facts.process.cpu_seconds);
  const std::pair<std::string_view, uint64_t> numbers[] = {
      {"process_resident_memory_bytes", facts.process.resident_bytes},
      {"process_virtual_memory_bytes", facts.process.virtual_bytes},
      {"process_open_fds", facts.process.open_fds},
      {"process_max_fds", facts.process.max_fds},
      {"process_start_time_seconds", facts.started_at},
      {"process_threads", facts.process.threads}};
  for (const auto& [family, number] : numbers) {
    out.family(family);
    out.sample({}, number);
  }
}

}  // namespace

std::string metrics_page(const proxy::Snapshot& snapshot, const PageFacts& facts) {
  const Clusters clusters = snapshot.clusters();
  Exposition out;
  add_old_families(out, clusters);
  add_clients(out, clusters);
  add_backends(out, clusters);
  add_tls(out, clusters);
  add_workers(out, snapshot);
  add_process(out, snapshot, facts);
  return out.text();
}

}  // namespace overlord::admin
