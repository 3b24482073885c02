// The rows of the proxy file (-conf).
#include <limits>

#include "config/keys.h"
#include "config/reporter.h"

namespace overlord::config {

namespace {

using P = ProcessConfig;

constexpr int64_t kMostMilliseconds = std::numeric_limits<int32_t>::max();
constexpr int64_t kMostConnections = std::numeric_limits<int32_t>::max();

Verdict set_stat(P& process, const std::string& text) {
  if (!text.empty())
    if (auto address = parse_listen_address(text, "tcp"); !address)
      return Complaint{quoted(text) + ": " + address.error().message, "write IP:PORT, like 127.0.0.1:2110"};
  process.stat = text;
  return {};
}

Verdict set_otlp_endpoint(P& process, const std::string& text) {
  const size_t scheme = text.starts_with("https://") ? 8 : 7;
  const bool url = (text.starts_with("http://") || text.starts_with("https://")) && text.size() > scheme &&
                   text[scheme] != '/' && text.find_first_of(" \t\n?#") == std::string::npos;
  if (!text.empty() && !url) {
    return Complaint{quoted(text) + " is no URL of a collector", "write http://HOST:4318, without /v1/traces"};
  }
  if (text.ends_with("/v1/traces")) {
    return Complaint{quoted(text) + " ends with /v1/traces, which is added to it", "write http://HOST:4318"};
  }
  process.otlp.endpoint = text;
  return {};
}

Verdict set_io(P& process, const std::string& text) {
  const auto driver = parse_io_driver(text);
  if (!driver) return Complaint{"unknown driver " + quoted(text), "use one of auto, epoll, io_uring"};
  process.io = *driver;
  return {};
}

Verdict set_upgrade_socket(P& process, const std::string& text) {
  if (auto address = net::unix_address(text); !text.empty() && !address) {
    return Complaint{quoted(text) + ": " + address.error().message, "write the path of a unix socket"};
  }
  process.upgrade_socket = text;
  return {};
}

Verdict set_log(P& process, const std::string& text) {
  process.log.file = text;
  return {};
}

Verdict set_log_level(P& process, const std::string& text) {
  const auto level = parse_log_level(text);
  if (!level || *level == LogLevel::off) {
    return Complaint{"unknown level " + quoted(text), "use one of debug, info, warn, error"};
  }
  process.log.level = *level;
  return {};
}

Verdict set_log_format(P& process, const std::string& text) {
  if (text != "text" && text != "json") return Complaint{"unknown format " + quoted(text), "use text or json"};
  process.log.format = text == "json" ? LogFormat::json : LogFormat::text;
  return {};
}

// clang-format off
const Key<P> kKeys[] = {
    {{.section = Section::process, .name = "stat", .type = "string", .default_value = "\"\"",
      .doc = "HTTP address for operators and monitoring (docs/metrics.md); empty: none. The flag -stat overrides it.",
      .reloadable = false},
     set_stat},
    {{.section = Section::process, .name = "debug", .type = "boolean", .default_value = "false",
      .doc = "The same as stdout.", .reloadable = false},
     [](P& p, bool on) { p.log.to_stdout = p.log.to_stdout || on; }},
    {{.section = Section::process, .name = "stdout", .type = "boolean", .default_value = "false",
      .doc = "Log to standard output. The flags -std and -debug switch it on.", .reloadable = false},
     [](P& p, bool on) { p.log.to_stdout = p.log.to_stdout || on; }},
    {{.section = Section::process, .name = "log", .type = "string", .default_value = "\"\"",
      .doc = "File that the log is appended to. With neither a file nor stdout the log goes to standard error. "
             "The flag -log overrides it.", .reloadable = false},
     set_log},
    {{.section = Section::process, .name = "log_vl", .type = "integer", .default_value = "0", .lowest = 0,
      .highest = 1000, .doc = "Detail of the log: 0 is normal, each step adds debug messages. "
                              "The flag -log-vl overrides it when it is not 0.", .reloadable = false},
     [](P& p, int64_t level) { p.log.verbosity = static_cast<uint32_t>(level); }},
    {{.section = Section::process, .name = "log_level", .type = "string", .default_value = "\"info\"",
      .doc = "The least that is written: debug, info, warn or error. debug is the same as log_vl = 1.",
      .reloadable = false},
     set_log_level},
    {{.section = Section::process, .name = "log_format", .type = "string", .default_value = "\"text\"",
      .doc = "text, or json: one object a line with time, level, pid, thread and msg.",
      .reloadable = false},
     set_log_format},
    {{.section = Section::process, .name = "log_max_bytes", .type = "integer", .default_value = "0", .unit = "bytes",
      .lowest = 0, .highest = 1LL << 40,
      .doc = "Size at which the log file is moved to FILE.1, that to FILE.2 and so on; 0: never for its size.",
      .reloadable = false},
     [](P& p, int64_t bytes) { p.log.max_bytes = static_cast<uint64_t>(bytes); }},
    {{.section = Section::process, .name = "log_daily", .type = "boolean", .default_value = "false",
      .doc = "The log file is moved aside in the same way when a new day begins, local time.",
      .reloadable = false},
     [](P& p, bool on) { p.log.daily = on; }},
    {{.section = Section::process, .name = "log_backup_count", .type = "integer", .default_value = "7", .lowest = 0,
      .highest = 10000, .doc = "Log files kept beside the one written to; 0: none is ever moved aside.",
      .reloadable = false},
     [](P& p, int64_t count) { p.log.backup_count = static_cast<uint32_t>(count); }},

    {{.section = Section::proxy, .name = "read_timeout", .type = "integer", .default_value = "0", .unit = "ms",
      .lowest = 0, .highest = kMostMilliseconds,
      .doc = "A client that sends nothing for this long is closed; 0: never."},
     [](P& p, int64_t ms) { p.read_timeout = milliseconds(ms); }},
    {{.section = Section::proxy, .name = "write_timeout", .type = "integer", .default_value = "0", .unit = "ms",
      .lowest = 0, .highest = kMostMilliseconds,
      .doc = "A client that takes none of its waiting replies for this long is closed; 0: never."},
     [](P& p, int64_t ms) { p.write_timeout = milliseconds(ms); }},
    {{.section = Section::proxy, .name = "max_connections", .type = "integer", .default_value = "0", .lowest = 0,
      .highest = kMostConnections,
      .doc = "Clients over all clusters together; one more gets an error line and is closed. 0: no limit."},
     [](P& p, int64_t count) { p.max_connections = static_cast<uint32_t>(count); }},
    {{.section = Section::proxy, .name = "max_accepts_per_second", .type = "integer", .default_value = "0",
      .lowest = 0, .highest = 10'000'000,
      .doc = "Connections of clients that are taken in a second, over all clusters; more wait in the kernel's backlog. "
             "0: no limit.", .reloadable = true},
     [](P& p, int64_t count) { p.max_accepts_per_second = static_cast<uint32_t>(count); }},
    {{.section = Section::proxy, .name = "max_memory", .type = "integer", .default_value = "0", .unit = "bytes",
      .lowest = 0, .highest = 1LL << 44,
      .doc = "What requests and replies on their way may take, in equal shares for the workers. Above it clients are "
             "not read from; when that does not help, the one that holds the most is closed. Below 4194304 for each "
             "worker it is taken for that. 0: no limit.", .reloadable = true},
     [](P& p, int64_t bytes) { p.max_memory = static_cast<uint64_t>(bytes); }},
    {{.section = Section::proxy, .name = "stop_timeout", .type = "integer", .default_value = "5000", .unit = "ms",
      .lowest = 0, .highest = kMostMilliseconds,
      .doc = "What requests in flight have to be answered when the process is told to stop."},
     [](P& p, int64_t ms) { p.stop_timeout = milliseconds(ms); }},
    {{.section = Section::proxy, .name = "upgrade_socket", .type = "string", .default_value = "\"\"",
      .doc = "Path of a unix socket at which a new process, started with -upgrade-from=PATH by the same user, takes over "
             "from this one (docs/operations.md); empty: none. `overlord ctl upgrade` needs none.", .reloadable = false},
     set_upgrade_socket},
    {{.section = Section::proxy, .name = "use_metrics", .type = "boolean", .default_value = "true",
      .doc = "With `stat`: requests are timed and /metrics answers. The flag -metrics switches it on.",
      .reloadable = false},
     [](P& p, bool on) { p.use_metrics = on; }},
    {{.section = Section::proxy, .name = "otlp_endpoint", .type = "string", .default_value = "\"\"",
      .doc = "Where traces of sampled requests are sent: an OpenTelemetry collector, as http://HOST:4318 (OTLP over HTTP, "
             "JSON; docs/operations.md); empty: none.", .reloadable = false},
     set_otlp_endpoint},
    {{.section = Section::proxy, .name = "otlp_sample", .type = "integer", .default_value = "1000", .lowest = 1,
      .highest = 1'000'000'000,
      .doc = "One of so many requests of each worker becomes a trace.", .reloadable = false},
     [](P& p, int64_t count) { p.otlp.sample = static_cast<uint32_t>(count); }},
    {{.section = Section::proxy, .name = "workers", .type = "integer", .default_value = "0", .lowest = 0,
      .highest = 1024,
      .doc = "Threads that serve clients; 0: one per core the process may use. The flag -workers overrides it.",
      .reloadable = false},
     [](P& p, int64_t count) { p.workers = static_cast<uint32_t>(count); }},
    {{.section = Section::proxy, .name = "io", .type = "string", .default_value = "\"auto\"",
      .doc = "How sockets are driven: auto (io_uring where the kernel has and allows it, else epoll), "
             "epoll or io_uring. The flag -io overrides it.", .reloadable = false},
     set_io},

    {{.section = Section::process, .name = "pprof", .type = "string", .default_value = "-",
      .doc = "nothing ever read it; use stat for an HTTP address", .since = "1.x", .state = KeyState::old},
     std::monostate{}},
    {{.section = Section::process, .name = "log_lv", .type = "integer", .default_value = "-",
      .doc = "nothing ever read it; use log_vl", .since = "1.x", .state = KeyState::old},
     std::monostate{}},
    {{.section = Section::process, .name = "family", .type = "string", .default_value = "-",
      .doc = "nothing ever used it; take it out", .since = "1.x", .state = KeyState::old},
     std::monostate{}},
    {{.section = Section::process, .name = "host", .type = "string", .default_value = "-",
      .doc = "nothing ever used it; take it out (listen_addr of a cluster says where to listen)", .since = "1.x",
      .state = KeyState::old},
     std::monostate{}},
};
// clang-format on

}  // namespace

std::span<const Key<ProcessConfig>> process_keys() { return kKeys; }

}  // namespace overlord::config
