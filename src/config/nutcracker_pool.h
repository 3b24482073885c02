#pragma once
// One pool of a twemproxy file: its settings with twemproxy's defaults, and the [[clusters]] that equals it.
// The settings and their defaults: twemproxy's README and conf/ examples.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/reporter.h"

namespace overlord::config {

// Every setting of a pool but `servers`.
std::span<const std::string_view> nutcracker_settings();

struct NutcrackerPool {
  std::string name;
  Position at;

  // Settings as written. Those that have no equivalent are only remembered for the comment about them.
  std::optional<std::string> listen;
  std::string hash = "fnv1a_64";
  std::string hash_tag;
  std::string distribution = "ketama";
  int64_t timeout = -1;  // ms; -1: none
  bool redis = false;
  std::string redis_auth;
  int64_t redis_db = 0;
  bool auto_eject_hosts = false;
  int64_t server_retry_timeout = 30000;  // ms
  int64_t server_failure_limit = 2;
  int64_t server_connections = 1;
  std::optional<int64_t> client_connections;
  std::optional<int64_t> backlog;
  bool tcpkeepalive = false;
  bool preconnect = false;
  bool reuse_port = false;

  bool has_servers = false;  // whether the key stands there, with whatever
  std::vector<std::pair<std::string, Position>> servers;
  std::vector<std::pair<std::string, Position>> places;  // where each setting stands

  // Takes one of nutcracker_settings(). Answers what is wrong with the value and the fix; empty: nothing.
  std::pair<std::string, std::string> set(const std::string& key, const std::string& value, Position value_at);

  // The cluster with comments; what cannot be said is reported (as a warning, also written as a comment).
  std::string to_toml(Reporter& reporter) const;

 private:
  Position place(std::string_view key) const;
  void write_listen(std::string& out, Reporter& reporter) const;
  void write_servers(std::string& out, Reporter& reporter) const;
  void write_notes(std::string& out, Reporter& reporter) const;
};

}  // namespace overlord::config
