// What users choose from: applications, specs, versions, groups.

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
namespace {

namespace keys = store::keys;

constexpr Field kAppidFields[] = {{.name = "appid", .what = "As department.service.", .required = true}};
constexpr Schema kAppidSchema{"AppidCreate", kAppidFields};
constexpr Field kAppidsQuery[] = {{.name = "format", .what = "plain unless said.", .words = "plain,tree"}};
constexpr Field kGroupedFields[] = {
    {.name = "group", .required = true},
    {.name = "clusters", .type = FieldType::objects, .required = true, .schema = &kClusterSchema},
};
constexpr Schema kGroupedSchema{"GroupedClusters", kGroupedFields};
constexpr Field kGroupedAppidFields[] = {
    {.name = "name", .required = true},
    {.name = "grouped_clusters", .type = FieldType::objects, .required = true, .schema = &kGroupedSchema},
};
constexpr Schema kGroupedAppidSchema{"GroupedAppid", kGroupedAppidFields};
constexpr Field kSpecFields[] = {{.name = "spec", .what = "Such as 1c2g.", .required = true}};
constexpr Schema kSpecSchema{"SpecCreate", kSpecFields};
constexpr Field kVersionsFields[] = {
    {.name = "cache_type", .required = true},
    {.name = "versions", .type = FieldType::texts, .required = true},
};
constexpr Schema kVersionsSchema{"Versions", kVersionsFields};
constexpr Field kVersionFields[] = {{.name = "sha256", .what = "Of its archive on the file server; 64 hex digits."}};
constexpr Schema kVersionSchema{"VersionPut", kVersionFields};
constexpr Field kGroupFields[] = {
    {.name = "name", .required = true},
    {.name = "name_cn", .what = "As people call it.", .required = true},
};
constexpr Schema kGroupSchema{"Group", kGroupFields};

std::unexpected<ApiError> wrong(std::string field, std::string message) {
  Problems problems;
  problems.add(std::move(field), std::move(message));
  return problems.refusal();
}

// Names of all applications, those that are only bound too.
Result<std::set<std::string>> appids(store::Store& store) {
  const auto page = store::list_all(store, keys::kAppids);
  if (!page) return refuse(page.error());
  std::set<std::string> out;
  for (const store::Record& record : page->records) {
    const std::string_view path = below(record.key, keys::kAppids);
    out.emplace(path.substr(0, path.find('/')));
  }
  return out;
}

Result<http::Response> list_appids(Call& call) {
  const auto names = appids(call.store());
  if (!names) return std::unexpected(names.error());
  std::vector<Json> items;
  if (call.request.parameter("format") != "tree") {
    for (const std::string& name : *names) items.emplace_back(name);
    return list_response(call, std::move(items), "name");
  }
  std::map<std::string, Json> tree;
  for (const std::string& name : *names) {
    const size_t dot = name.rfind('.');
    Json& children = tree.try_emplace(name.substr(0, dot), Json::array()).first->second;
    children.push_back({{"name", name}, {"label", dot == std::string::npos ? name : name.substr(dot + 1)}});
  }
  for (auto& [name, children] : tree) {
    items.push_back({{"name", name}, {"label", name}, {"children", std::move(children)}});
  }
  return list_response(call, std::move(items), "name");
}

Result<http::Response> create_appid(Call& call) {
  const std::string appid = call.body.text("appid");
  if (!model::valid_appid(appid)) return wrong("appid", "must be as department.service");
  call.target = "appid " + appid;
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const auto known = draft.store().list(appid_key(appid), {.limit = 1});
    if (!known) return refuse(known.error());
    const bool is_there = !known->records.empty() && (known->records.front().key == appid_key(appid) ||
                                                      known->records.front().key.starts_with(appid_side(appid, "")));
    if (is_there) return conflict("there is an appid " + appid + " already");
    draft.conditions.push_back(store::absent(appid_key(appid)));
    draft.put(appid_key(appid), "{}");
    return done();
  });
}

// Clusters that it is bound to; nothing: there is no such appid.
Result<std::optional<std::vector<std::string>>> bound_to(store::Store& store, const std::string& appid) {
  if (!model::valid_appid(appid)) return std::nullopt;
  const auto page = store::list_all(store, appid_side(appid, ""));
  if (!page) return refuse(page.error());
  const auto itself = store.get(appid_key(appid));
  if (!itself) return refuse(itself.error());
  if (page->records.empty() && !*itself) return std::nullopt;
  std::vector<std::string> out;
  for (const store::Record& record : page->records) out.emplace_back(below(record.key, appid_side(appid, "")));
  return out;
}

