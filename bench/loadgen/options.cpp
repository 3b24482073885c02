#include "loadgen/options.h"

#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace loadgen {
namespace {

bool parse_number(std::string_view text, uint64_t low, uint64_t high, uint64_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && out >= low && out <= high;
}

bool parse_real(const std::string& text, double low, double high, double& out) {
  char* end = nullptr;
  out = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && out >= low && out <= high;
}

bool parse_address(const std::string& text, Options& options) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) return false;
  options.host = text.substr(0, colon);
  options.port = text.substr(colon + 1);
  if (options.host.size() > 2 && options.host.front() == '[' && options.host.back() == ']') {
    options.host = options.host.substr(1, options.host.size() - 2);
  }
  return true;
}

bool parse_slots(const std::string& text, SlotRange& slots) {
  const size_t dash = text.find('-');
  uint64_t first = 0;
  uint64_t last = 0;
  if (dash == std::string::npos || !parse_number(text.substr(0, dash), 0, 16383, first) ||
      !parse_number(text.substr(dash + 1), first, 16383, last)) {
    return false;
  }
  slots = {static_cast<uint32_t>(first), static_cast<uint32_t>(last)};
  return true;
}

constexpr std::pair<std::string_view, Protocol> kProtocols[] = {{"redis", Protocol::kRedis},
                                                                {"resp3", Protocol::kResp3},
                                                                {"memcache", Protocol::kMemcache},
                                                                {"meta", Protocol::kMeta},
                                                                {"binary", Protocol::kBinary}};
constexpr std::pair<std::string_view, Shape> kShapes[] = {
    {"string", Shape::kString}, {"hash", Shape::kHash}, {"zset", Shape::kSortedSet}};

template <typename T, size_t N>
bool choice(std::string_view text, const std::pair<std::string_view, T> (&table)[N], T& field) {
  for (const auto& [name, value] : table) {
    if (name != text) continue;
    field = value;
    return true;
  }
  return false;
}

/// Options without a value. Returns false when `name` is none of them.
bool set_switch(std::string_view name, ParsedOptions& parsed) {
  Options& o = parsed.options;
  if (name == "--preload")
    o.preload = true;
  else if (name == "--tls")
    o.tls = true;
  else if (name == "--reconnect")
    o.reconnect = true;
  else if (name == "--resume")
    o.resume = true;
  else if (name == "--json")
    o.json = true;
  else if (name == "--strict-order")
    o.strict_order = true;
  else if (name == "--allow-errors")
    o.allow_errors = true;
  else if (name == "--help" || name == "-h")
    parsed.help = true;
  else
    return false;
  return true;
}

/// Options with a value. Returns an empty text when it was taken, else what is wrong.
std::string set_value(std::string_view name, const std::string& value, Options& o) {
  uint64_t n = 0;
  const auto number = [&](uint64_t low, uint64_t high, auto& field) -> std::string {
    if (!parse_number(value, low, high, n)) {
      return "must be a number from " + std::to_string(low) + " to " + std::to_string(high);
    }
    field = static_cast<std::remove_reference_t<decltype(field)>>(n);
    return {};
  };
  const auto real = [&](double high, double& field) -> std::string {
    return parse_real(value, 0, high, field) ? std::string() : "must be a number from 0 to " + std::to_string(high);
  };
  if (name == "--proto") {
    return choice(value, kProtocols, o.protocol) ? "" : "must be redis, resp3, memcache, meta or binary";
  }
  if (name == "--shape") return choice(value, kShapes, o.shape) ? "" : "must be string, hash or zset";
  if (name == "--slots") return parse_slots(value, o.slots) ? "" : "must be FIRST-LAST within 0-16383";
  if (name == "--addr") return parse_address(value, o) ? "" : "must be host:port";
  if (name == "--pipeline-mode") {
    if (value != "group" && value != "window") return "must be group or window";
    o.grouped = value == "group";
    return {};
  }
  if (name == "--connections") return number(1, 200000, o.connections);
  if (name == "--pipeline") return number(1, 4096, o.pipeline);
  if (name == "--keys") return number(1, 1000000000, o.keys);
  if (name == "--key-size") return number(16, 250, o.key_size);
  if (name == "--value-size") return number(1, 1 << 20, o.value_size);
  if (name == "--set-ratio") return real(1, o.set_ratio);
  if (name == "--multi-get") return number(1, 64, o.multi_get);
  if (name == "--warmup") return real(3600, o.warmup_seconds);
  if (name == "--duration") return real(86400, o.duration_seconds);
  if (name == "--requests") return number(1, UINT64_MAX / 2, o.requests);
  if (name == "--rate") return real(1e8, o.rate);
  if (name == "--idle") return number(1, 200000, o.idle);
  if (name == "--seed") return number(0, UINT64_MAX, o.seed);
  if (name == "--watch-pid") {
    int pid = 0;
    std::string problem = number(1, 1 << 30, pid);
    if (problem.empty()) o.watched_pids.push_back(pid);
    return problem;
  }
  return "unknown option";
}

}  // namespace

