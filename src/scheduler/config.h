#pragma once
// scheduler.toml, with the keys of the Go program and ours. docs/platform.md lists them.

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "engine/local/host_book.h"

namespace overlord::scheduler {

struct Config {
  std::string store{};  // URL
  std::string store_user{};
  std::string store_password_file{};
  std::string store_ca_file{};
  std::string name = "overlord";  // of this scheduler among others and, with Mesos, of the framework

  std::string engine{};  // "local" or "mesos://HOST:PORT,..."
  // Of the local engine.
  std::string folder = "/var/lib/overlord";  // of executors and nodes
  std::string lib{};                         // of the servers' versions; empty: below folder
  std::string executor{};                    // the program; empty: beside this one
  std::vector<std::string> executor_arguments{};
  std::vector<engine::LocalHost> hosts{};
  // Of Mesos.
  std::string user = "root";
  std::vector<std::string> roles{};
  bool checkpoint = true;
  std::chrono::milliseconds fail_over{std::chrono::hours(168)};
  std::string executor_url{};
  std::string hostname{};
  std::string principal{};
  std::string secret_file{};

  std::chrono::seconds lease{5};  // after which another scheduler takes over
  std::chrono::milliseconds host_lost{60'000};
  LogOptions log{};
};

struct ConfigReading {
  Config config{};
  std::vector<std::string> errors{};  // "scheduler.toml:3:1: error: ..."
  std::vector<std::string> warnings{};
};

// The error: the file cannot be read at all.
Result<ConfigReading> read_config(const std::string& path);
ConfigReading config_of(std::string_view text, const std::string& name);

}  // namespace overlord::scheduler
