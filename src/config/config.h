#pragma once
// What the two files and the flags say, checked and with every default filled in. Plain values, never changed
// after loading. Where the values come from: loader.h; what each key means: keys.cpp and docs/config.md.
//
//   proxy file (-conf)      -> ProcessConfig   one per process
//   cluster file (-cluster) -> ClusterFile     one ClusterConfig per [[clusters]]

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/command_policy.h"
#include "access/users.h"
#include "base/log.h"
#include "config/address.h"
#include "hashing/hash_tag.h"
#include "hashing/method.h"
#include "hashing/ring.h"
#include "net/socket.h"
#include "net/tls.h"

namespace overlord::config {

using std::chrono::microseconds;
using std::chrono::milliseconds;

enum class CacheType { memcache, memcache_binary, redis, redis_cluster };
enum class ReadFrom { master, replica, prefer_replica, nearest };
// What a memcached behind the proxy is spoken to in.
enum class BackendProtocol { text, binary };
enum class IoDriver { automatic, epoll, io_uring };

std::string_view to_string(CacheType type);
std::string_view to_string(IoDriver driver);
std::string_view to_string(ReadFrom policy);

bool is_redis(CacheType type);

struct LogConfig {
  std::string file;        // empty: none
  bool to_stdout = false;  // with neither a file nor stdout the log goes to stderr
  uint32_t verbosity = 0;  // 0: info and worse; 1 and up: debug messages of at most this level too
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  uint64_t max_bytes = 0;     // the file is rotated at this size; 0: not for its size
  uint32_t backup_count = 7;  // rotated files kept; 0: no rotation
  bool daily = false;         // rotated when the day changes
};

struct SlowlogConfig {
  std::string file;        // a line of JSON for each slow request; empty: none
  uint64_t max_bytes = 0;  // at which it is moved aside; 0: never
  uint32_t backup_count = 0;
};

// Traces of sampled requests, for an OpenTelemetry collector.
struct OtlpConfig {
  std::string endpoint;    // URL without /v1/traces; empty: none
  uint32_t sample = 1000;  // one of so many requests of each worker
};

struct ProcessConfig {
  std::string stat;  // HTTP address for metrics; empty: none
  LogConfig log;
  SlowlogConfig slowlog;
  OtlpConfig otlp;
  milliseconds read_timeout{0};         // an idle client is closed after this; 0: never
  milliseconds write_timeout{0};        // a client that takes no output for this long is closed; 0: never
  uint32_t max_connections = 0;         // clients over all clusters; 0: no limit
  uint32_t max_accepts_per_second = 0;  // client connections taken over all clusters; 0: no limit
  uint64_t max_memory = 0;              // bytes that clients and backends may make the process hold; 0: no limit
  bool use_metrics = true;
  std::string upgrade_socket;       // where a new process may come to take over; empty: nowhere
  milliseconds stop_timeout{5000};  // what requests in flight have when the process is told to stop
  uint32_t workers = 0;             // 0: one per core the process may use
  IoDriver io = IoDriver::automatic;
};

// ProcessConfig::workers with 0 replaced by the number of cores this process may use (at least 1).
uint32_t resolved_workers(const ProcessConfig& process);

// What the keys and flags of the log come to.
LogOptions log_options(const LogConfig& log);

struct ServerConfig {
  Address address;
  uint32_t weight = 1;    // 1 and up; redis_cluster seeds: 1
  std::string alias;      // empty: the cluster uses none
  std::string ring_name;  // what the ring hashes: the alias, else the address as written
                          // (under twemproxy, as twemproxy names it: without the port when that is 11211)
  uint32_t line = 0;      // in the cluster file, for messages
};

// Bounds on what a client or a backend may make the proxy hold. All are per cluster.
struct Limits {
  uint64_t max_key_size = 65536;            // bytes; memcache has 250 whatever this says
  uint64_t max_value_size = 512ULL << 20;   // bytes of one bulk string or item
  uint64_t max_request_size = 1ULL << 30;   // bytes of one request with all its arguments
  uint32_t max_arguments = 1U << 20;        // arguments of one request
  uint32_t max_pipeline = 1024;             // requests of one client in flight; more are left in its socket
  uint64_t max_client_buffer = 4ULL << 20;  // bytes of replies waiting for one client before its requests wait
  uint32_t max_node_queue = 16384;          // requests waiting on one backend connection; more fail at once
  uint32_t max_leased_connections = 1000;   // per worker and backend, for clients that need one for themselves
};

struct ClusterConfig {
  std::string name;
  CacheType cache_type = CacheType::redis;
  BackendProtocol backend_protocol = BackendProtocol::text;
  hashing::Method hash_method = hashing::kDefaultMethod;
  hashing::Distribution distribution = hashing::Distribution::ketama;
  hashing::Compat hash_compat = hashing::Compat::overlord;
  hashing::HashTag hash_tag{"{}", hashing::Compat::overlord};  // what the file means, already resolved

