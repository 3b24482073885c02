// Clusters: made, listed, shown, changed and deleted. What takes time is a job.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "api/change.h"
#include "api/dry_run.h"
#include "api/paging.h"
#include "api/secrets.h"
#include "api/submit.h"
#include "api/views.h"
#include "model/names.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;

constexpr Field kProxyFields[] = {
    {.name = "dial_timeout", .type = FieldType::integer, .what = "ms", .lowest = 1, .highest = 3'600'000},
    {.name = "read_timeout", .type = FieldType::integer, .what = "ms", .lowest = 1, .highest = 3'600'000},
    {.name = "write_timeout", .type = FieldType::integer, .what = "ms", .lowest = 1, .highest = 3'600'000},
    {.name = "node_connections", .type = FieldType::integer, .lowest = 1, .highest = 1024},
    {.name = "ping_fail_limit", .type = FieldType::integer, .lowest = 0, .highest = 1'000'000},
    {.name = "ping_auto_eject", .type = FieldType::boolean},
};
constexpr Schema kProxySchema{"ProxySettings", kProxyFields};

constexpr Field kCreateFields[] = {
    {.name = "name", .what = "1 to 64 letters, digits, '_', '-' and '.'; nobody else's.", .required = true},
    {.name = "cache_type",
     .what = "memcache, redis or redis_cluster.",
     .required = true,
     .words = "memcache,redis,redis_cluster"},
    {.name = "spec", .what = "Of each node: cores and memory, such as 0.25c512m or 1c2g.", .required = true},
    {.name = "version", .what = "One of /api/v1/versions.", .required = true},
    {.name = "group", .what = "One of /api/v1/groups.", .required = true},
    {.name = "total_memory", .type = FieldType::number, .what = "MiB of all nodes, or masters; gives their number."},
    {.name = "number",
     .type = FieldType::integer,
     .what = "Nodes, or masters, in place of total_memory.",
     .lowest = 1,
     .highest = model::kMaxShards},
    {.name = "appids", .type = FieldType::texts, .what = "Applications that it is for; made when they are not known."},
    {.name = "replicas",
     .type = FieldType::integer,
     .what = "Of each master of a redis_cluster; 1 unless said.",
     .lowest = 0,
     .highest = model::kMaxReplicas},
    {.name = "fault_tolerant",
     .type = FieldType::boolean,
     .what = "Whether the loss of a host must leave more than half; true unless said."},
    {.name = "settings", .type = FieldType::text_map, .what = "Of the server, such as maxmemory-policy."},
    {.name = "password", .what = "Of redis nodes; made unless said."},
    {.name = "proxy", .type = FieldType::object, .what = "For its proxies.", .schema = &kProxySchema},
};
constexpr Schema kCreateSchema{"ClusterCreate", kCreateFields};

constexpr Field kCreateQuery[] = {
    {.name = "dry_run", .type = FieldType::boolean, .what = "1: only say where its nodes would go, and why."}};

constexpr Field kChangeFields[] = {
    {.name = "proxy", .type = FieldType::object, .what = "For its proxies.", .schema = &kProxySchema},
    {.name = "fault_tolerant", .type = FieldType::boolean, .what = "For what is placed from now on."},
};
constexpr Schema kChangeSchema{"ClusterChange", kChangeFields};

constexpr Field kListQuery[] = {
    {.name = "name", .what = "A part of the name."},
    {.name = "cache_type", .words = "memcache,redis,redis_cluster"},
    {.name = "state", .words = "waiting,done,changing,deleting,attention"},
    {.name = "group"},
    {.name = "appid", .what = "Bound to it."},
};

constexpr Field kAppidFields[] = {{.name = "appid", .what = "As department.service.", .required = true}};
constexpr Schema kAppidSchema{"Binding", kAppidFields};

void take_proxy_settings(const Body& body, model::ProxySettings& proxy) {
  const auto take = [&](std::string_view name, uint32_t& field) {
    if (const auto* value = body.get<int64_t>("proxy." + std::string(name))) field = static_cast<uint32_t>(*value);
  };
  take("dial_timeout", proxy.dial_timeout);
  take("read_timeout", proxy.read_timeout);
  take("write_timeout", proxy.write_timeout);
  take("node_connections", proxy.node_connections);
  take("ping_fail_limit", proxy.ping_fail_limit);
  proxy.ping_auto_eject = body.boolean("proxy.ping_auto_eject", proxy.ping_auto_eject);
}

// How many nodes, or masters: as many of the spec's size as the memory holds.
uint32_t number_of(const Body& body, const model::Spec& spec, Problems& problems) {
  if (body.has("number") == body.has("total_memory")) {
    problems.add("number", "say either number or total_memory");
    return 0;
  }
  if (body.has("number")) return static_cast<uint32_t>(body.integer("number"));
  if (spec.memory_mib == 0) return 0;  // the spec is a problem already
  const double total = body.number("total_memory");
  const double number = std::floor(total / spec.memory_mib);
  if (number < 1) {
    problems.add("total_memory", std::to_string(static_cast<int64_t>(total)) + " MiB are less than one node of " +
                                     std::to_string(spec.memory_mib) + " MiB");
    return 0;
  }
  if (number > model::kMaxShards) {
    problems.add("total_memory", "that would be " + std::to_string(static_cast<int64_t>(number)) +
                                     " nodes, and 1024 is the most; take a larger spec");
    return 0;
  }
  return static_cast<uint32_t>(number);
}

