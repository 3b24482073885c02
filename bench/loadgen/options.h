#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace loadgen {

/// What the clients speak. kResp3 is redis after HELLO 3.
enum class Protocol { kRedis, kResp3, kMemcache, kMeta, kBinary };

/// What a redis key holds: a string (GET, SET), or ten fields or members that are read at once (HGETALL, ZRANGE ...
/// WITHSCORES).
enum class Shape { kString, kHash, kSortedSet };

/// Of a Redis Cluster; both ends are included.
struct SlotRange {
  uint32_t first = 0;
  uint32_t last = 16383;
};

/// What one run does. Filled from the command line by parse_options; every field is already checked there.
struct Options {
  Protocol protocol = Protocol::kRedis;
  Shape shape = Shape::kString;
  /// Only keys of these slots are used: for one master of a cluster, asked directly.
  SlotRange slots;
  std::string host = "127.0.0.1";
  std::string port;
  uint32_t connections = 50;
  /// Requests a connection keeps unanswered at most.
  uint32_t pipeline = 1;
  /// true: a connection sends `pipeline` requests, waits for all replies, sends the next group (what a client
  /// library's pipeline does). false: every reply is replaced by a new request at once.
  bool grouped = true;
  uint32_t keys = 100000;
  uint32_t key_size = 32;
  uint32_t value_size = 100;
  /// Part of the requests that are writes, 0 to 1.
  double set_ratio = 0.1;
  /// Keys per read; 1 is a plain get.
  uint32_t multi_get = 1;
  double warmup_seconds = 0;
  double duration_seconds = 0;
  /// Requests of the measured window; 0 means duration_seconds ends it.
  uint64_t requests = 0;
  /// Requests per second offered whatever the server does (open loop); 0 is a closed loop.
  double rate = 0;
  bool preload = false;
  bool tls = false;
  /// Every get on a connection of its own (Reconnect); with resume, TLS sessions of earlier ones are resumed.
  bool reconnect = false;
  bool resume = false;
  /// Connections to open and hold without load; 0 means a load run.
  uint32_t idle = 0;
  /// Replies of a multi-get must come in the order of the keys asked.
  bool strict_order = false;
  /// Error replies, misses and lost connections leave the exit code at 0.
  bool allow_errors = false;
  bool json = false;
  uint64_t seed = 1;
  /// Processes whose CPU time is sampled at both ends of the measured window.
  std::vector<int> watched_pids;
};

/// Reads argv (`--name value` or `--name=value`). On a mistake `error` says what to change.
/// `--help` sets `help`.
struct ParsedOptions {
  Options options;
  std::string error;
  bool help = false;
};
ParsedOptions parse_options(int argc, char** argv);

/// The text of --help.
const char* usage();

}  // namespace loadgen
