// What clients and tools ask to know a server: CONFIG GET, ROLE, SLOWLOG, LATENCY and the like, answered for the proxy.

#include <string>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "protocol/redis/glob.h"
#include "protocol/redis/key_positions.h"
#include "protocol/redis/writer.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {

using redis::Command;

namespace {

using Settings = std::vector<std::pair<std::string_view, std::string>>;

// A server's settings as they are true for clients of the proxy.
Settings settings_of(Cluster& cluster, bool as_cluster) {
  const config::ClusterConfig& config = cluster.config();
  const config::ProcessConfig& process = cluster.process();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(process.read_timeout).count();
  const auto slower_than = config.slowlog_slower_than.count();
  return {
      {"appendfsync", "everysec"},
      {"appendonly", "no"},
      {"client-query-buffer-limit", std::to_string(config.limits.max_request_size)},
      {"cluster-enabled", as_cluster ? "yes" : "no"},
      {"databases", "1"},
      {"io-threads", std::to_string(config::resolved_workers(process))},
      {"latency-monitor-threshold", "0"},
      {"maxclients", std::to_string(process.max_connections)},
      {"maxmemory", "0"},
      {"maxmemory-policy", "noeviction"},
      {"maxmemory-samples", "5"},
      {"notify-keyspace-events", ""},
      {"proto-max-bulk-len", std::to_string(config.limits.max_value_size)},
      {"replica-read-only", "yes"},
      {"save", ""},
      {"slave-read-only", "yes"},
      {"slowlog-log-slower-than", std::to_string(slower_than == 0 ? -1 : slower_than)},
      {"slowlog-max-len", std::to_string(slowlog::Store::kKept)},
      {"tcp-keepalive", "0"},
      {"timeout", std::to_string(seconds)},
  };
}

}  // namespace

void RedisSession::config_get() {
  const Settings settings = settings_of(cluster_, shown_as_cluster());
  std::vector<std::string> shown(settings.size());  // the names of those that are wanted
  size_t count = 0;
  redis::RequestArgs args(*parser_);
  for (uint32_t a = 2; a < args.size(); ++a) {
    const std::string pattern = lower_case(std::string(args.at(a)));
    for (size_t i = 0; i < settings.size(); ++i) {
      const std::string_view name = settings[i].first;
      if (!shown[i].empty() || !redis::glob_match(pattern, name)) continue;
      // A whole name is answered as it was asked for.
      shown[i] = pattern == name ? args.at(a) : name;
      ++count;
    }
  }
  std::string& out = cluster_.scratch();
  out.clear();
  redis::append_array_header(out, 2 * count);
  for (size_t i = 0; i < settings.size(); ++i) {
    if (shown[i].empty()) continue;
    redis::append_bulk(out, shown[i]);
    redis::append_bulk(out, settings[i].second);
  }
  answer(out);
}

// Of this cluster in all workers: what was slow as its clients saw it, at a node or in the proxy.
void RedisSession::local_slowlog(std::string_view sub) {
  slowlog::Store& store = cluster_.shared().slow_requests;
  const std::string& name = cluster_.config().name;
  std::string& out = cluster_.scratch();
  out.clear();
  if (sub == "len") {
    redis::append_integer(out, static_cast<int64_t>(store.size(name)));
    return answer(out);
  }
  if (sub == "reset") {
    store.reset(name);
    return answer_static("+OK\r\n");
  }
  int64_t count = 10;
  if (parser_->argc() == 3 && (!redis::parse_number(parser_->arg(2), count) || count < -1)) {
    return error("ERR count should be greater than or equal to -1");
  }
  if (parser_->argc() > 3) return error(redis::wrong_arity_error("slowlog|get"));
  const auto entries = store.latest(name, count < 0 ? slowlog::Store::kKept : static_cast<size_t>(count));
  redis::append_array_header(out, entries.size());
  for (const slowlog::Entry& entry : entries) {
    redis::append_array_header(out, 6);
    redis::append_integer(out, static_cast<int64_t>(entry.number));
    redis::append_integer(out, static_cast<int64_t>(entry.began_us / 1'000'000));
    redis::append_integer(out, static_cast<int64_t>(entry.stages.total() / 1000));
    redis::append_array_header(out, entry.key_size > 0 ? 2 : 1);
    redis::append_bulk(out, entry.command);
    if (entry.key_size > 0) redis::append_bulk(out, entry.key.view());
    redis::append_bulk(out, entry.client.view());
    redis::append_bulk(out, "");
  }
  answer(out);
}

void RedisSession::local_latency(std::string_view sub) {
  if (sub == "reset") return answer_static(":0\r\n");
  if (sub == "graph") return error("ERR No samples available for event '" + std::string(parser_->arg(2)) + "'");
  if (sub == "doctor") {
    std::string& out = cluster_.scratch();
    out.clear();
    redis::append_bulk(out, "The proxy monitors no latencies. Ask the servers behind it.\n");
    return answer(out);
  }
  answer_static("*0\r\n");
}

void RedisSession::local_swapdb() {
  int64_t first = 0;
  int64_t second = 0;
  if (!redis::parse_number(parser_->arg(1), first)) return error("ERR invalid first DB index");
  if (!redis::parse_number(parser_->arg(2), second)) return error("ERR invalid second DB index");
  if (first != 0 || second != 0) return error("ERR DB index is out of range");
  answer_static("+OK\r\n");
}

void RedisSession::local_server(const Command& command) {
  const size_t bar = command.name.find('|');
  const std::string_view name = command.name.substr(0, bar);
  const std::string_view sub = bar == std::string_view::npos ? std::string_view{} : command.name.substr(bar + 1);
  if (name == "config" && sub == "get") return config_get();
  if (name == "slowlog") return local_slowlog(sub);
  if (name == "latency") return local_latency(sub);
  if (name == "swapdb") return local_swapdb();
  if (name == "reset") return local_reset();
  if (name == "role") return answer_static("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
  // Every client may read and write through the proxy; which node asks for which key is its own matter.
  if (name == "readonly" || name == "readwrite" || name == "asking") return answer_static("+OK\r\n");
  refuse(command);
}

}  // namespace overlord::proxy