// The cluster that a body asks for. `problems` has what is wrong with it.
model::Cluster cluster_of(const Call& call, Problems& problems) {
  const Body& body = call.body;
  model::Cluster cluster;
  cluster.name = body.text("name");
  cluster.type = model::cache_type(body.text("cache_type")).value_or(model::CacheType::redis);
  cluster.version = body.text("version");
  cluster.group = body.text("group");
  if (const auto spec = model::spec(body.text("spec"))) {
    cluster.spec = *spec;
  } else {
    problems.add("spec", "must be cores and memory, such as 0.25c512m or 1c2g");
  }
  cluster.shards = number_of(body, cluster.spec, problems);
  // A number that is missing because of another problem is none of its own.
  if (cluster.shards == 0 && !problems.about("number")) cluster.shards = 3;
  const bool slots = cluster.type == model::CacheType::redis_cluster;
  cluster.replicas = static_cast<uint32_t>(body.integer("replicas", slots ? 1 : 0));
  cluster.fault_tolerant = body.boolean("fault_tolerant", true);
  if (const auto* settings = body.get<std::map<std::string, std::string>>("settings")) cluster.settings = *settings;
  cluster.proxy = call.service.config.proxy;
  take_proxy_settings(body, cluster.proxy);
  cluster.password = body.text("password");
  if (cluster.type == model::CacheType::memcache) {
    if (!cluster.password.empty()) problems.add("password", "memcache nodes have none");
  } else if (cluster.password.empty()) {
    cluster.password = new_password();
  }
  return cluster;
}

Result<http::Response> create(Call& call) {
  Problems problems;
  model::Cluster cluster = cluster_of(call, problems);
  const std::vector<std::string> appids = call.body.texts("appids");
  if (model::valid_name(cluster.name)) call.target = "cluster " + cluster.name;
  const auto checked = check_cluster(call.store(), call.service.config, cluster, appids, problems);
  if (!checked) return std::unexpected(checked.error());
  if (!problems.none()) return problems.refusal();
  const std::string_view dry = call.request.parameter("dry_run");
  if (dry == "1" || dry == "true") return dry_run(call.store(), cluster);
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    model::Cluster made = cluster;
    const auto job = submit_create(draft, call.who.user, made, appids);
    if (!job) return std::unexpected(job.error());
    return job_reply(*job);
  });
}

Result<http::Response> list(Call& call) {
  const auto clusters = read_clusters(call.store());
  if (!clusters) return std::unexpected(clusters.error());
  std::vector<Json> items;
  for (const ClusterView& one : *clusters) {
    const std::string_view appid = call.request.parameter("appid");
    if (!one.cluster.name.contains(call.request.parameter("name")) ||
        !asked_for(call, "cache_type", to_string(one.cluster.type)) ||
        !asked_for(call, "state", to_string(one.cluster.state)) || !asked_for(call, "group", one.cluster.group) ||
        (!appid.empty() && std::ranges::find(one.appids, appid) == one.appids.end())) {
      continue;
    }
    items.push_back(view(one, call.service.config));
  }
  return list_response(call, std::move(items), "name");
}

Result<ClusterView> cluster_named(Call& call) {
  const std::string name = call.capture("name");
  if (!model::valid_name(name)) return not_found("there is no cluster of that name");
  auto found = read_cluster(call.store(), name);
  if (!found) return std::unexpected(found.error());
  if (!*found) return not_found("there is no cluster " + name);
  return std::move(**found);
}

Result<http::Response> show(Call& call) {
  const auto found = cluster_named(call);
  if (!found) return std::unexpected(found.error());
  http::Response response = json_response(view(*found, call.service.config));
  const std::string tag = "\"" + std::to_string(found->revision) + "-" + sha256_hex(response.body).substr(0, 16) + "\"";
  response.headers.emplace_back("ETag", tag);
  if (call.request.header("if-none-match") == tag) {
    response.status = 304;
    response.body.clear();
  }
  return response;
}

Result<http::Response> change_record(Call& call) {
  call.target = "cluster " + call.capture("name");
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    auto cluster = cluster_to_change(draft, call.capture("name"));
    if (!cluster) return std::unexpected(cluster.error());
    if (auto same = check_if_match(call.request, cluster->revision); !same) return std::unexpected(same.error());
    if (call.body.empty()) return done();
    take_proxy_settings(call.body, cluster->record.proxy);
    cluster->record.fault_tolerant = call.body.boolean("fault_tolerant", cluster->record.fault_tolerant);
    cluster->record.changed = model::now();
    draft.put(cluster->key, model::to_json(cluster->record));
    draft.etag = true;
    return done();
  });
}

