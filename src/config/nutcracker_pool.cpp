#include "config/nutcracker_pool.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <variant>

#include "config/keys.h"
#include "config/server_line.h"

namespace overlord::config {

namespace {

using Pool = NutcrackerPool;
using Target = std::variant<std::string Pool::*, std::optional<std::string> Pool::*, bool Pool::*, int64_t Pool::*,
                            std::optional<int64_t> Pool::*>;

struct Setting {
  std::string_view name;
  Target target;
  int64_t lowest = 0;
  int64_t highest = std::numeric_limits<int32_t>::max();
};

const Setting kSettings[] = {
    {"listen", &Pool::listen},
    {"hash", &Pool::hash},
    {"hash_tag", &Pool::hash_tag},
    {"distribution", &Pool::distribution},
    {"timeout", &Pool::timeout},
    {"redis", &Pool::redis},
    {"redis_auth", &Pool::redis_auth},
    {"redis_db", &Pool::redis_db},
    {"auto_eject_hosts", &Pool::auto_eject_hosts},
    {"server_retry_timeout", &Pool::server_retry_timeout},
    {"server_failure_limit", &Pool::server_failure_limit},
    {"server_connections", &Pool::server_connections, 1, 1024},
    {"client_connections", &Pool::client_connections},
    {"backlog", &Pool::backlog},
    {"tcpkeepalive", &Pool::tcpkeepalive},
    {"preconnect", &Pool::preconnect},
    {"reuse_port", &Pool::reuse_port},
};

std::string toml_string(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

// twemproxy writes IPv6 without brackets: what follows the address is the last `fields` parts after a colon.
// Answers the text with brackets, or as it is when it holds no bare IPv6 address.
std::string with_brackets(const std::string& text, int fields) {
  size_t end = text.size();
  for (int i = 0; i < fields; ++i) {
    if (end == 0) return text;
    end = text.rfind(':', end - 1);
    if (end == std::string::npos) return text;
  }
  const std::string host = text.substr(0, end);
  if (host.find(':') == std::string::npos || host.find_first_of("[/") != std::string::npos) return text;
  return "[" + host + "]" + text.substr(end);
}

void line(std::string& out, std::string_view key, const std::string& value) {
  out.append(key).append(" = ").append(value).append("\n");
}

}  // namespace

std::span<const std::string_view> nutcracker_settings() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Setting& setting : kSettings) all.push_back(setting.name);
    return all;
  }();
  return names;
}

std::pair<std::string, std::string> NutcrackerPool::set(const std::string& key, const std::string& value,
                                                        Position value_at) {
  const auto* row =
      std::find_if(std::begin(kSettings), std::end(kSettings), [&](const Setting& s) { return s.name == key; });
  if (row == std::end(kSettings)) return {"unknown key", ""};
  places.emplace_back(key, value_at);
  if (const auto* text = std::get_if<std::string Pool::*>(&row->target)) {
    this->** text = value;
  } else if (const auto* maybe = std::get_if<std::optional<std::string> Pool::*>(&row->target)) {
    this->** maybe = value;
  } else if (const auto* flag = std::get_if<bool Pool::*>(&row->target)) {
    if (value != "true" && value != "false") return {quoted(value) + " is neither true nor false", ""};
    this->** flag = value == "true";
  } else {
    int64_t number = 0;
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (value.empty() || failure != std::errc{} || end != value.data() + value.size() || number < row->lowest ||
        number > row->highest)
      return {quoted(value) + " is not a number from " + std::to_string(row->lowest) + " to " +
                  std::to_string(row->highest),
              ""};
    if (const auto* plain = std::get_if<int64_t Pool::*>(&row->target)) this->** plain = number;
    if (const auto* limit = std::get_if<std::optional<int64_t> Pool::*>(&row->target)) this->** limit = number;
  }
  if (key == "hash" && !hashing::parse_method(value))
    return {"unknown hash " + quoted(value), "use one of " + method_names()};
  if (key == "distribution" && !hashing::parse_distribution(value))
    return {"unknown distribution " + quoted(value), "use ketama, modula or random"};
  if (key == "hash_tag" && value.size() != 2) return {quoted(value) + " is not two bytes", "take it out for none"};
  return {};
}

Position NutcrackerPool::place(std::string_view key) const {
  for (const auto& [name_there, position] : places)
    if (name_there == key) return position;
  return at;
}

void NutcrackerPool::write_listen(std::string& out, Reporter& reporter) const {
  const std::string key = name + ".listen";
  if (!listen) return reporter.error(at, key, "missing", "write listen: 127.0.0.1:22121");
  std::string text = *listen;
  const bool is_path = text.starts_with('/');
  if (const size_t space = text.find(' '); is_path && space != std::string::npos) {
    const std::string mode = text.substr(space + 1);
    text.resize(space);
    reporter.warning(place("listen"), key, "no equivalent for the access mode " + quoted(mode),
                     "set the folder's access rights");
    out += "# listen: the access mode has no equivalent; set the folder's access rights.\n";
  }
  if (!is_path) text = with_brackets(text, 1);
  if (auto address = parse_listen_address(text, is_path ? "unix" : "tcp"); !address)
    return reporter.error(place("listen"), key, quoted(text) + ": " + address.error().message);
  if (is_path) line(out, "listen_proto", "\"unix\"");
  line(out, "listen_addr", toml_string(text));
}

