// Hosts: listed with what is used of them, labelled, emptied and put to use again.

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "api/change.h"
#include "api/paging.h"
#include "api/submit.h"
#include "api/views.h"
#include "store/keys.h"

namespace overlord::api {

constexpr Field kHostFields[] = {
    {.name = "name", .what = "Its address.", .required = true},
    {.name = "group", .required = true},
    {.name = "labels", .type = FieldType::text_map, .what = "zone and rack count for placement.", .required = true},
    {.name = "cpu_milli", .type = FieldType::integer, .what = "Of all its cores, in thousandths.", .required = true},
    {.name = "memory", .type = FieldType::integer, .what = "MiB, used or not.", .required = true},
    {.name = "used_cpu_milli", .type = FieldType::integer, .what = "Reserved by nodes.", .required = true},
    {.name = "used_memory", .type = FieldType::integer, .required = true},
    {.name = "instances", .type = FieldType::integer, .what = "Nodes on it.", .required = true},
    {.name = "clusters", .type = FieldType::texts, .what = "That have nodes on it.", .required = true},
    {.name = "ports", .type = FieldType::texts, .what = "Ranges that nodes may have.", .required = true},
    {.name = "draining", .type = FieldType::boolean, .what = "Takes no new nodes.", .required = true},
    {.name = "lost", .type = FieldType::boolean, .what = "Not heard of for long.", .required = true},
    {.name = "seen", .required = true},
};
const Schema kHostSchema{"Host", kHostFields};

namespace {

namespace keys = store::keys;

constexpr Field kListQuery[] = {
    {.name = "group"},
    {.name = "draining", .type = FieldType::boolean},
    {.name = "lost", .type = FieldType::boolean},
};
constexpr Field kLabelFields[] = {
    {.name = "labels", .type = FieldType::text_map, .what = "All that it is to have.", .required = true}};
constexpr Schema kLabelSchema{"HostChange", kLabelFields};
constexpr Field kDrainFields[] = {
    {.name = "host", .required = true},
    {.name = "jobs", .type = FieldType::texts, .what = "One for each cluster that leaves it.", .required = true},
    {.name = "busy",
     .type = FieldType::texts,
     .what = "Clusters that another job changes now; drain again when it is over.",
     .required = true},
};
constexpr Schema kDrainSchema{"Drain", kDrainFields};

// A draft may change so many things, and each job is two of them.
constexpr size_t kMaxDrains = 40;

struct Used {
  uint64_t cpu_milli = 0;
  uint64_t memory_mib = 0;
  uint64_t nodes = 0;
  std::set<std::string> clusters;
};

Result<std::map<std::string, Used, std::less<>>> used_of_hosts(store::Store& store) {
  const auto nodes = read_nodes(store);
  if (!nodes) return std::unexpected(nodes.error());
  std::map<std::string, Used, std::less<>> out;
  for (const NodeView& view : *nodes) {
    Used& used = out[view.node.host];
    used.cpu_milli += view.node.spec.cpu_milli;
    used.memory_mib += view.node.spec.memory_mib;
    ++used.nodes;
    used.clusters.insert(view.node.cluster);
  }
  return out;
}

Json host_view(const model::Host& host, const Used& used) {
  Json ports = Json::array();
  for (const model::PortRange& range : host.ports) {
    ports.push_back(std::to_string(range.first) + "-" + std::to_string(range.last));
  }
  return {{"name", host.name},
          {"group", host.group},
          {"labels", Json(host.labels)},
          {"cpu_milli", host.capacity.cpu_milli},
          {"memory", host.capacity.memory_mib},
          {"used_cpu_milli", used.cpu_milli},
          {"used_memory", used.memory_mib},
          {"instances", used.nodes},
          {"clusters", used.clusters},
          {"ports", std::move(ports)},
          {"draining", host.draining},
          {"lost", host.lost},
          {"seen", model::to_text(host.seen)}};
}

bool flag_matches(const Call& call, std::string_view name, bool value) {
  const std::string_view wanted = call.request.parameter(name);
  return wanted.empty() || (wanted == "1" || wanted == "true") == value;
}

Result<http::Response> list(Call& call) {
  const auto hosts = read_all<model::Host>(call.store(), keys::kHosts);
  if (!hosts) return std::unexpected(hosts.error());
  auto used = used_of_hosts(call.store());
  if (!used) return std::unexpected(used.error());
  std::vector<Json> items;
  for (const auto& host : *hosts) {
    if (!asked_for(call, "group", host.record.group) || !flag_matches(call, "draining", host.record.draining) ||
        !flag_matches(call, "lost", host.record.lost)) {
      continue;
    }
    items.push_back(host_view(host.record, (*used)[host.record.name]));
  }
  return list_response(call, std::move(items), "name");
}

std::string host_key(const Call& call) {
  const std::string name = call.capture("host");
  return keys::valid_part(name) ? keys::of(keys::kHosts, name) : "";
}

Result<http::Response> show(Call& call) {
  const std::string key = host_key(call);
  if (key.empty()) return not_found("there is no such host");
  const auto host = read<model::Host>(call.store(), key);
  if (!host) return std::unexpected(host.error());
  if (!*host) return not_found("there is no host " + call.capture("host"));
  auto used = used_of_hosts(call.store());
  if (!used) return std::unexpected(used.error());
  http::Response response = json_response(host_view((*host)->record, (*used)[(*host)->record.name]));
  response.headers.emplace_back("ETag", etag_of((*host)->revision));
  return response;
}

// The host of the path, to be changed.
Result<Stored<model::Host>> host_to_change(Draft& draft, const Call& call) {
  const std::string key = host_key(call);
  if (key.empty()) return not_found("there is no such host");
  auto host = draft.read<model::Host>(key);
  if (!host) return std::unexpected(host.error());
  if (!*host) return not_found("there is no host " + call.capture("host"));
  if (auto same = check_if_match(call.request, (*host)->revision); !same) return std::unexpected(same.error());
  return std::move(**host);
}

Result<http::Response> relabel(Call& call) {
  const auto* labels = call.body.get<std::map<std::string, std::string>>("labels");
  call.target = "host " + call.capture("host").substr(0, 128);
  Problems problems;
  for (const auto& [name, value] : *labels) {
    if (!model::valid_name(name)) problems.add("labels", "\"" + name.substr(0, 64) + "\" is no name of a label");
    if (!value.empty() && !model::valid_name(value)) {
      problems.add("labels." + name.substr(0, 64), "must be letters, digits, '_', '-' and '.'");
    }
  }
  if (!problems.none()) return problems.refusal();
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    auto host = host_to_change(draft, call);
    if (!host) return std::unexpected(host.error());
    host->record.labels = *labels;
    draft.put(host->key, model::to_json(host->record));
    draft.etag = true;
    return done();
  });
}

