#pragma once
// SharedCluster: what the workers' parts of one cluster have in common, from when the cluster appears in the
// configuration until all its clients have gone. Atomic, locked or immutable.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/learned_commands.h"
#include "proxy/script_cache.h"

namespace overlord::proxy {

class Cluster;

struct SharedCluster {
  SharedCluster(const config::ClusterConfig& config, size_t workers)
      : name(config.name), scripts(config.script_cache_size), parts(workers) {}

  const std::string name;
  ScriptCache scripts;
  LearnedCommands learned;
  // By worker; null where it is not made yet, or gone. Complete while there is a client in any worker.
  std::vector<std::atomic<Cluster*>> parts;
  // Parts of a cluster that was removed which have no client any more. A part goes when all are.
  std::atomic<size_t> left{0};
};

}  // namespace overlord::proxy
