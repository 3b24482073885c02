// What is done with a cluster that runs: scale, resize, restart, replace, configure, upgrade, rebalance, recover; and with
// one of its nodes. All but the weight are jobs.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/change.h"
#include "api/paging.h"
#include "api/submit.h"
#include "api/views.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;
using model::JobKind;

constexpr int64_t kMaxWeight = 1'000'000;
constexpr int64_t kMaxMib = 4 * 1024 * 1024;

constexpr Field kScaleFields[] = {
    {.name = "number",
     .type = FieldType::integer,
     .what = "Nodes, or masters, that it is to have.",
     .lowest = 1,
     .highest = model::kMaxShards},
    {.name = "memory",
     .type = FieldType::integer,
     .what = "MiB that each node is to have, in place of number.",
     .lowest = 16,
     .highest = kMaxMib},
    {.name = "name", .what = "Of the cluster, as the Go platform had it; the path counts."},
};
constexpr Schema kScaleSchema{"Scale", kScaleFields};
constexpr Field kResizeFields[] = {{.name = "memory",
                                    .type = FieldType::integer,
                                    .what = "MiB of each node.",
                                    .required = true,
                                    .lowest = 16,
                                    .highest = kMaxMib}};
constexpr Schema kResizeSchema{"Resize", kResizeFields};
constexpr Field kNodesFields[] = {
    {.name = "nodes", .type = FieldType::texts, .what = "Addresses of nodes of the cluster; all when there are none."}};
constexpr Schema kNodesSchema{"Nodes", kNodesFields};
constexpr Field kSomeNodesFields[] = {
    {.name = "nodes", .type = FieldType::texts, .what = "Addresses of nodes of the cluster.", .required = true}};
constexpr Schema kSomeNodesSchema{"SomeNodes", kSomeNodesFields};
constexpr Field kHostsFields[] = {
    {.name = "hosts", .type = FieldType::texts, .what = "Hosts that are lost.", .required = true}};
constexpr Schema kHostsSchema{"LostHosts", kHostsFields};
constexpr Field kSettingsFields[] = {{.name = "settings",
                                      .type = FieldType::text_map,
                                      .what = "All there are to be, beside the platform's.",
                                      .required = true}};
constexpr Schema kSettingsSchema{"Settings", kSettingsFields};
constexpr Field kVersionFields[] = {{.name = "version", .what = "One of /api/v1/versions.", .required = true}};
constexpr Schema kVersionSchema{"Upgrade", kVersionFields};
constexpr Field kWeightFields[] = {{.name = "weight",
                                    .type = FieldType::integer,
                                    .what = "On the ring; 0 gives it no keys.",
                                    .required = true,
                                    .lowest = 0,
                                    .highest = kMaxWeight}};
constexpr Schema kWeightSchema{"Weight", kWeightFields};

// One thing that is wrong.
std::unexpected<ApiError> wrong(std::string field, std::string message) {
  Problems problems;
  problems.add(std::move(field), std::move(message));
  return problems.refusal();
}

using Check = std::function<Result<void>(Draft&, Stored<model::Cluster>&)>;

// Submits a job on the cluster of the path, when the check has nothing against it.
Result<http::Response> submit_job(Call& call, const model::Intent& intent, const Check& check) {
  call.target = "cluster " + call.capture("name");
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    auto cluster = cluster_to_change(draft, call.capture("name"));
    if (!cluster) return std::unexpected(cluster.error());
    if (auto same = check_if_match(call.request, cluster->revision); !same) return std::unexpected(same.error());
    if (check != nullptr) {
      if (auto good = check(draft, *cluster); !good) return std::unexpected(good.error());
    }
    const auto job = submit(draft, call.who.user, *cluster, intent);
    if (!job) return std::unexpected(job.error());
    return job_reply(*job);
  });
}

// A cluster as it would be; its problems by the door's rules.
Result<void> check_changed(const Call& call, const model::Cluster& changed) {
  Problems problems;
  if (auto checked = check_cluster(call.store(), call.service.config, changed, {}, problems); !checked) return checked;
  if (!problems.none()) return problems.refusal();
  return {};
}

Result<http::Response> resize_to(Call& call, int64_t memory) {
  const auto mib = static_cast<uint32_t>(memory);
  return submit_job(call, {.kind = JobKind::resize, .memory_mib = mib},
                    [&](Draft&, Stored<model::Cluster>& cluster) -> Result<void> {
                      if (cluster.record.spec.memory_mib == mib) return wrong("memory", "its nodes have that already");
                      model::Cluster changed = cluster.record;
                      changed.spec.memory_mib = mib;
                      return check_changed(call, changed);
                    });
}

