#include "api/submit.h"

#include <algorithm>
#include <set>

#include "model/host.h"
#include "model/names.h"
#include "model/validate.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;

constexpr size_t kMaxAppids = 32;  // two keys each must fit into one transaction
constexpr uint32_t kSurvivors = 3;

// What belongs to the platform: where the server listens and writes, who may come in, what memory it has, what it loads.
constexpr std::string_view kPlatformSettings[] = {
    "aclfile",
    "appendfilename",
    "appenddirname",
    "bind",
    "daemonize",
    "dbfilename",
    "dir",
    "enable-debug-command",
    "enable-module-command",
    "enable-protected-configs",
    "include",
    "listen",
    "loadmodule",
    "logfile",
    "masterauth",
    "masteruser",
    "max-memory",
    "maxmemory",
    "memory-limit",
    "pidfile",
    "port",
    "protected-mode",
    "rename-command",
    "replicaof",
    "requirepass",
    "slaveof",
    "supervised",
    "syslog-enabled",
    "unixsocket",
    "unixsocketperm",
    "user",
};
constexpr std::string_view kPlatformPrefixes[] = {"cluster-", "tls-"};
// Of those with such a beginning, what is for users.
constexpr std::string_view kFree[] = {"cluster-node-timeout",
                                      "cluster-require-full-coverage",
                                      "cluster-allow-reads-when-down",
                                      "cluster-replica-validity-factor",
                                      "cluster-migration-barrier",
                                      "cluster-allow-replica-migration",
                                      "cluster-allow-pubsubshard-when-down"};

Result<uint64_t> put_job(Draft& draft, model::Job& job) {
  const auto number = draft.next("job");
  if (!number) return number;
  job.number = *number;
  job.created = job.changed = model::now();
  draft.put(keys::job(job.group, job.number), model::to_json(job));
  return number;
}

// Nothing, or why the cluster cannot have another job now.
Result<void> check_free(Draft& draft, const model::Cluster& cluster) {
  if (cluster.job.empty()) return {};
  const std::string key = job_key(cluster.job);
  if (key.empty()) return {};
  const auto job = draft.read<model::Job>(key);
  if (!job) return std::unexpected(job.error());
  if (!*job || is_over((*job)->record.state)) return {};
  const model::Job& running = (*job)->record;
  return refuse("busy", "job " + cluster.job + " (" + std::string(to_string(running.intent.kind)) + ", " +
                            std::string(to_string(running.state)) + ") changes cluster " + cluster.name +
                            " now; wait for it, or cancel it");
}

}  // namespace

