#pragma once
// ProcessFacts: what the kernel says of this process, for the metrics that every Prometheus client library has.

#include <cstdint>

namespace overlord::admin {

struct ProcessFacts {
  double cpu_seconds = 0;
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
  uint64_t threads = 0;
};

// What cannot be read stays 0.
ProcessFacts process_facts();

}  // namespace overlord::admin