Result<http::Response> drain(Call& call) {
  call.target = "host " + call.capture("host").substr(0, 128);
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    auto host = host_to_change(draft, call);
    if (!host) return std::unexpected(host.error());
    const auto used = used_of_hosts(draft.store());
    if (!used) return std::unexpected(used.error());
    Json jobs = Json::array();
    Json busy = Json::array();
    if (const auto mine = used->find(host->record.name); mine != used->end()) {
      for (const std::string& name : mine->second.clusters) {
        // What cannot have its job now leaves no trace in the draft.
        Draft trial = draft;
        auto cluster = cluster_to_change(trial, name);
        if (!cluster && cluster.error().code == "not_found") continue;
        if (!cluster) return std::unexpected(cluster.error());
        const auto job =
            jobs.size() >= kMaxDrains
                ? Result<model::Job>(refuse("busy", "later"))
                : submit(trial, call.who.user, *cluster, {.kind = model::JobKind::drain, .hosts = {host->record.name}});
        if (job) {
          draft = std::move(trial);
          jobs.push_back(job->id());
        } else if (job.error().status == 409) {
          busy.push_back(name);
        } else {
          return std::unexpected(job.error());
        }
      }
    }
    host->record.draining = true;
    draft.put(host->key, model::to_json(host->record));
    return json_response({{"host", host->record.name}, {"jobs", std::move(jobs)}, {"busy", std::move(busy)}});
  });
}

Result<http::Response> undrain(Call& call) {
  call.target = "host " + call.capture("host").substr(0, 128);
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    auto host = host_to_change(draft, call);
    if (!host) return std::unexpected(host.error());
    if (!host->record.draining) return done();
    host->record.draining = false;
    draft.put(host->key, model::to_json(host->record));
    return done();
  });
}

constexpr Route kRoutes[] = {
    {.method = "GET",
     .path = "/api/v1/hosts",
     .what = "All hosts, with what nodes reserve of them.",
     .handler = list,
     .answer = &kHostSchema,
     .list = true,
     .query = kListQuery},
    {.method = "GET", .path = "/api/v1/hosts/{host}", .what = "A host.", .handler = show, .answer = &kHostSchema},
    {.method = "PATCH",
     .path = "/api/v1/hosts/{host}",
     .what = "Gives a host other labels.",
     .need = Need::operator_,
     .handler = relabel,
     .body = &kLabelSchema,
     .answer = &kDoneSchema},
    {.method = "POST",
     .path = "/api/v1/hosts/{host}/drain",
     .what = "Takes a host out of use and has its nodes leave it: a job for each cluster.",
     .need = Need::operator_,
     .handler = drain,
     .answer = &kDrainSchema},
    {.method = "POST",
     .path = "/api/v1/hosts/{host}/undrain",
     .what = "Puts a host to use again.",
     .need = Need::operator_,
     .handler = undrain,
     .answer = &kDoneSchema},
};

}  // namespace

std::span<const Route> host_routes() { return kRoutes; }

}  // namespace overlord::api