Result<http::Response> show_appid(Call& call) {
  const std::string appid = call.capture("appid");
  const auto bound = bound_to(call.store(), appid);
  if (!bound) return std::unexpected(bound.error());
  if (!*bound) return not_found("there is no appid " + appid.substr(0, 128));
  std::map<std::string, Json> groups;
  for (const std::string& name : **bound) {
    const auto cluster = read_cluster(call.store(), name);
    if (!cluster) return std::unexpected(cluster.error());
    if (!*cluster) continue;  // deleted meanwhile
    Json& clusters = groups.try_emplace((*cluster)->cluster.group, Json::array()).first->second;
    clusters.push_back(view(**cluster, call.service.config));
  }
  Json grouped = Json::array();
  for (auto& [group, clusters] : groups) grouped.push_back({{"group", group}, {"clusters", std::move(clusters)}});
  return json_response({{"name", appid}, {"grouped_clusters", std::move(grouped)}});
}

Result<http::Response> delete_appid(Call& call) {
  const std::string appid = call.capture("appid");
  call.target = "appid " + appid.substr(0, 128);
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const auto bound = bound_to(draft.store(), appid);
    if (!bound) return std::unexpected(bound.error());
    if (!*bound) return not_found("there is no appid " + appid.substr(0, 128));
    if (!(*bound)->empty()) {
      std::string names;
      for (const std::string& name : **bound) names.append(names.empty() ? "" : ", ").append(name);
      return conflict("appid " + appid + " is bound to " + names + "; unbind it first");
    }
    // Binding writes the same key, so one of the two is tried again.
    const auto itself = draft.store().get(appid_key(appid));
    if (!itself) return refuse(itself.error());
    draft.conditions.push_back(store::modified_at(appid_key(appid), *itself ? (*itself)->modified : 0));
    draft.remove(appid_key(appid));
    return done();
  });
}

Result<http::Response> list_specs(Call& call) {
  const auto page = store::list_all(call.store(), keys::kSpecs);
  if (!page) return refuse(page.error());
  std::vector<Json> items;
  for (const store::Record& record : page->records) items.emplace_back(std::string(below(record.key, keys::kSpecs)));
  return list_response(call, std::move(items), "name");
}

Result<http::Response> create_spec(Call& call) {
  const auto spec = model::spec(call.body.text("spec"));
  if (!spec) return wrong("spec", "must be cores and memory, such as 0.25c512m or 1c2g");
  const std::string name = to_string(*spec);
  call.target = "spec " + name;
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const std::string key = keys::of(keys::kSpecs, name);
    const auto known = draft.store().get(key);
    if (!known) return refuse(known.error());
    if (*known) return conflict("there is a spec " + name + " already");
    draft.conditions.push_back(store::absent(key));
    draft.put(key, text_of({{"cpu_milli", spec->cpu_milli}, {"memory_mib", spec->memory_mib}}));
    return done();
  });
}

// A record that is to be removed, or 404.
Result<void> remove(Draft& draft, const std::string& key, const std::string& what) {
  const auto known = draft.store().get(key);
  if (!known) return refuse(known.error());
  if (!*known) return not_found("there is no " + what);
  draft.conditions.push_back(store::unchanged(**known));
  draft.remove(key);
  return {};
}

Result<http::Response> delete_spec(Call& call) {
  const std::string name = call.capture("spec");
  call.target = "spec " + name.substr(0, 64);
  if (!keys::valid_part(name)) return not_found("there is no such spec");
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    if (auto removed = remove(draft, keys::of(keys::kSpecs, name), "spec " + name); !removed) {
      return std::unexpected(removed.error());
    }
    return done();
  });
}

Result<http::Response> list_versions(Call& call) {
  const auto versions = read_all<model::Version>(call.store(), keys::kVersions);
  if (!versions) return std::unexpected(versions.error());
  std::map<std::string, std::vector<std::string>, std::less<>> by_type;
  for (const auto& version : *versions) {
    by_type[std::string(to_string(version.record.type))].push_back(version.record.version);
  }
  std::vector<Json> items;
  for (auto& [type, names] : by_type) items.push_back({{"cache_type", type}, {"versions", names}});
  return list_response(call, std::move(items), "cache_type");
}

std::string version_key(const Call& call) {
  const std::string version = call.capture("version");
  if (!model::cache_type(call.capture("type")) || !keys::valid_part(version)) return {};
  return keys::of(keys::kVersions, call.capture("type"), version);
}