Result<http::Response> scale(Call& call) {
  if (call.body.has("number") == call.body.has("memory")) return wrong("number", "say either number or memory");
  if (call.body.has("memory")) return resize_to(call, call.body.integer("memory"));
  const auto number = static_cast<uint32_t>(call.body.integer("number"));
  return submit_job(call, {.kind = JobKind::scale, .shards = number},
                    [&](Draft&, Stored<model::Cluster>& cluster) -> Result<void> {
                      if (cluster.record.shards == number) return wrong("number", "it has as many already");
                      model::Cluster changed = cluster.record;
                      changed.shards = number;
                      return check_changed(call, changed);
                    });
}

Result<http::Response> resize(Call& call) { return resize_to(call, call.body.integer("memory")); }

// Every address must be that of a node of this cluster.
Result<void> check_nodes(Draft& draft, const model::Cluster& cluster, const std::vector<std::string>& nodes) {
  Problems problems;
  for (const std::string& address : nodes) {
    const std::string shown = address.substr(0, 128);
    if (!keys::valid_part(address)) {
      problems.add("nodes", "\"" + shown + "\" is no address of a node");
      continue;
    }
    const auto node = read<model::Node>(draft.store(), keys::instance(address));
    if (!node) return std::unexpected(node.error());
    if (!*node || (*node)->record.cluster != cluster.name) {
      problems.add("nodes", "cluster " + cluster.name + " has no node " + shown);
    }
  }
  if (!problems.none()) return problems.refusal();
  return {};
}

Result<http::Response> of_nodes(Call& call, JobKind kind, const std::vector<std::string>& nodes) {
  return submit_job(call, {.kind = kind, .nodes = nodes}, [&](Draft& draft, Stored<model::Cluster>& cluster) {
    return check_nodes(draft, cluster.record, nodes);
  });
}

Result<http::Response> restart(Call& call) { return of_nodes(call, JobKind::restart, call.body.texts("nodes")); }

Result<http::Response> replace(Call& call) {
  const auto nodes = call.body.texts("nodes");
  if (nodes.empty()) return wrong("nodes", "which ones?");
  return of_nodes(call, JobKind::replace, nodes);
}

// Of a path that names one node.
Result<http::Response> of_node(Call& call, JobKind kind) {
  auto response = of_nodes(call, kind, {call.capture("addr")});
  if (!response && response.error().code == "invalid") {  // it is the path that is wrong, not a field
    return not_found("cluster " + call.capture("name") + " has no node " + call.capture("addr").substr(0, 128));
  }
  return response;
}

Result<http::Response> restart_node(Call& call) { return of_node(call, JobKind::restart); }
Result<http::Response> replace_node(Call& call) { return of_node(call, JobKind::replace); }

Result<http::Response> recover(Call& call) {
  const auto hosts = call.body.texts("hosts");
  if (hosts.empty()) return wrong("hosts", "which ones?");
  return submit_job(call, {.kind = JobKind::recover, .hosts = hosts},
                    [&](Draft& draft, Stored<model::Cluster>& cluster) -> Result<void> {
                      const auto view = read_cluster(draft.store(), cluster.record.name);
                      if (!view) return std::unexpected(view.error());
                      Problems problems;
                      for (const std::string& host : hosts) {
                        const bool used = *view && std::ranges::any_of((*view)->nodes, [&](const NodeView& node) {
                          return node.node.host == host;
                        });
                        if (!used) problems.add("hosts", "the cluster has no node on " + host.substr(0, 128));
                      }
                      if (!problems.none()) return problems.refusal();
                      return {};
                    });
}

Result<http::Response> rebalance(Call& call) { return submit_job(call, {.kind = JobKind::rebalance}, nullptr); }

Result<http::Response> configure(Call& call) {
  const auto* settings = call.body.get<std::map<std::string, std::string>>("settings");
  return submit_job(call, {.kind = JobKind::configure, .settings = *settings},
                    [&](Draft&, Stored<model::Cluster>& cluster) -> Result<void> {
                      model::Cluster changed = cluster.record;
                      changed.settings = *settings;
                      return check_changed(call, changed);
                    });
}

