#include "metrics/families.h"

#include <algorithm>

namespace overlord::metrics {
namespace {

using enum Type;

// clang-format off
constexpr Family kFamilies[] = {
    // As the Go program has them.
    {"overlord_proxy_conns", gauge, "cluster", "Client connections that are open."},
    {"overlord_proxy_err", gauge, "cluster,node,cmd,error",
     "Only goes up. Requests that failed at a node for a fault of the network (error \"network err\", by kind of command), and how often a node was taken out of the ring (error \"del node\")."},
    {"overlord_proxy_version", gauge, "version", "1, with the version as a label."},
    {"overlord_proxy_timer", histogram, "cluster,cmd",
     "Microseconds from when a client's request was read until its answer was written, by command."},
    {"overlord_proxy_handler_timer", histogram, "cluster,node,cmd",
     "Microseconds from when a request was given to a connection until the node's reply was there, by kind of command (read, write, other)."},

    // Clients.
    {"overlord_proxy_client_accepts_total", counter, "cluster", "Client connections that were accepted."},
    {"overlord_proxy_client_refusals_total", counter, "cluster,reason",
     "Client connections that were refused: over max_connections, with a bad PROXY header, or by TLS."},
    {"overlord_proxy_client_closes_total", counter, "cluster,reason",
     "Clients that the proxy closed: idle or stalled for too long (timeout), or too slow for their subscriptions (slow_subscriber)."},
    {"overlord_proxy_client_denials_total", counter, "cluster,reason",
     "Logins with a wrong user or password (login), and calls that a user's rules do not allow (call)."},
    {"overlord_proxy_clients_blocked", gauge, "cluster", "Clients that wait at a node in a blocking command."},
    {"overlord_proxy_client_receive_bytes_total", counter, "cluster", "Bytes that came from clients, without TLS."},
    {"overlord_proxy_client_transmit_bytes_total", counter, "cluster", "Bytes that were written for clients, without TLS."},
    {"overlord_proxy_requests_total", counter, "cluster", "Requests of clients."},
    {"overlord_proxy_failures_total", counter, "cluster,error",
     "Requests that were answered with an error of the proxy's own, by why."},
    {"overlord_proxy_limit_hits_total", counter, "cluster,limit", "How often a limit of the configuration was met."},

    // Backends.
    {"overlord_proxy_backend_in_ring", gauge, "cluster,node", "1 when the node gets keys, 0 when it was taken out of the ring."},
    {"overlord_proxy_backend_up", gauge, "cluster,node",
     "0 when no shared connection of some worker works, so that its requests are refused; else 1."},
    {"overlord_proxy_backend_connections", gauge, "cluster,node,state",
     "Connections to the node by state: idle, connecting, up, down."},
    {"overlord_proxy_backend_leases", gauge, "cluster,node", "Connections to the node that single clients have for themselves."},
    {"overlord_proxy_backend_queue_requests", gauge, "cluster,node", "Requests that were given to a connection and have no reply yet."},
    {"overlord_proxy_backend_unsent_bytes", gauge, "cluster,node", "Bytes that wait for the node to take them."},
    {"overlord_proxy_backend_requests_total", counter, "cluster,node", "Requests that were given to the node."},
    {"overlord_proxy_backend_failures_total", counter, "cluster,node,cmd,error",
     "Requests of clients that failed at the node, by kind of command and why."},
    {"overlord_proxy_backend_faults_total", counter, "cluster,node",
     "Connections to the node that were lost or could not be made, and probes that failed."},
    {"overlord_proxy_backend_ejections_total", counter, "cluster,node", "How often a worker took the node out of its ring."},
    {"overlord_proxy_backend_receive_bytes_total", counter, "cluster,node", "Bytes that came from the node, without TLS."},
    {"overlord_proxy_backend_transmit_bytes_total", counter, "cluster,node", "Bytes that were written for the node, without TLS."},

    // TLS.
    {"overlord_proxy_tls_handshakes_total", counter, "cluster,side,resumed", "TLS handshakes that were completed; side is client or backend."},
    {"overlord_proxy_tls_failures_total", counter, "cluster,side", "TLS handshakes and connections that failed."},

    // The process.
    {"overlord_proxy_workers", gauge, "", "Workers (threads that serve clients)."},
    {"overlord_proxy_worker_up", gauge, "worker",
     "0 when the worker did not answer this scrape in time; its numbers are then those of the last one that it did."},
    {"overlord_proxy_worker_delay_seconds", gauge, "worker", "How long this scrape waited until the worker came to it."},
    {"overlord_proxy_worker_cpu_seconds_total", counter, "worker", "CPU time of the worker's thread."},
    {"overlord_proxy_worker_turns_total", counter, "worker", "Turns of the worker's event loop."},
    {"overlord_proxy_worker_accept_pauses_total", counter, "worker",
     "How often accepting paused because descriptors or memory ran out."},
    {"overlord_proxy_memory_bytes", gauge, "owner,state",
     "Bytes in the workers' pools by owner (chunks: output and large replies; buffers: pieces of messages, without those beyond 64 KiB; requests) and state (used, free)."},
    {"overlord_proxy_max_connections", gauge, "", "The limit of client connections over all clusters; 0: none."},
    {"overlord_proxy_reloads_total", counter, "outcome",
     "Reloads of the configuration: applied, unchanged (nothing had changed) and refused (the files had errors)."},
    {"overlord_proxy_upgrades_total", counter, "outcome",
     "Upgrades: taken_over (this process came by one) and failed (it was to give way, and goes on)."},
    {"overlord_proxy_moved_clients_total", counter, "direction",
     "Clients that came with their connections from the process before (in), or went to the next one (out)."},
    {"overlord_proxy_traced_requests_total", counter, "outcome",
     "Sampled requests for the OpenTelemetry collector: sent, rejected (it did not take them) and dropped (too many waited, or it could not be reached for too long). Only with otlp_endpoint."},
    {"overlord_proxy_build_info", gauge, "version,compiler,io", "1, with what the program was built as and the io driver it uses."},
    {"process_cpu_seconds_total", counter, "", "CPU time of the process, user and system."},
    {"process_resident_memory_bytes", gauge, "", "Resident memory of the process."},
    {"process_virtual_memory_bytes", gauge, "", "Virtual memory of the process."},
    {"process_open_fds", gauge, "", "Open file descriptors of the process."},
    {"process_max_fds", gauge, "", "The limit of open file descriptors."},
    {"process_start_time_seconds", gauge, "", "Unix time at which the process started."},
    {"process_threads", gauge, "", "Threads of the process."},
};
// clang-format on

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view name) {
  const auto* found = std::ranges::find(kFamilies, name, &Family::name);
  return found == std::end(kFamilies) ? nullptr : found;
}

}  // namespace overlord::metrics
