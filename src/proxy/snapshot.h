#pragma once
// Snapshot: what a proxy has counted and what it is doing, at one moment: plain values, with names and no references, so
// that it outlives reloads. Each worker fills its part on its own thread; Proxy::snapshot() collects them.
//
// Numbers of one cluster or backend in several workers are added up by merge().

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.h"
#include "proxy/limit.h"
#include "routing/command_tag.h"
#include "routing/failure.h"

namespace overlord::proxy {

class Backend;
class Cluster;

// connecting and down: of those that clients share. leased: those that one client has for itself.
struct ConnectionCounts {
  uint64_t idle = 0;
  uint64_t connecting = 0;
  uint64_t up = 0;
  uint64_t down = 0;
  uint64_t leased = 0;
};

struct BackendSnapshot {
  std::string cluster;
  std::string node;  // its address as the configuration has it
  std::string alias;
  std::string version;   // as it told
  bool in_ring = true;   // false when any worker has ejected it
  bool failing = false;  // true when in any worker no shared connection works
  uint64_t queued = 0;
  uint64_t unsent = 0;  // bytes
  ConnectionCounts connections;
  uint64_t requests = 0;
  uint64_t faults = 0;
  uint64_t ejections = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  std::array<std::array<uint64_t, routing::kFailureCount>, routing::kCommandKinds> failed{};
  std::array<HistogramCounts, routing::kCommandKinds> times{};

  void copy_names(const BackendSnapshot& other) {
    cluster = other.cluster;
    node = other.node;
    alias = other.alias;
  }
  void merge(const BackendSnapshot& other);
};

struct TlsCounts {
  uint64_t handshakes = 0;
  uint64_t resumed = 0;
  uint64_t failures = 0;
};

struct ClusterSnapshot {
  std::string name;
  std::string type;  // cache_type
  uint64_t connections = 0;
  uint64_t accepted = 0;
  uint64_t rejected = 0;  // over max_connections
  uint64_t requests = 0;
  uint64_t timed_out_clients = 0;
  uint64_t bad_proxy_headers = 0;
  uint64_t tls_failures = 0;
  uint64_t refused_logins = 0;
  uint64_t refused_calls = 0;
  uint64_t slow_subscribers = 0;
  uint64_t blocked_clients = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  std::array<uint64_t, routing::kFailureCount> failures{};
  std::array<uint64_t, kLimitCount> limits{};
  TlsCounts client_tls;
  TlsCounts backend_tls;
  std::map<std::string_view, HistogramCounts> commands;  // names are static; only those that occurred
  // Of one worker: each server of the configuration, also when two have one address under two names; merged: each
  // address once.
  std::vector<BackendSnapshot> backends;

  void copy_names(const ClusterSnapshot& other) {
    name = other.name;
    type = other.type;
  }
  void merge(const ClusterSnapshot& other);
};

// Bytes that a pool holds.
struct MemoryCounts {
  uint64_t used = 0;
  uint64_t free = 0;
};

struct WorkerSnapshot {
  uint32_t index = 0;
  uint64_t delay_ns = 0;  // from when it was asked until it answered: how long anything waits for this worker
  uint64_t cpu_ns = 0;    // of its thread
  uint64_t turns = 0;
  uint64_t accept_pauses = 0;
  std::string driver;  // of its event loop
  MemoryCounts chunks;
  MemoryCounts buffers;
  MemoryCounts requests;
  std::vector<ClusterSnapshot> clusters;
};

struct Snapshot {
  uint32_t workers = 0;               // that there are
  std::vector<WorkerSnapshot> parts;  // of those that answered in time, by index
  std::vector<uint32_t> silent;       // the others

  // All clusters, each once, in the order of the first worker's, with each address of their backends once.
  std::vector<ClusterSnapshot> clusters() const;
};

struct ClientSnapshot {
  uint64_t id = 0;
  std::string cluster;
  std::string address;    // as a PROXY header told, else the socket's; empty when unknown
  uint64_t requests = 0;  // in flight
  uint64_t idle_ns = 0;   // since it last sent or took bytes
  uint64_t unsent = 0;    // bytes that wait for it
  uint64_t kept = 0;      // bytes of a request that is not whole
};

// On the cluster's thread.
ClusterSnapshot take_snapshot(Cluster& cluster);
BackendSnapshot take_snapshot(const Backend& backend);

}  // namespace overlord::proxy