  std::vector<Address> listen;      // in plain text; at least one here or below
  std::vector<Address> listen_tls;  // with TLS

  bool proxy_protocol = false;  // every client connection begins with a PROXY header
  milliseconds proxy_protocol_timeout{5000};

  net::TlsSettings tls{.server = true};  // of listen_tls
  milliseconds tls_handshake_timeout{10000};
  bool backend_tls_on = false;
  net::TlsSettings backend_tls{.server = false};
  std::string backend_tls_server_name;  // empty: the host that the server's line names

  std::string redis_auth;     // password for the backends; empty: none
  std::string memcache_user;  // for the backends; empty: they ask for none
  std::string memcache_password;
  std::string password;  // of the default user; empty: not asked
  // What cluster clients are shown: this proxy's address and those of all proxies. Neither: the address that the
  // client reached, for redis_cluster; nothing for redis.
  std::optional<Address> cluster_announce;
  std::vector<Address> cluster_proxies;

  // Redis masters that Sentinels watch: `servers` then has one for each, with addresses of kind sentinel.
  std::vector<Address> sentinels;
  std::string sentinel_auth;     // password for the Sentinels; empty: none
  bool sentinel_tls = false;     // with what backend_tls says
  access::CommandPolicy policy;  // deny_commands, read_only
  access::Users users;           // with the default user made from `password`
  std::string shown_version;     // what clients are told to be the server's version; empty: the backends' own

  milliseconds dial_timeout{1000};   // connecting to a backend; 0: the kernel's limit
  milliseconds read_timeout{1000};   // waiting for a backend's reply; 0: for ever
  milliseconds write_timeout{1000};  // a backend that takes no bytes; 0: for ever

  uint32_t node_connections = 2;  // connections per backend address
  uint32_t node_pipe_count = 32;  // kept from old files: see docs/config.md

  bool ping_auto_eject = false;             // take a node that fails out of the ring
  uint32_t ping_fail_limit = 3;             // failures in a row until then
  milliseconds ping_interval{1000};         // between probes of a node in the ring
  milliseconds eject_retry_interval{3000};  // between probes of a node that is out

  microseconds slowlog_slower_than{0};  // 0: off
  bool slowlog_hash_keys = false;       // slow requests show a number for the key
  bool watch_keys = true;               // hot and big keys are watched for

  ReadFrom read_from = ReadFrom::master;  // redis_cluster: which node of a slot commands that only read go to
  uint64_t max_replica_lag = 10U << 20;   // bytes that a replica may be behind and still be read from; 0: any

  bool flush_all_enabled = false;  // flush_all, FLUSHALL and FLUSHDB reach the backends
  bool coalesce_gets = true;       // memcache: waiting single gets leave as one multi-key get

  bool learn_commands = true;               // redis: ask the backends which commands they have
  uint64_t script_cache_size = 4ULL << 20;  // redis: bytes of Lua scripts kept to load them again; 0: none

  uint32_t max_clients = 0;             // of this cluster; 0: only the process' limit
  milliseconds client_idle_timeout{0};  // an idle client is closed after this; 0: the process' read_timeout holds
  uint32_t tcp_keepalive = net::kKeepAliveSeconds;          // seconds, clients; 0: off
  uint32_t backend_tcp_keepalive = net::kKeepAliveSeconds;  // the same, backends

  Limits limits;
  std::vector<ServerConfig> servers;  // at least one

  uint32_t line = 0;  // of [[clusters]] in the file, for messages
};

struct ClusterFile {
  std::vector<ClusterConfig> clusters;
};

// What one reading of the files said. Whoever holds one may go on using it after a reload has made another.
using ProcessSnapshot = std::shared_ptr<const ProcessConfig>;
using ClusterSnapshot = std::shared_ptr<const ClusterConfig>;

}  // namespace overlord::config
