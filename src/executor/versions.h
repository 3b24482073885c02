#pragma once
// Versions: where the server of a version is on this host, which may have many side by side:
//   <lib>/<redis|memcache>/<version>/bin/<redis-server|memcached>
// Without one there the server that the system has is taken, if it is of that version; else the version is fetched from
// <file_server>/<redis|memcache>-<version>.tar.gz, which holds bin/... or one folder that does.
//
// find() may take as long as a download: it is not for the thread that supervises.

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>

#include "base/error.h"
#include "executor/server_version.h"
#include "model/task.h"

namespace overlord::executor {

struct Server {
  std::string program;
  ServerVersion version;
  std::string text;  // "7.0.15"
};

struct VersionsOptions {
  std::string lib;                                     // made where it is missing
  std::string system_redis = "/usr/bin/redis-server";  // empty: none
  std::string system_memcached = "/usr/bin/memcached";
  std::chrono::seconds stall{30};         // a download of which nothing comes for so long fails
  size_t most_bytes = 512 * 1024 * 1024;  // of an archive
};

class Versions {
 public:
  explicit Versions(VersionsOptions options) : options_(std::move(options)) {}

  // Whether find() will have to fetch, as far as can be told without running anything.
  bool present(const model::NodeTask& task) const;
  // The error says where was looked and what to do. cancelled: any thread; ends a download within a second.
  Result<Server> find(const model::NodeTask& task, const std::atomic<bool>& cancelled) const;

 private:
  std::string home(const model::NodeTask& task) const;
  std::string program(const model::NodeTask& task) const;
  Result<void> fetch(const model::NodeTask& task, const std::atomic<bool>& cancelled) const;
  Result<void> download(const std::string& server, const std::string& target, const std::string& path,
                        const std::atomic<bool>& cancelled) const;

  const VersionsOptions options_;
};

// What `program -v` says: "7.0.15" of redis-server, "1.6.18" of memcached. Two seconds are given to it.
Result<std::string> version_of(const std::string& program);

}  // namespace overlord::executor