Result<http::Response> upgrade(Call& call) {
  const std::string version = call.body.text("version");
  return submit_job(call, {.kind = JobKind::upgrade, .version = version},
                    [&](Draft&, Stored<model::Cluster>& cluster) -> Result<void> {
                      if (cluster.record.version == version) return wrong("version", "it has that already");
                      model::Cluster changed = cluster.record;
                      changed.version = version;
                      return check_changed(call, changed);
                    });
}

Result<http::Response> instances(Call& call) {
  const std::string name = call.capture("name");
  if (!model::valid_name(name)) return not_found("there is no cluster of that name");
  const auto cluster = read_cluster(call.store(), name);
  if (!cluster) return std::unexpected(cluster.error());
  if (!*cluster) return not_found("there is no cluster " + name);
  std::vector<Json> items;
  for (const NodeView& node : (*cluster)->nodes) items.push_back(view(node));
  return list_response(call, std::move(items), "alias");
}

Result<http::Response> set_weight(Call& call) {
  const std::string address = call.capture("addr");
  call.target = "cluster " + call.capture("name") + ", node " + address.substr(0, 128);
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const auto cluster = cluster_to_change(draft, call.capture("name"));
    if (!cluster) return std::unexpected(cluster.error());
    auto node = keys::valid_part(address) ? draft.read<model::Node>(keys::instance(address))
                                          : Result<std::optional<Stored<model::Node>>>(std::nullopt);
    if (!node) return std::unexpected(node.error());
    if (!*node || (*node)->record.cluster != cluster->record.name) {
      return not_found("cluster " + cluster->record.name + " has no node " + address.substr(0, 128));
    }
    if (auto same = check_if_match(call.request, (*node)->revision); !same) return std::unexpected(same.error());
    if (cluster->record.type == model::CacheType::redis_cluster) {
      return conflict("nodes of a redis_cluster have slots, not weights");
    }
    (*node)->record.weight = static_cast<uint32_t>(call.body.integer("weight"));
    draft.put((*node)->key, model::to_json((*node)->record));
    return done();
  });
}

constexpr Route kRoutes[] = {
    {.method = "GET",
     .path = "/api/v1/clusters/{name}/instances",
     .what = "The nodes of a cluster.",
     .handler = instances,
     .answer = &kInstanceSchema,
     .list = true},
    {.method = "PATCH",
     .path = "/api/v1/clusters/{name}/instances",
     .what = "Scales a cluster, as the Go platform had it: a job.",
     .need = Need::operator_,
     .handler = scale,
     .body = &kScaleSchema,
     .answer = &kJobReplySchema},
    {.method = "PATCH",
     .path = "/api/v1/clusters/{name}/instances/{addr}",
     .what = "Sets the weight of a node of a memcache or redis cluster, at once.",
     .need = Need::operator_,
     .handler = set_weight,
     .body = &kWeightSchema,
     .answer = &kDoneSchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/instance/{addr}/restart",
     .what = "Restarts a node: a job.",
     .need = Need::operator_,
     .handler = restart_node,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/instances/{addr}/restart",
     .what = "Restarts a node: a job.",
     .need = Need::operator_,
     .handler = restart_node,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/instances/{addr}/replace",
     .what = "Gives a node a new place: a job.",
     .need = Need::operator_,
     .handler = replace_node,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/scale",
     .what = "Scales a cluster: a job.",
     .need = Need::operator_,
     .handler = scale,
     .body = &kScaleSchema,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/resize",
     .what = "Gives its nodes other memory: a job.",
     .need = Need::operator_,
     .handler = resize,
     .body = &kResizeSchema,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/restart",
     .what = "Restarts its nodes one after the other: a job.",
     .need = Need::operator_,
     .handler = restart,
     .body = &kNodesSchema,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/replace",
     .what = "Gives nodes new places: a job.",
     .need = Need::operator_,
     .handler = replace,
     .body = &kSomeNodesSchema,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/recover",
     .what = "Replaces what was on lost hosts: a job.",
     .need = Need::operator_,
     .handler = recover,
     .body = &kHostsSchema,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/rebalance",
     .what = "Brings roles and slots to where they are planned: a job.",
     .need = Need::operator_,
     .handler = rebalance,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/configure",
     .what = "Changes settings of its servers: a job.",
     .need = Need::operator_,
     .handler = configure,
     .body = &kSettingsSchema,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/upgrade",
     .what = "Brings it to another version: a job.",
     .need = Need::operator_,
     .handler = upgrade,
     .body = &kVersionSchema,
     .answer = &kJobReplySchema},
};

}  // namespace

std::span<const Route> instance_routes() { return kRoutes; }

}  // namespace overlord::api
