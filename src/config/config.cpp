#include "config/config.h"

#include <sched.h>

#include <algorithm>
#include <thread>

namespace overlord::config {

std::string_view to_string(CacheType type) {
  switch (type) {
    case CacheType::memcache: return "memcache";
    case CacheType::memcache_binary: return "memcache_binary";
    case CacheType::redis: return "redis";
    case CacheType::redis_cluster: return "redis_cluster";
  }
  return {};
}

std::string_view to_string(ReadFrom policy) {
  switch (policy) {
    case ReadFrom::master: return "master";
    case ReadFrom::replica: return "replica";
    case ReadFrom::prefer_replica: return "prefer_replica";
    case ReadFrom::nearest: return "nearest";
  }
  return {};
}

std::string_view to_string(IoDriver driver) {
  switch (driver) {
    case IoDriver::automatic: return "auto";
    case IoDriver::epoll: return "epoll";
    case IoDriver::io_uring: return "io_uring";
  }
  return {};
}

bool is_redis(CacheType type) { return type == CacheType::redis || type == CacheType::redis_cluster; }

uint32_t resolved_workers(const ProcessConfig& process) {
  if (process.workers != 0) return process.workers;
  // The affinity mask and not the machine's cores: containers and taskset narrow the first only.
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    const int cores = CPU_COUNT(&allowed);
    if (cores > 0) return static_cast<uint32_t>(cores);
  }
  const uint32_t cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : cores;
}

LogOptions log_options(const LogConfig& log) {
  return {.level = std::max(log.level, LogLevel::info),
          .verbosity = log.level == LogLevel::debug ? std::max(log.verbosity, 1U) : log.verbosity,
          .file = log.file,
          .to_stdout = log.to_stdout,
          .format = log.format,
          .max_bytes = log.max_bytes,
          .backup_count = log.backup_count,
          .daily = log.daily};
}

}  // namespace overlord::config
