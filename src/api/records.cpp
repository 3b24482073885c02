#include "api/records.h"

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;

constexpr size_t kDigits = 20;

// Of both records below "/overlord/instances/<address>/".
void take_node_record(const store::Record& raw, std::map<std::string, NodeView, std::less<>>& nodes,
                      std::map<std::string, model::NodeState, std::less<>>& states) {
  const std::string_view path = below(raw.key, keys::kInstances);
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return;
  const std::string address(path.substr(0, slash));
  const std::string_view kind = path.substr(slash + 1);
  if (kind == "info") {
    auto node = model::from_json<model::Node>(raw.value);
    if (!node) return log_damaged(raw.key, node.error().message);
    nodes[address] = {std::move(*node), raw.modified, {}};
  } else if (kind == "state") {
    auto state = model::from_json<model::NodeState>(raw.value);
    if (!state) return log_damaged(raw.key, state.error().message);
    states[address] = std::move(*state);
  }
}

std::vector<NodeView> joined(std::map<std::string, NodeView, std::less<>> nodes,
                             std::map<std::string, model::NodeState, std::less<>>& states) {
  std::vector<NodeView> out;
  out.reserve(nodes.size());
  for (auto& [address, view] : nodes) {
    if (const auto found = states.find(address); found != states.end()) view.state = std::move(found->second);
    out.push_back(std::move(view));
  }
  return out;
}

// What stands below "/overlord/clusters/<name>/" but the nodes.
void take_cluster_record(const store::Record& raw, std::map<std::string, ClusterView, std::less<>>& clusters) {
  const std::string_view path = below(raw.key, keys::kClusters);
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return;
  const std::string name(path.substr(0, slash));
  const std::string_view kind = path.substr(slash + 1);
  if (kind == "info") {
    auto cluster = model::from_json<model::Cluster>(raw.value);
    if (!cluster) return log_damaged(raw.key, cluster.error().message);
    clusters[name].cluster = std::move(*cluster);
    clusters[name].revision = raw.modified;
  } else if (kind.starts_with("appids/")) {
    clusters[name].appids.emplace_back(kind.substr(7));
  }
}

void sort_by_alias(std::vector<NodeView>& nodes) {
  std::ranges::sort(nodes, {}, [](const NodeView& view) { return view.node.alias; });
}

}  // namespace

void log_damaged(const std::string& key, const std::string& why) {
  static LogEvery every(std::chrono::seconds(60), LogEvery::kBurst);
  if (const auto turn = every.next()) log_error("store: ", key, " cannot be read: ", why, turn.suffix());
}

std::string_view below(std::string_view key, std::string_view prefix) {
  return key.starts_with(prefix) ? key.substr(prefix.size()) : std::string_view();
}

std::string job_key(std::string_view id) {
  const size_t dot = id.rfind('.');
  if (dot == std::string_view::npos || id.size() - dot - 1 != kDigits) return {};
  const std::string_view group = id.substr(0, dot);
  const std::string_view digits = id.substr(dot + 1);
  uint64_t number = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (wrong != std::errc{} || end != digits.data() + digits.size() || !model::valid_name(group)) return {};
  return keys::job(group, number);
}

Result<std::vector<NodeView>> read_nodes(store::Store& from) {
  const auto page = store::list_all(from, keys::kInstances);
  if (!page) return refuse(page.error());
  std::map<std::string, NodeView, std::less<>> nodes;
  std::map<std::string, model::NodeState, std::less<>> states;
  for (const store::Record& raw : page->records) take_node_record(raw, nodes, states);
  return joined(std::move(nodes), states);
}

Result<std::optional<ClusterView>> read_cluster(store::Store& from, const std::string& name) {
  const auto page = store::list_all(from, keys::cluster(name));
  if (!page) return refuse(page.error());
  std::map<std::string, ClusterView, std::less<>> clusters;
  std::vector<std::string> addresses;
  const std::string instances = keys::of(keys::kClusters, name, "instances/");
  for (const store::Record& raw : page->records) {
    take_cluster_record(raw, clusters);
    if (raw.key.starts_with(instances)) addresses.push_back(raw.value);
  }
  const auto found = clusters.find(name);
  if (found == clusters.end() || found->second.revision == 0) return std::nullopt;
  ClusterView view = std::move(found->second);
  for (const std::string& address : addresses) {
    if (!keys::valid_part(address)) continue;
    const auto records = from.list(keys::of(keys::kInstances, address, ""));
    if (!records) return refuse(records.error());
    std::map<std::string, NodeView, std::less<>> nodes;
    std::map<std::string, model::NodeState, std::less<>> states;
    for (const store::Record& raw : records->records) take_node_record(raw, nodes, states);
    for (NodeView& node : joined(std::move(nodes), states)) {
      if (node.node.cluster == name) view.nodes.push_back(std::move(node));
    }
  }
  sort_by_alias(view.nodes);
  return view;
}

Result<std::vector<ClusterView>> read_clusters(store::Store& from) {
  const auto page = store::list_all(from, keys::kClusters);
  if (!page) return refuse(page.error());
  auto nodes = read_nodes(from);
  if (!nodes) return std::unexpected(nodes.error());
  std::map<std::string, ClusterView, std::less<>> clusters;
  for (const store::Record& raw : page->records) take_cluster_record(raw, clusters);
  for (NodeView& node : *nodes) {
    if (const auto found = clusters.find(node.node.cluster); found != clusters.end()) {
      found->second.nodes.push_back(std::move(node));
    }
  }
  std::vector<ClusterView> out;
  for (auto& [name, view] : clusters) {
    if (view.revision == 0) continue;  // leavings without a record of their own
    sort_by_alias(view.nodes);
    out.push_back(std::move(view));
  }
  return out;
}

}  // namespace overlord::api