Result<http::Response> destroy(Call& call) {
  call.target = "cluster " + call.capture("name");
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    auto cluster = cluster_to_change(draft, call.capture("name"));
    if (!cluster) return std::unexpected(cluster.error());
    if (auto same = check_if_match(call.request, cluster->revision); !same) return std::unexpected(same.error());
    const std::string prefix = keys::of(keys::kClusters, cluster->record.name, "appids/");
    const auto bound = draft.store().list(prefix, {.limit = 20});
    if (!bound) return refuse(bound.error());
    if (!bound->records.empty()) {
      std::string names;
      for (const auto& record : bound->records)
        names.append(names.empty() ? "" : ", ").append(below(record.key, prefix));
      return conflict("cluster " + cluster->record.name + " is bound to " + names + "; unbind it first");
    }
    const auto job = submit(draft, call.who.user, *cluster, {.kind = model::JobKind::destroy});
    if (!job) return std::unexpected(job.error());
    return job_reply(*job);
  });
}

Result<http::Response> bind(Call& call) {
  const std::string appid = call.body.text("appid");
  call.target = "cluster " + call.capture("name") + ", appid " + appid.substr(0, 128);
  if (!model::valid_appid(appid)) {
    Problems problems;
    problems.add("appid", "must be as department.service");
    return problems.refusal();
  }
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    auto cluster = cluster_to_change(draft, call.capture("name"));
    if (!cluster) return std::unexpected(cluster.error());
    if (cluster->record.state == model::ClusterState::deleting) {
      return conflict("cluster " + cluster->record.name + " is being deleted");
    }
    const std::string key = cluster_side(cluster->record.name, appid);
    const auto bound = draft.store().get(key);
    if (!bound) return refuse(bound.error());
    if (*bound) return conflict("cluster " + cluster->record.name + " is bound to " + appid + " already");
    draft.conditions.push_back(store::absent(key));
    draft.put(key, "");
    draft.put(appid_side(appid, cluster->record.name), "");
    draft.put(appid_key(appid), "{}");
    // So that a deletion that saw no binding, made at the same time, is tried again.
    draft.put(cluster->key, model::to_json(cluster->record));
    return done("ok");
  });
}

Result<http::Response> unbind(Call& call) {
  const std::string appid = call.body.text("appid");
  call.target = "cluster " + call.capture("name") + ", appid " + appid.substr(0, 128);
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const auto cluster = cluster_to_change(draft, call.capture("name"));
    if (!cluster) return std::unexpected(cluster.error());
    const bool valid = model::valid_appid(appid);
    const std::string key = valid ? cluster_side(cluster->record.name, appid) : "";
    const auto bound = valid ? draft.store().get(key) : store::Answer<std::optional<store::Record>>(std::nullopt);
    if (!bound) return refuse(bound.error());
    if (!*bound) return not_found("cluster " + cluster->record.name + " is not bound to " + appid.substr(0, 128));
    draft.conditions.push_back(store::exists(key));
    draft.remove(key);
    draft.remove(appid_side(appid, cluster->record.name));
    return done("ok");
  });
}

constexpr Route kRoutes[] = {
    {.method = "POST",
     .path = "/api/v1/clusters",
     .what = "Makes a cluster: a job.",
     .need = Need::operator_,
     .handler = create,
     .body = &kCreateSchema,
     .answer = &kJobReplySchema,
     .query = kCreateQuery},
    {.method = "GET",
     .path = "/api/v1/clusters",
     .what = "All clusters.",
     .handler = list,
     .answer = &kClusterSchema,
     .list = true,
     .query = kListQuery},
    {.method = "GET",
     .path = "/api/v1/clusters/{name}",
     .what = "A cluster, with its nodes.",
     .handler = show,
     .answer = &kClusterSchema},
    {.method = "PATCH",
     .path = "/api/v1/clusters/{name}",
     .what = "Changes what its proxies are told, at once.",
     .need = Need::operator_,
     .handler = change_record,
     .body = &kChangeSchema,
     .answer = &kDoneSchema},
    {.method = "DELETE",
     .path = "/api/v1/clusters/{name}",
     .what = "Deletes a cluster that no appid is bound to: a job.",
     .need = Need::operator_,
     .handler = destroy,
     .answer = &kJobReplySchema},
    {.method = "POST",
     .path = "/api/v1/clusters/{name}/appid",
     .what = "Binds an application to it.",
     .need = Need::operator_,
     .handler = bind,
     .body = &kAppidSchema,
     .answer = &kDoneSchema},
    {.method = "DELETE",
     .path = "/api/v1/clusters/{name}/appid",
     .what = "Unbinds an application from it.",
     .need = Need::operator_,
     .handler = unbind,
     .body = &kAppidSchema,
     .answer = &kDoneSchema},
};

}  // namespace

std::span<const Route> cluster_routes() { return kRoutes; }

}  // namespace overlord::api
