#pragma once
// The page that Prometheus reads.

#include <cstdint>
#include <optional>
#include <string>

#include "admin/process_facts.h"
#include "otlp/exporter.h"
#include "proxy/snapshot.h"

namespace overlord::admin {

struct PageFacts {
  ProcessFacts process;
  uint64_t started_at = 0;  // unix seconds
  uint32_t max_connections = 0;
  uint64_t reloads_applied = 0;
  uint64_t reloads_unchanged = 0;
  uint64_t reloads_refused = 0;
  uint64_t upgrades_taken_over = 0;
  uint64_t upgrades_failed = 0;
  uint64_t clients_moved_in = 0;
  uint64_t clients_moved_out = 0;
  std::optional<otlp::TraceCounts> traces = {};  // none: nothing is traced
};

std::string metrics_page(const proxy::Snapshot& snapshot, const PageFacts& facts);

}  // namespace overlord::admin