ParsedOptions parse_options(int argc, char** argv) {
  ParsedOptions parsed;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (set_switch(name, parsed)) continue;
    std::string value;
    if (const size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    } else if (i + 1 < argc) {
      value = argv[++i];
    } else {
      parsed.error = name + ": unknown option, or its value is missing";
      return parsed;
    }
    if (const std::string problem = set_value(name, value, parsed.options); !problem.empty()) {
      parsed.error = name + " " + value + ": " + problem;
      return parsed;
    }
  }
  const Options& o = parsed.options;
  if (parsed.help) return parsed;
  if (o.port.empty())
    parsed.error = "--addr host:port is required";
  else if (o.multi_get > o.keys)
    parsed.error = "--multi-get asks for more keys than --keys has";
  else if (o.multi_get > 1 &&
           (o.shape != Shape::kString || o.protocol == Protocol::kMeta || o.protocol == Protocol::kBinary))
    parsed.error = "--multi-get is for strings in redis, resp3 and memcache";
  else if (o.shape != Shape::kString && o.protocol != Protocol::kRedis && o.protocol != Protocol::kResp3)
    parsed.error = "--shape is for redis and resp3";
  else if (o.shape == Shape::kHash && o.value_size > 64)
    parsed.error = "--shape hash needs --value-size of at most 64: servers forget the order of longer fields";
  else if (o.resume && !o.tls)
    parsed.error = "--resume is for --tls";
  else if (o.protocol == Protocol::kResp3 && (o.tls || o.reconnect))
    parsed.error = "--tls and --reconnect are not for resp3";
  else if (o.reconnect && (o.rate > 0 || o.multi_get > 1 || o.idle > 0))
    parsed.error = "--reconnect has no rate, no multi-get and no idle connections";
  else if (o.idle == 0 && o.duration_seconds == 0 && o.requests == 0 && !o.preload) {
    parsed.error = "say how long: --duration seconds, --requests count, or --preload alone";
  }
  return parsed;
}

const char* usage() {
  return R"(overlord-loadgen: load for a redis or memcache server, every reply checked

  --proto PROTOCOL            redis, resp3, memcache, meta or binary (redis)
  --shape string|hash|zset    what a key holds (string); hash: HGETALL of 10 fields, zset: ZRANGE ... WITHSCORES of 10
  --slots FIRST-LAST          only keys of these slots of a Redis Cluster (0-16383)
  --addr HOST:PORT            where to (required)
  --connections N             client connections (50)
  --pipeline N                unanswered requests per connection (1)
  --pipeline-mode MODE        group: send N, wait for N, again (default); window: keep N in flight
  --keys N --key-size BYTES   key space (100000 keys of 32 bytes)
  --value-size BYTES          (100)
  --set-ratio R               part of the requests that write, 0..1 (0.1)
  --multi-get N               keys per read, up to 64 (1)
  --preload                   first write every key once
  --warmup S                  load before the measured window
  --duration S | --requests N length of the measured window
  --tls                       TLS, with no look at the certificate
  --reconnect                 each get on a connection of its own; a request is a connection
  --resume                    --reconnect with TLS sessions resumed
  --rate N                    open loop: N requests/s on a fixed schedule, latency counted from the schedule
  --idle N                    open N connections and hold them; reads commands from stdin:
                              "get" (one get on each), "close" (close all), end of input ends
  --watch-pid PID             report that process' CPU time over the window (repeatable)
  --strict-order              multi-get replies must keep the order of the keys
  --allow-errors              error replies, misses and lost connections do not fail the run
  --json --seed N

Exit code: 0 every reply was right; 1 a wrong or broken reply; 2 usage or no connection; 3 error replies, misses after
--preload, or lost connections.
)";
}

}  // namespace loadgen
