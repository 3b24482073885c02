#pragma once
// The page that Prometheus reads.

#include <cstdint>
#include <string>

#include "admin/process_facts.h"
#include "proxy/snapshot.h"

namespace overlord::admin {

struct PageFacts {
  ProcessFacts process;
  uint64_t started_at = 0;  // unix seconds
  uint32_t max_connections = 0;
  uint64_t reloads_applied = 0;
  uint64_t reloads_unchanged = 0;
  uint64_t reloads_refused = 0;
};

std::string metrics_page(const proxy::Snapshot& snapshot, const PageFacts& facts);

}  // namespace overlord::admin
