// redis.conf, by version. Defaults of the server that suit a cache are not repeated.

#include <algorithm>
#include <array>
#include <limits>
#include <map>

#include "base/ascii.h"
#include "executor/recipe.h"
#include "model/nodes_conf.h"

namespace overlord::executor {
namespace {

constexpr ServerVersion kV32{3, 2, 0};
constexpr ServerVersion kV40{4, 0, 0};
constexpr ServerVersion kV70{7, 0, 0};

// Beginnings of names that no user may set: they are the platform's, or would let a user leave the node's folder or
// run code.
constexpr std::array<std::string_view, 15> kOwnedPrefixes{
    "bind",       "cluster-announce-", "replica-announce-", "slave-announce-", "tls-",
    "unixsocket", "syslog-",           "enable-",           "sentinel",        "append",
    "masterauth", "masteruser",        "include",           "loadmodule",      "acl"};
constexpr std::array<std::string_view, 19> kOwned{
    "port",      "protected-mode", "requirepass",  "dir",         "dbfilename",      "pidfile", "logfile",
    "daemonize", "supervised",     "maxmemory",    "user",        "cluster-enabled", "slaveof", "cluster-config-file",
    "replicaof", "rename-command", "cluster-port", "primaryauth", "maxclients"};
// Those of the names above that are a user's all the same.
constexpr std::array<std::string_view, 2> kFree{"appendonly", "appendfsync"};

// Directives whose line holds one group of words; several groups become several lines, as every version reads them.
const std::map<std::string_view, size_t> kGroups{{"save", 2}, {"client-output-buffer-limit", 4}};

bool is_owned(std::string_view name) {
  if (std::ranges::find(kFree, name) != kFree.end()) return false;
  return std::ranges::find(kOwned, name) != kOwned.end() ||
         std::ranges::any_of(kOwnedPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool is_directive(std::string_view name) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), good);
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

std::vector<std::string> words_of(std::string_view value) {
  std::vector<std::string> words;
  size_t at = 0;
  while ((at = value.find_first_not_of(' ', at)) != std::string_view::npos) {
    const size_t end = std::min(value.find(' ', at), value.size());
    words.emplace_back(value.substr(at, end - at));
    at = end;
  }
  return words;
}

// As redis reads an argument in double quotes. What needs no quotes has none.
std::string argument(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-_./:*@%+,=").contains(c);
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < ' ' || byte >= 0x7f) {
      constexpr std::string_view kHex = "0123456789abcdef";
      out += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 15U]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

class Text {
 public:
  explicit Text(const ServerVersion& version) : version_(version) {}
  void add(std::string_view name, std::string_view value) {
    text_.append(name).append(" ").append(argument(value)).append("\n");
  }
  void add(std::string_view name, uint64_t value) { add(name, std::to_string(value)); }
  // For servers from `first` on; older ones do not start with a directive that they do not know.
  void since(const ServerVersion& first, std::string_view name, std::string_view value) {
    if (version_ >= first) add(name, value);
  }
  void setting(const std::string& name, const std::string& value) {
    const auto words = words_of(value);
    if (words.empty()) return add(name, "");
    const auto group = kGroups.find(name);
    const size_t size = group == kGroups.end() ? words.size() : group->second;
    for (size_t i = 0; i < words.size(); i += size) {
      text_ += name;
      for (size_t w = i; w < std::min(words.size(), i + size); ++w) text_ += " " + argument(words[w]);
      text_ += "\n";
    }
  }
  std::string take() { return std::move(text_); }

