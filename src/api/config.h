#pragma once
// The configuration of overlord-apiserver: apiserver.toml, which is that of the Go program with more keys. docs/platform-api.md
// explains every key; config_test.cpp compares the two.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "model/cluster.h"

namespace overlord::api {

struct Group {
  std::string name{};     // its key
  std::string name_cn{};  // as people call it
};

struct KnownVersions {
  model::CacheType type = model::CacheType::redis;
  std::vector<std::string> versions{};
};

// Links to Grafana: <url>/<panel>?orgId=<org_id>&var-<name_var>=<cluster>
struct Monitor {
  std::string url{};  // empty: no links
  std::string panel = "overlord";
  std::string name_var = "cluster";
  int64_t org_id = 1;
};

struct Config {
  std::string listen = "127.0.0.1:8880";
  std::string store{};  // URL (docs/store.md)
  std::string store_user{};
  std::string store_password_file{};
  std::string store_ca_file{};
  std::string tls_cert{};
  std::string tls_key{};
  std::string token_file{};  // where the first token is written
  int64_t workers = 8;
  int64_t max_connections = 4096;
  int64_t audit_records = 100'000;
  LogOptions log{};
  Monitor monitor{};
  std::vector<Group> groups{};
  std::vector<KnownVersions> versions{};
  model::ProxySettings proxy{};
};

// "apiserver.toml:3:1: error: listn: unknown key; did you mean listen?" A line for each problem, errors and warnings.
struct ConfigReading {
  Config config;
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};
ConfigReading read_config(std::string_view text, const std::string& file);
overlord::Result<ConfigReading> read_config_file(const std::string& path);

// What the file may hold: "listen", "[monitor] url", ...; for the check of the manual.
std::vector<std::string> config_keys();

// The command line, in the style of Go's flag package.
struct Flags {
  std::string conf = "conf.toml";
  bool to_stdout = false;  // -std, -debug
  std::string log{};
  int64_t log_verbosity = 0;
  bool version = false;
  bool check = false;
  bool help = false;
};
overlord::Result<Flags> parse_flags(int argc, const char* const* argv);
std::string usage_text();

}  // namespace overlord::api
