#include "api/dry_run.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "api/views.h"
#include "placement/explain.h"
#include "placement/fleet.h"
#include "placement/plan.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

using model::CacheType;

std::string label(const model::Host& host, const char* name) {
  const auto found = host.labels.find(name);
  return found == host.labels.end() ? "" : found->second;
}

placement::Host placeable(const model::Host& host) {
  placement::Host out{.name = host.name,
                      .group = host.group,
                      .zone = label(host, "zone"),
                      .rack = label(host, "rack"),
                      .memory_mib = host.capacity.memory_mib,
                      .cpu_milli = host.capacity.cpu_milli,
                      .draining = host.draining || host.lost};
  for (const model::PortRange& range : host.ports) out.ports.push_back({range.first, range.last});
  return out;
}

// Takes what a node reserves of its host.
void take(placement::Host& host, const model::Node& node) {
  host.memory_mib -= std::min<uint64_t>(host.memory_mib, node.spec.memory_mib);
  host.cpu_milli -= std::min<uint64_t>(host.cpu_milli, node.spec.cpu_milli);
  host.taken.push_back(node.port);
  const uint32_t bus = node.port + placement::kBusOffset;
  if (node.type == CacheType::redis_cluster && bus <= UINT16_MAX) host.taken.push_back(static_cast<uint16_t>(bus));
}

}  // namespace

Result<http::Response> dry_run(store::Store& store, const model::Cluster& cluster) {
  const auto records = read_all<model::Host>(store, store::keys::kHosts);
  if (!records) return std::unexpected(records.error());
  const auto nodes = read_nodes(store);
  if (!nodes) return std::unexpected(nodes.error());
  std::vector<placement::Host> hosts;
  std::unordered_map<std::string, size_t> by_name;
  for (const auto& host : *records) {
    by_name.emplace(host.record.name, hosts.size());
    hosts.push_back(placeable(host.record));
  }
  for (const NodeView& node : *nodes) {
    if (const auto host = by_name.find(node.node.host); host != by_name.end()) take(hosts[host->second], node.node);
  }

  const bool slots = cluster.type == CacheType::redis_cluster;
  const placement::Rules rules{.memory_mib = cluster.spec.memory_mib,
                               .cpu_milli = cluster.spec.cpu_milli,
                               .replicas = cluster.replicas,
                               .bus_port = slots,
                               .survives_host_loss = cluster.fault_tolerant};
  const placement::Fleet fleet(std::move(hosts), cluster.group);
  const placement::Outcome plan = placement::create(fleet, rules, cluster.shards);
  Json out{{"dry_run", true}, {"possible", plan.has_value()}, {"number", cluster.shards}};
  if (!plan) {
    out["reasons"] = plan.error().reasons;
    return json_response(out);
  }
  const placement::Explanation why = placement::explain(fleet, rules, {}, *plan);
  Json list = Json::array();
  for (size_t i = 0; i < plan->added.size(); ++i) {
    const placement::Node& node = plan->after.nodes[plan->added[i]];
    list.push_back({{"ip", node.host},
                    {"port", node.port},
                    {"shard", node.shard},
                    {"role", !slots                                 ? ""
                             : node.role == placement::Role::master ? "master"
                                                                    : "slave"},
                    {"why", i < why.nodes.size() ? why.nodes[i] : ""}});
  }
  out["nodes"] = std::move(list);
  out["summary"] = why.summary;
  return json_response(out);
}

}  // namespace overlord::api
