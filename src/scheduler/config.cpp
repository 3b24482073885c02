#include "scheduler/config.h"

#include <charconv>
#include <set>

#include "engine/mesos/options.h"
#include "model/types.h"
#include "settings/document.h"

namespace overlord::scheduler {
namespace {

using settings::Document;
using settings::Table;

// "http://127.0.0.1:2379,http://..." as the Go program has it.
std::string store_of_etcd(std::string_view urls) {
  bool tls = false;
  std::string hosts;
  while (!urls.empty()) {
    const size_t comma = std::min(urls.find(','), urls.size());
    std::string_view url = urls.substr(0, comma);
    urls.remove_prefix(std::min(comma + 1, urls.size()));
    if (url.starts_with("https://")) tls = true;
    if (const size_t scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
    while (url.ends_with('/')) url.remove_suffix(1);
    hosts.append(hosts.empty() ? "" : ",").append(url);
  }
  return (tls ? "etcds://" : "etcd://") + hosts;
}

void read_time(Table& table, std::string_view key, std::chrono::milliseconds& into, int64_t least) {
  std::string text;
  table.text(key, text);
  if (!table.has(key)) return;
  const auto time = settings::milliseconds_of(text);
  if (!time) return table.error(key, time.error().message);
  if (*time < least) return table.error(key, "must be at least " + std::to_string(least) + "ms");
  into = std::chrono::milliseconds(*time);
}

void read_store(Table& top, Config& config) {
  std::string etcd;
  std::string type;
  top.text("store", config.store);
  top.text("db_end_point", etcd);
  top.text("db_type", type);
  top.text("store_user", config.store_user);
  top.text("store_password_file", config.store_password_file);
  top.text("store_ca_file", config.store_ca_file);
  if (!type.empty() && type != "etcd")
    top.warning("db_type", "has no effect; the store is what store or db_end_point names");
  if (!etcd.empty() && !config.store.empty()) {
    top.error("db_end_point", "stands in place of store; take one away");
  } else if (!etcd.empty()) {
    config.store = store_of_etcd(etcd);
  } else if (config.store.empty()) {
    top.error("store", "is required, such as \"sqlite:///var/lib/overlord/state.db\" or \"etcd://10.0.0.1:2379\"");
  }
}

std::optional<model::PortRange> port_range(std::string_view text) {
  model::PortRange range;
  const char* const end = text.data() + text.size();
  const auto [dash, wrong] = std::from_chars(text.data(), end, range.first);
  if (wrong != std::errc{} || range.first == 0) return std::nullopt;
  range.last = range.first;
  if (dash == end) return range;
  if (*dash != '-') return std::nullopt;
  const auto [stop, bad] = std::from_chars(dash + 1, end, range.last);
  if (bad != std::errc{} || stop != end || range.last < range.first) return std::nullopt;
  return range;
}

void read_host(Table& table, Config& config, std::set<std::string>& seen) {
  engine::LocalHost host;
  std::string spec;
  std::vector<std::string> ports{"31000-31999"};
  table.text("address", host.address);
  table.text("group", host.group);
  table.text("spec", spec);
  table.texts("ports", ports);
  table.text_map("labels", host.labels);
  if (host.address.empty()) {
    table.error("address", "is required: an address of this machine, such as 127.0.0.2");
  } else if (!seen.insert(host.address).second) {
    table.error("address", host.address + " is there twice");
  }
  if (!model::valid_name(host.group)) table.error("group", "is required: letters, digits, '_', '-' and '.'");
  if (const auto read = model::spec(spec)) {
    host.capacity = *read;
  } else {
    table.error("spec", "is required: what nodes may take of this machine, such as 4c8g");
  }
  for (const std::string& text : ports) {
    if (const auto range = port_range(text)) {
      host.ports.push_back(*range);
    } else {
      table.error("ports", "a range is as in 31000-31999, not " + text);
    }
  }
  table.finish();
  config.hosts.push_back(std::move(host));
}

void read_engine(Table& top, Config& config) {
  std::string master;
  top.text("engine", config.engine);
  top.text("master", master);
  if (!master.empty() && !config.engine.empty()) {
    top.error("master", "stands in place of engine; take one away");
  } else if (!master.empty()) {
    config.engine = "mesos://" + (master.starts_with("http://") ? master.substr(7) : master);
  } else if (config.engine.empty()) {
    config.engine = "local";
  }
  top.text("folder", config.folder);
  top.text("lib", config.lib);
  top.text("executor", config.executor);
  top.texts("executor_arguments", config.executor_arguments);
  std::set<std::string> seen;
  for (Table& table : top.tables("hosts")) read_host(table, config, seen);
  top.text("user", config.user);
  top.texts("role", config.roles);
  top.boolean("checkpoint", config.checkpoint);
  read_time(top, "fail_over", config.fail_over, 0);
  if (config.fail_over.count() == 0) config.fail_over = Config{}.fail_over;
  top.text("executor_url", config.executor_url);
  top.text("hostname", config.hostname);
  top.text("principal", config.principal);
  top.text("secret_file", config.secret_file);
  if (config.engine == "local") {
    if (config.hosts.empty())
      top.error("hosts", "the local engine needs at least one, as in [[hosts]] address = \"127.0.0.1\"");
    if (!config.folder.starts_with('/')) top.error("folder", "must begin with /");
    return;
  }
  if (!config.hosts.empty()) top.error("hosts", "Mesos has its own; they are of the local engine");
  const char* const key = master.empty() ? "engine" : "master";
  if (const auto masters = engine::masters_of(config.engine); !masters) top.error(key, masters.error().message);
  if (config.roles.empty()) top.error("role", "is required with Mesos: the groups, such as [\"sh001\"]");
  if (config.executor_url.empty())
    top.error("executor_url", "is required with Mesos: where agents fetch overlord-executor");
  if (!config.checkpoint) top.error("checkpoint", "must be true, else a restart of an agent kills its nodes");
}

void read_log(Table& top, LogOptions& log) {
  std::string level = "info";
  std::string format = "text";
  bool debug = false;
  top.text("log", log.file);
  top.number("log_vl", log.verbosity, 0, 1000);
  top.text("log_level", level);
  top.text("log_format", format);
  top.boolean("stdout", log.to_stdout);
  top.boolean("debug", debug);
  log.to_stdout = log.to_stdout || debug;
  if (const auto known = parse_log_level(level)) {
    log.level = *known;
  } else {
    top.error("log_level", "must be debug, info, warn or error");
  }
  if (format != "text" && format != "json") top.error("log_format", "must be text or json");
  log.format = format == "json" ? LogFormat::json : LogFormat::text;
}

ConfigReading read(Document& file) {
  ConfigReading out;
  if (file.errors().empty()) {
    Table top = file.top();
    read_store(top, out.config);
    top.text("name", out.config.name);
    if (out.config.name.empty()) top.error("name", "must not be empty");
    read_engine(top, out.config);
    std::chrono::milliseconds lease = out.config.lease;
    read_time(top, "lease", lease, 1000);
    out.config.lease = std::chrono::duration_cast<std::chrono::seconds>(lease);
    read_time(top, "host_lost", out.config.host_lost, 1000);
    read_log(top, out.config.log);
    top.finish();
  }
  out.errors = file.errors();
  out.warnings = file.warnings();
  return out;
}

}  // namespace

Result<ConfigReading> read_config(const std::string& path) {
  auto file = Document::open(path);
  if (!file) return std::unexpected(file.error());
  return read(**file);
}

ConfigReading config_of(std::string_view text, const std::string& name) {
  Document file(text, name);
  return read(file);
}

}  // namespace overlord::scheduler
