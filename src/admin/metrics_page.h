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
};

std::string metrics_page(const proxy::Snapshot& snapshot, const PageFacts& facts);

}  // namespace overlord::admin