void NutcrackerPool::write_servers(std::string& out, Reporter& reporter) const {
  const std::string key = name + ".servers";
  if (!has_servers) reporter.error(at, key, "missing", "write servers: and lines like - 127.0.0.1:6379:1 redis1");
  struct Row {
    std::string text;
    bool has_alias;
    std::string ring_name;
  };
  std::vector<Row> rows;
  bool any_alias = false;
  for (const auto& [text, server_at] : servers) {
    const CacheType type = redis ? CacheType::redis : CacheType::memcache;
    const size_t space = std::min(text.find(' '), text.size());
    const std::string place_words = with_brackets(text.substr(0, space), 2);
    const std::string rest = text.substr(space);
    auto parsed = parse_server_line(place_words + rest, type, hashing::Compat::twemproxy);
    if (!parsed) {
      reporter.error(server_at, key, quoted(text) + ": " + parsed.error().message);
      continue;
    }
    // On twemproxy's ring a bare IPv6 address has no brackets; the name must stay that.
    std::string ring_name = parsed->server.ring_name;
    const bool renamed = place_words != text.substr(0, space) && parsed->server.alias.empty();
    if (renamed) {
      ring_name.erase(0, 1);
      ring_name.erase(ring_name.find(']'), 1);
    }
    rows.push_back({place_words + rest, !parsed->server.alias.empty(), ring_name});
    any_alias = any_alias || rows.back().has_alias || renamed;
  }
  out += "servers = [\n";
  for (const Row& row : rows) {
    // Where only some servers have a name, the others get as alias what twemproxy puts on the ring for them.
    const bool add_alias = any_alias && !row.has_alias;
    out += "  " + toml_string(add_alias ? row.text + " " + row.ring_name : row.text) + ",\n";
  }
  out += "]\n";
}

void NutcrackerPool::write_notes(std::string& out, Reporter& reporter) const {
  const auto note = [&](std::string_view key, const std::string& message, const std::string& fix) {
    reporter.warning(place(key), name + "." + std::string(key), message, fix);
    out.append("# ").append(key).append(": ").append(message).append("; ").append(fix).append(".\n");
  };
  if (redis_db != 0)
    note("redis_db", "no equivalent, database 0 is used instead of " + std::to_string(redis_db),
         "move the keys to database 0 first");
  if (!redis && !redis_auth.empty()) note("redis_auth", "no effect without redis: true", "take it out");
  if (client_connections.value_or(0) != 0)
    note("client_connections", "no limit per cluster",
         "max_connections = " + std::to_string(*client_connections) +
             " in [proxy] of the proxy file counts all clusters");
  if (backlog) out += "# backlog: has no equivalent; the kernel's limit (net.core.somaxconn) is used.\n";
  if (tcpkeepalive) out += "# tcpkeepalive: is always on.\n";
  if (preconnect) out += "# preconnect: connections to the servers are kept up without it.\n";
  if (reuse_port) out += "# reuse_port: is always on, one listener per worker.\n";
}

std::string NutcrackerPool::to_toml(Reporter& reporter) const {
  std::string out = "\n[[clusters]]\n";
  line(out, "name", toml_string(name));
  line(out, "cache_type", redis ? "\"redis\"" : "\"memcache\"");
  write_listen(out, reporter);
  line(out, "hash_compat", "\"twemproxy\"");
  line(out, "hash_method", toml_string(hash));
  line(out, "hash_distribution", toml_string(distribution));
  line(out, "hash_tag", toml_string(hash_tag.empty() ? "none" : hash_tag));
  if (redis && !redis_auth.empty()) {
    out += "# twemproxy's redis_auth is both: what servers get and what clients must give.\n";
    line(out, "redis_auth", toml_string(redis_auth));
    line(out, "password", toml_string(redis_auth));
  }
  const std::string wait = std::to_string(std::max<int64_t>(timeout, 0));
  if (timeout <= 0) out += "# No timeout, as before: a server that hangs holds its clients for ever.\n";
  for (const char* key : {"dial_timeout", "read_timeout", "write_timeout"}) line(out, key, wait);
  line(out, "node_connections", std::to_string(server_connections));
  line(out, "ping_auto_eject", auto_eject_hosts ? "true" : "false");
  if (auto_eject_hosts) {
    line(out, "ping_fail_limit", std::to_string(std::clamp<int64_t>(server_failure_limit, 1, 1'000'000)));
    line(out, "eject_retry_interval", std::to_string(std::clamp<int64_t>(server_retry_timeout, 10, 3'600'000)));
  }
  write_notes(out, reporter);
  write_servers(out, reporter);
  return out;
}

}  // namespace overlord::config