 private:
  const ServerVersion version_;
  std::string text_;
};

bool persists(const model::NodeTask& task) {
  const auto value_of = [&](const char* name) {
    const auto found = task.settings.find(name);
    return found == task.settings.end() ? std::string() : lower_case(found->second);
  };
  const std::string save = value_of("save");
  return value_of("appendonly") == "yes" || (!save.empty() && save != "\"\"");
}

void add_cluster(Text& conf, const model::NodeTask& task) {
  conf.add("cluster-enabled", "yes");
  conf.add("cluster-config-file", "nodes.conf");
  conf.add("cluster-node-timeout", 5000);
  // What a cache still has it serves, even when some slots are down.
  conf.add("cluster-require-full-coverage", "no");
  // Replicas stay with the master that placement gave them.
  conf.add("cluster-migration-barrier", 999);
  conf.since(kV40, "cluster-announce-ip", task.host);
  conf.since(kV40, "cluster-announce-port", std::to_string(task.port));
  conf.since(kV40, "cluster-announce-bus-port", std::to_string(task.port + model::kBusPortOffset));
}

}  // namespace

std::vector<std::string> redis_setting_problems(const model::NodeTask& task) {
  std::vector<std::string> problems;
  for (const auto& [name, value] : task.settings) {
    const std::string field = "settings." + name + ": ";
    if (!is_directive(name)) {
      problems.push_back("settings: a name that is no directive of redis (lower-case letters, digits and '-')");
    } else if (is_owned(name)) {
      problems.push_back(field + "the platform sets this itself");
    } else if (has_control(value)) {
      problems.push_back(field + "its value has control characters");
    } else if (value.contains('"') || value.contains('\'')) {
      problems.push_back(field + "write values without quotes; an empty one is the empty text");
    } else if (const auto group = kGroups.find(name);
               group != kGroups.end() && words_of(value).size() % group->second) {
      problems.push_back(field + "needs " + std::to_string(group->second) + " words, or a multiple of that");
    }
  }
  return problems;
}

Result<Recipe> redis_recipe(const model::NodeTask& task, const std::string& folder, const ServerVersion& version) {
  constexpr uint32_t kClients = 10'000;
  constexpr uint32_t kOwnDescriptors = 256;  // redis keeps 32 for itself; a node's bus has two for every other node
  constexpr uint32_t kMostNodes = 3 * 1024;
  const bool cluster = task.type == model::CacheType::redis_cluster;
  if (version < kV32) return fail("redis before 3.2 is not supported");
  if (cluster && task.nodes_conf.empty()) return fail("nodes_conf: a redis_cluster node needs one");

  Text conf(version);
  conf.add("bind", task.host);
  conf.since(kV70, "bind-source-addr", task.host);
  conf.add("port", task.port);
  // Without a password redis would answer nobody but this machine.
  conf.add("protected-mode", task.password.empty() ? "no" : "yes");
  if (!task.password.empty()) {
    conf.add("requirepass", task.password);
    conf.add("masterauth", task.password);
  }
  conf.add("timeout", 0);
  conf.add("tcp-keepalive", 300);
  conf.add("maxclients", kClients);
  conf.add("daemonize", "no");
  conf.add("supervised", "no");
  conf.add("dir", folder);
  conf.add("pidfile", folder + "/redis.pid");
  conf.add("logfile", folder + "/redis.log");
  conf.add("loglevel", "notice");
  conf.since(kV40, "always-show-logo", "no");
  const uint64_t memory = task.spec.memory_mib - redis_head_room(task.spec.memory_mib, persists(task));
  conf.add("maxmemory", memory * 1024 * 1024);
  conf.add("maxmemory-policy", "allkeys-lru");
  conf.add("save", "");
  conf.add("appendonly", "no");
  conf.add("stop-writes-on-bgsave-error", "no");
  conf.add("repl-diskless-sync", "yes");
  conf.add("repl-diskless-sync-delay", 1);
  conf.since(kV40, "lazyfree-lazy-eviction", "yes");
  conf.since(kV40, "lazyfree-lazy-expire", "yes");
  conf.since(kV40, "lazyfree-lazy-server-del", "yes");
  conf.since(kV40, "slave-lazy-flush", "yes");
  if (cluster) add_cluster(conf, task);
  for (const auto& [name, value] : task.settings) conf.setting(name, value);

  Recipe recipe;
  recipe.files.push_back({.name = "redis.conf", .text = conf.take()});
  if (cluster) recipe.files.push_back({.name = "nodes.conf", .text = task.nodes_conf, .keep = true});
  recipe.arguments = {folder + "/redis.conf"};
  recipe.descriptors = kClients + kOwnDescriptors + (cluster ? 2 * kMostNodes : 0);
  return recipe;
}

}  // namespace overlord::executor
