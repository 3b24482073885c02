// apiserver.toml. The one file of the API that sees the TOML library.

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <span>
#include <sstream>
#include <utility>

#include "api/config.h"

namespace overlord::api {
namespace {

constexpr size_t kMaxFile = 1024 * 1024;

// Keys by table, for suggestions and for the check of the manual.
constexpr std::string_view kTop[] = {"listen",          "store",         "etcd",    "store_user", "store_password_file",
                                     "store_ca_file",   "tls_cert",      "tls_key", "token_file", "workers",
                                     "max_connections", "audit_records", "log",     "log_vl",     "log_level",
                                     "log_format",      "debug",         "stdout",  "monitor",    "groups",
                                     "versions",        "cluster"};
constexpr std::string_view kMonitor[] = {"url", "panel", "name_var", "org_id"};
constexpr std::string_view kVersions[] = {"cache_type", "versions", "image"};
constexpr std::string_view kCluster[] = {"dial_timeout",     "read_timeout",    "write_timeout",
                                         "node_connections", "ping_fail_limit", "ping_auto_eject"};

size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

class Reader {
 public:
  Reader(ConfigReading& out, std::string file) : out_(out), file_(std::move(file)) {}

  void error(const toml::source_region& at, const std::string& text) {
    out_.errors.push_back(place(at) + "error: " + text);
  }
  void warning(const toml::source_region& at, const std::string& text) {
    out_.warnings.push_back(place(at) + "warning: " + text);
  }

  void check_keys(const toml::table& table, std::span<const std::string_view> known, const std::string& path) {
    for (const auto& [key, value] : table) {
      const std::string_view name = key.str();
      if (std::ranges::find(known, name) != known.end()) continue;
      const auto nearest = std::ranges::min_element(known, {}, [&](std::string_view k) { return distance(name, k); });
      const bool near = distance(name, *nearest) <= 2;
      error(key.source(),
            path + std::string(name) + ": unknown key" + (near ? "; did you mean " + std::string(*nearest) + "?" : ""));
    }
  }

  void text(const toml::table& table, std::string_view name, std::string& into, const std::string& path = {}) {
    const toml::node* node = table.get(name);
    if (node == nullptr) return;
    if (const auto value = node->value_exact<std::string>()) {
      into = *value;
    } else {
      error(node->source(), path + std::string(name) + ": must be a text");
    }
  }

  template <typename Number>
  void number(const toml::table& table, std::string_view name, Number& into, int64_t lowest, int64_t highest,
              const std::string& path = {}) {
    const toml::node* node = table.get(name);
    if (node == nullptr) return;
    const auto value = node->value_exact<int64_t>();
    if (value && *value >= lowest && *value <= highest) {
      into = static_cast<Number>(*value);
    } else {
      error(node->source(), path + std::string(name) + ": must be a whole number from " + std::to_string(lowest) +
                                " to " + std::to_string(highest));
    }
  }

  void boolean(const toml::table& table, std::string_view name, bool& into, const std::string& path = {}) {
    const toml::node* node = table.get(name);
    if (node == nullptr) return;
    if (const auto value = node->value_exact<bool>()) {
      into = *value;
    } else {
      error(node->source(), path + std::string(name) + ": must be true or false");
    }
  }

  // Null: it is not there, or no table.
  const toml::table* table(const toml::table& from, std::string_view name) {
    const toml::node* node = from.get(name);
    if (node == nullptr) return nullptr;
    if (const toml::table* found = node->as_table()) return found;
    error(node->source(), std::string(name) + ": must be a table, as in [" + std::string(name) + "]");
    return nullptr;
  }

 private:
  std::string place(const toml::source_region& at) const {
    return file_ + ":" + std::to_string(at.begin.line) + ":" + std::to_string(at.begin.column) + ": ";
  }

