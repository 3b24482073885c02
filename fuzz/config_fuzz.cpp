// Any text as configuration: nothing may crash, hang or leak, and what is accepted must keep its promises.
// The first byte chooses the reader, so that one corpus serves all three.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/loader.h"
#include "config/nutcracker.h"

using namespace overlord::config;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

template <typename Outcome>
void check(const Outcome& outcome, bool ok) {
  require(ok == !has_error(outcome.problems));
  for (const Problem& problem : outcome.problems) require(format(problem).find('\n') == std::string::npos);
}

void clusters(std::string_view text) {
  const auto outcome = load_cluster_text(text, "f");
  check(outcome, outcome.ok());
  if (!outcome.ok()) return;
  for (const ClusterConfig& cluster : outcome.value->clusters) {
    require(!cluster.name.empty() && !cluster.listen.empty() &&
            (!cluster.servers.empty() || !cluster.sentinels.empty()));
    require(cluster.node_connections > 0 && cluster.ping_fail_limit > 0 && cluster.limits.max_node_queue > 0);
    for (const ServerConfig& server : cluster.servers) {
      require(server.weight > 0 && !server.ring_name.empty());
      require(parse_backend_address(to_string(server.address)) == server.address);
    }
  }
}

void process(std::string_view text) {
  const auto outcome = load_process_text(text, "f");
  check(outcome, outcome.ok());
  if (outcome.ok()) require(resolved_workers(*outcome.value) > 0);
}

void nutcracker(std::string_view text) {
  const ConvertOutcome outcome = convert_nutcracker_text(text, "f");
  check(outcome, outcome.ok());
  if (outcome.ok()) require(load_cluster_text(outcome.toml, "f").ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'p': process(text); break;
    case 'y': nutcracker(text); break;
    default: clusters(text); break;
  }
  return 0;
}