Result<http::Response> put_version(Call& call) {
  const std::string key = version_key(call);
  if (key.empty()) return not_found("a version stands at /api/v1/versions/<cache type>/<version>");
  const std::string sha256 = call.body.text("sha256");
  if (!sha256.empty() && (sha256.size() != 64 || sha256.find_first_not_of("0123456789abcdef") != std::string::npos)) {
    return wrong("sha256", "must be 64 hex digits in small letters");
  }
  call.target = "version " + call.capture("version") + " of " + call.capture("type");
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const auto known = draft.store().get(key);
    if (!known) return refuse(known.error());
    draft.conditions.push_back(store::modified_at(key, *known ? (*known)->modified : 0));
    draft.put(key, model::to_json(model::Version{.type = *model::cache_type(call.capture("type")),
                                                 .version = call.capture("version"),
                                                 .sha256 = sha256}));
    return done();
  });
}

Result<http::Response> delete_version(Call& call) {
  const std::string key = version_key(call);
  if (key.empty()) return not_found("a version stands at /api/v1/versions/<cache type>/<version>");
  call.target = "version " + call.capture("version") + " of " + call.capture("type");
  return change(call, [&](Draft& draft) -> Result<http::Response> {
    const auto clusters = read_clusters(draft.store());
    if (!clusters) return std::unexpected(clusters.error());
    for (const ClusterView& one : *clusters) {
      if (one.cluster.version == call.capture("version") && to_string(one.cluster.type) == call.capture("type")) {
        return conflict("cluster " + one.cluster.name + " has that version");
      }
    }
    if (auto removed = remove(draft, key, call.target); !removed) return std::unexpected(removed.error());
    return done();
  });
}

Result<http::Response> list_groups(Call& call) {
  std::vector<Json> items;
  for (const Group& group : call.service.config.groups) {
    items.push_back({{"name", group.name}, {"name_cn", group.name_cn}});
  }
  return list_response(call, std::move(items), "name");
}

constexpr Route kRoutes[] = {
    {.method = "GET",
     .path = "/api/v1/appids",
     .what = "All applications: names, or a tree of them.",
     .handler = list_appids,
     .list = true,
     .query = kAppidsQuery},
    {.method = "POST",
     .path = "/api/v1/appids",
     .what = "Makes an application.",
     .need = Need::operator_,
     .handler = create_appid,
     .body = &kAppidSchema,
     .answer = &kDoneSchema},
    {.method = "GET",
     .path = "/api/v1/appids/{appid}",
     .what = "An application, with its clusters by group.",
     .handler = show_appid,
     .answer = &kGroupedAppidSchema},
    {.method = "DELETE",
     .path = "/api/v1/appids/{appid}",
     .what = "Deletes an application that is bound to nothing.",
     .need = Need::operator_,
     .handler = delete_appid,
     .answer = &kDoneSchema},
    {.method = "GET",
     .path = "/api/v1/specs",
     .what = "Sizes of nodes to choose from.",
     .handler = list_specs,
     .list = true},
    {.method = "POST",
     .path = "/api/v1/specs",
     .what = "Adds a size.",
     .need = Need::operator_,
     .handler = create_spec,
     .body = &kSpecSchema,
     .answer = &kDoneSchema},
    {.method = "DELETE",
     .path = "/api/v1/specs/{spec}",
     .what = "Takes a size away.",
     .need = Need::operator_,
     .handler = delete_spec,
     .answer = &kDoneSchema},
    {.method = "GET",
     .path = "/api/v1/versions",
     .what = "Versions that clusters may have.",
     .handler = list_versions,
     .answer = &kVersionsSchema,
     .list = true},
    {.method = "PUT",
     .path = "/api/v1/versions/{type}/{version}",
     .what = "Adds a version, or changes its checksum.",
     .need = Need::admin,
     .handler = put_version,
     .body = &kVersionSchema,
     .answer = &kDoneSchema},
    {.method = "DELETE",
     .path = "/api/v1/versions/{type}/{version}",
     .what = "Takes a version away that nobody has.",
     .need = Need::admin,
     .handler = delete_version,
     .answer = &kDoneSchema},
    {.method = "GET",
     .path = "/api/v1/groups",
     .what = "Groups that clusters may be in.",
     .handler = list_groups,
     .answer = &kGroupSchema,
     .list = true},
};

}  // namespace

std::span<const Route> catalog_routes() { return kRoutes; }

}  // namespace overlord::api