  ConfigReading& out_;
  const std::string file_;
};

void read_log(Reader& reader, const toml::table& file, LogOptions& log) {
  std::string level = "info";
  std::string format = "text";
  bool debug = false;
  reader.text(file, "log", log.file);
  reader.number(file, "log_vl", log.verbosity, 0, 1000);
  reader.text(file, "log_level", level);
  reader.text(file, "log_format", format);
  reader.boolean(file, "stdout", log.to_stdout);
  reader.boolean(file, "debug", debug);
  log.to_stdout = log.to_stdout || debug;
  if (const auto known = parse_log_level(level)) {
    log.level = *known;
  } else {
    reader.error(file.get("log_level")->source(), "log_level: must be debug, info, warn or error");
  }
  if (format != "text" && format != "json") {
    reader.error(file.get("log_format")->source(), "log_format: must be text or json");
  }
  log.format = format == "json" ? LogFormat::json : LogFormat::text;
}

// etcd = "http://127.0.0.1:2379", as the Go program had it, or store = a URL of ours.
void read_store(Reader& reader, const toml::table& file, Config& config) {
  std::string etcd;
  reader.text(file, "store", config.store);
  reader.text(file, "etcd", etcd);
  reader.text(file, "store_user", config.store_user);
  reader.text(file, "store_password_file", config.store_password_file);
  reader.text(file, "store_ca_file", config.store_ca_file);
  if (!etcd.empty() && !config.store.empty()) {
    return reader.error(file.get("etcd")->source(), "etcd: stands in place of store; take one away");
  }
  if (!etcd.empty()) {
    std::string out;
    bool tls = false;
    std::istringstream urls(etcd);
    for (std::string url; std::getline(urls, url, ',');) {
      std::string_view rest = url;
      for (const std::string_view scheme : {"https://", "http://"}) {
        if (!rest.starts_with(scheme)) continue;
        tls = tls || scheme == "https://";
        rest.remove_prefix(scheme.size());
      }
      while (rest.ends_with('/')) rest.remove_suffix(1);
      out.append(out.empty() ? "" : ",").append(rest);
    }
    config.store = (tls ? "etcds://" : "etcd://") + out;
  }
  if (config.store.empty()) {
    reader.error(file.source(),
                 "store: is required, such as \"sqlite:///var/lib/overlord/state.db\" or "
                 "\"etcd://10.0.0.1:2379\"");
  }
}

void read_groups(Reader& reader, const toml::table& file, Config& config) {
  const toml::table* groups = reader.table(file, "groups");
  if (groups == nullptr) return;
  for (const auto& [key, value] : *groups) {
    const std::string name(key.str());
    if (!model::valid_name(name)) {
      reader.error(key.source(), "groups." + name + ": a group's name has letters, digits, '_', '-' and '.'");
    } else if (const auto shown = value.value_exact<std::string>()) {
      config.groups.push_back({name, *shown});
    } else {
      reader.error(value.source(), "groups." + name + ": must be a text, how people call it");
    }
  }
}

void read_versions(Reader& reader, const toml::table& file, Config& config) {
  const toml::node* node = file.get("versions");
  if (node == nullptr) return;
  const toml::array* list = node->as_array();
  if (list == nullptr) return reader.error(node->source(), "versions: must be tables, as in [[versions]]");
  for (const toml::node& item : *list) {
    const toml::table* table = item.as_table();
    if (table == nullptr) {
      reader.error(item.source(), "versions: must be tables, as in [[versions]]");
      continue;
    }
    reader.check_keys(*table, kVersions, "versions.");
    std::string type;
    reader.text(*table, "cache_type", type, "versions.");
    const auto known = model::cache_type(type);
    if (!known) reader.error(item.source(), "versions.cache_type: must be memcache, redis or redis_cluster");
    if (table->contains("image")) {
      reader.warning(table->get("image")->source(), "versions.image: nodes run as plain processes; it has no effect");
    }
    KnownVersions versions{.type = known.value_or(model::CacheType::redis)};
    const toml::array* names = table->get_as<toml::array>("versions");
    if (names == nullptr) reader.error(item.source(), "versions.versions: must be an array of texts");
    for (size_t i = 0; names != nullptr && i < names->size(); ++i) {
      const auto name = (*names)[i].value_exact<std::string>();
      if (name && !name->empty() && name->size() <= 32 && model::valid_name(*name)) {
        versions.versions.push_back(*name);
      } else {
        reader.error((*names)[i].source(), "versions.versions: a version is as in \"7.0.15\"");
      }
    }
    if (known) config.versions.push_back(std::move(versions));
  }
}

void read_rest(Reader& reader, const toml::table& file, Config& config) {
  constexpr int64_t kLongestTimeout = 3'600'000;
  if (const toml::table* monitor = reader.table(file, "monitor")) {
    reader.check_keys(*monitor, kMonitor, "monitor.");
    reader.text(*monitor, "url", config.monitor.url, "monitor.");
    reader.text(*monitor, "panel", config.monitor.panel, "monitor.");
    reader.text(*monitor, "name_var", config.monitor.name_var, "monitor.");
    reader.number(*monitor, "org_id", config.monitor.org_id, 0, INT32_MAX, "monitor.");
  }
  if (const toml::table* cluster = reader.table(file, "cluster")) {
    reader.check_keys(*cluster, kCluster, "cluster.");
    reader.number(*cluster, "dial_timeout", config.proxy.dial_timeout, 1, kLongestTimeout, "cluster.");
    reader.number(*cluster, "read_timeout", config.proxy.read_timeout, 1, kLongestTimeout, "cluster.");
    reader.number(*cluster, "write_timeout", config.proxy.write_timeout, 1, kLongestTimeout, "cluster.");
    reader.number(*cluster, "node_connections", config.proxy.node_connections, 1, 1024, "cluster.");
    reader.number(*cluster, "ping_fail_limit", config.proxy.ping_fail_limit, 0, 1'000'000, "cluster.");
    reader.boolean(*cluster, "ping_auto_eject", config.proxy.ping_auto_eject, "cluster.");
  }
}

void read_file(Reader& reader, const toml::table& file, Config& config) {
  reader.check_keys(file, kTop, "");
  reader.text(file, "listen", config.listen);
  read_store(reader, file, config);
  reader.text(file, "tls_cert", config.tls_cert);
  reader.text(file, "tls_key", config.tls_key);
  if (config.tls_cert.empty() != config.tls_key.empty()) {
    reader.error(file.source(), "tls_cert: goes with tls_key; there is only one of them");
  }
  reader.text(file, "token_file", config.token_file);
  reader.number(file, "workers", config.workers, 1, 256);
  reader.number(file, "max_connections", config.max_connections, 16, 1'000'000);
  reader.number(file, "audit_records", config.audit_records, 100, 10'000'000);
  read_log(reader, file, config.log);
  read_groups(reader, file, config);
  read_versions(reader, file, config);
  read_rest(reader, file, config);
}

}  // namespace

ConfigReading read_config(std::string_view text, const std::string& file) {
  ConfigReading out;
  Reader reader(out, file);
  try {
    read_file(reader, toml::parse(text, file), out.config);
  } catch (const toml::parse_error& problem) {
    reader.error(problem.source(), std::string(problem.description()));
  }
  return out;
}

overlord::Result<ConfigReading> read_config_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in || text.fail()) return fail("cannot read the configuration " + path + " (-conf)");
  if (text.str().size() > kMaxFile) return fail(path + " is larger than 1 MiB, so it is no configuration");
  return read_config(text.str(), path);
}

std::vector<std::string> config_keys() {
  std::vector<std::string> out(std::begin(kTop), std::end(kTop));
  for (const auto key : kMonitor) out.push_back("[monitor] " + std::string(key));
  for (const auto key : kVersions) out.push_back("[[versions]] " + std::string(key));
  for (const auto key : kCluster) out.push_back("[cluster] " + std::string(key));
  return out;
}

}  // namespace overlord::api