bool is_platform_setting(std::string_view name) {
  if (std::ranges::find(kFree, name) != std::end(kFree)) return false;
  return std::ranges::find(kPlatformSettings, name) != std::end(kPlatformSettings) ||
         std::ranges::any_of(kPlatformPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

std::string appid_key(std::string_view appid) { return keys::of(keys::kAppids, appid); }
std::string appid_side(std::string_view appid, std::string_view cluster) {
  return keys::of(keys::kAppids, appid, cluster);
}
std::string cluster_side(std::string_view cluster, std::string_view appid) {
  return keys::cluster_appid(cluster, appid);
}

Result<Stored<model::Cluster>> cluster_to_change(Draft& draft, const std::string& name) {
  if (!model::valid_name(name)) return not_found("there is no cluster of that name");
  auto found = draft.read<model::Cluster>(keys::cluster_info(name));
  if (!found) return std::unexpected(found.error());
  if (!*found) return not_found("there is no cluster " + name);
  return std::move(**found);
}

Result<void> check_cluster(store::Store& store, const Config& config, const model::Cluster& cluster,
                           const std::vector<std::string>& appids, Problems& problems) {
  for (const model::Problem& problem : problems_of(cluster)) {
    // What clients call "number" is "shards" in the record.
    const std::string field = problem.field == "shards" ? "number" : problem.field;
    if (!problems.about(field)) problems.add(field, problem.message);
  }
  for (const auto& [name, value] : cluster.settings) {
    if (is_platform_setting(name)) problems.add("settings." + name, "is set by the platform");
  }
  if (cluster.fault_tolerant && cluster.shards > 0 && cluster.shards < kSurvivors && !problems.about("number")) {
    problems.add("number",
                 "fewer than 3 nodes do not outlast the loss of a host; say \"fault_tolerant\": false to "
                 "have such a cluster all the same");
  }
  if (!problems.about("group") &&
      std::ranges::find(config.groups, cluster.group, &Group::name) == config.groups.end()) {
    problems.add("group", "there is no group " + cluster.group);
  }
  if (appids.size() > kMaxAppids) problems.add("appids", std::to_string(kMaxAppids) + " at most");
  for (const std::string& appid : appids) {
    if (!model::valid_appid(appid)) {
      problems.add("appids", "\"" + appid.substr(0, 128) + "\" must be as department.service");
    }
  }
  if (std::set<std::string>(appids.begin(), appids.end()).size() != appids.size()) {
    problems.add("appids", "one stands there twice");
  }
  if (problems.about("version")) return {};
  const std::string key = keys::of(keys::kVersions, to_string(cluster.type), cluster.version);
  const auto known = store.get(key);
  if (!known) return refuse(known.error());
  if (!*known) {
    problems.add("version", "there is no version " + cluster.version + " of " + std::string(to_string(cluster.type)) +
                                "; see /api/v1/versions");
  }
  return {};
}

Result<model::Job> submit(Draft& draft, const std::string& user, Stored<model::Cluster>& cluster,
                          model::Intent intent) {
  if (auto free = check_free(draft, cluster.record); !free) return std::unexpected(free.error());
  const bool destroys = intent.kind == model::JobKind::destroy;
  if (!destroys && cluster.record.state == model::ClusterState::waiting) {
    return conflict("cluster " + cluster.record.name + " is not made yet");
  }
  if (!destroys && cluster.record.state == model::ClusterState::deleting) {
    return conflict("cluster " + cluster.record.name + " is being deleted");
  }
  intent.cluster = cluster.record.name;
  model::Job job{.group = cluster.record.group, .intent = std::move(intent), .user = user};
  if (auto put = put_job(draft, job); !put) return std::unexpected(put.error());
  if (destroys) cluster.record.state = model::ClusterState::deleting;  // from now on nothing is bound to it
  cluster.record.job = job.id();
  cluster.record.changed = job.created;
  draft.put(cluster.key, model::to_json(cluster.record));
  return job;
}

Result<model::Job> submit_create(Draft& draft, const std::string& user, model::Cluster& cluster,
                                 const std::vector<std::string>& appids) {
  // Anything below its name, so that leavings of another are not taken for its own.
  const auto leavings = draft.store().list(keys::cluster(cluster.name), {.limit = 1});
  if (!leavings) return refuse(leavings.error());
  if (!leavings->records.empty()) return conflict("there is a cluster " + cluster.name + " already");
  draft.conditions.push_back(store::absent(keys::cluster_info(cluster.name)));
  const auto port = draft.next_front_port();
  if (!port) return std::unexpected(port.error());

  model::Job job{.group = cluster.group, .user = user};
  job.intent = {.kind = model::JobKind::create,
                .cluster = cluster.name,
                .shards = cluster.shards,
                .memory_mib = cluster.spec.memory_mib,
                .version = cluster.version};
  if (auto put = put_job(draft, job); !put) return std::unexpected(put.error());
  cluster.front_port = *port;
  cluster.state = model::ClusterState::waiting;
  cluster.job = job.id();
  cluster.created_by = user;
  cluster.created = cluster.changed = job.created;
  draft.put(keys::cluster_info(cluster.name), model::to_json(cluster));
  draft.put(keys::cluster_front_port(cluster.name), std::to_string(*port));
  for (const std::string& appid : appids) {
    draft.put(appid_key(appid), "{}");
    draft.put(appid_side(appid, cluster.name), "");
    draft.put(cluster_side(cluster.name, appid), "");
  }
  return job;
}

}  // namespace overlord::api
