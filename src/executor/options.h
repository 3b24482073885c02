#pragma once
// What an executor is told, with its defaults; the flags of overlord-executor are these.

#include <chrono>
#include <cstdint>
#include <string>

#include "executor/node_log.h"
#include "executor/versions.h"

namespace overlord::executor {

struct Options {
  std::string host;    // the address that its nodes bind to
  std::string folder;  // of its work: a folder for each node, by port
  VersionsOptions versions{};
  std::string cgroup = "auto";  // Limits
  NodeLogOptions logs{};

  std::chrono::milliseconds probe_interval{1000};
  std::chrono::milliseconds probe_patience{2000};
  std::chrono::milliseconds sick_after{5000};      // without a sign of life
  std::chrono::milliseconds hung_after{20'000};    // then it is killed and started again
  std::chrono::milliseconds start_within{60'000};  // a new process must give its first sign of life
  std::chrono::milliseconds first_pause{500};      // before it is started again; doubled each time
  std::chrono::milliseconds longest_pause{30'000};
  // Before a master of a redis_cluster without persistence is: its replicas take its place first (cluster_memory.h).
  std::chrono::milliseconds failover_pause{15'000};
  uint32_t most_restarts = 6;                      // in a row; then the node has failed
  std::chrono::milliseconds well_after{60'000};    // of running well: the row is over
  std::chrono::milliseconds keep_over{3'600'000};  // a task that is over is shown for so long
};

}  // namespace overlord::executor
