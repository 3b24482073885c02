#pragma once
// Submitting jobs: what is wanted becomes a record of its own, together with what it is about, in one transaction. A
// cluster has one job at a time: Cluster::job names it, and stays until whoever carries jobs out has it empty again or the
// job is over.

#include <string>
#include <vector>

#include "api/change.h"

namespace overlord::api {

// A job on a cluster that exists. `busy` when another one is under way, `conflict` when its state does not allow it.
// Changes that the caller made in cluster.record are written along.
Result<model::Job> submit(Draft& draft, const std::string& user, Stored<model::Cluster>& cluster, model::Intent intent);

// A new cluster with its first job: the name must be free, the front port is taken, appids are bound on both sides.
// Fills what the platform decides. `invalid` has all that is wrong.
Result<model::Job> submit_create(Draft& draft, const std::string& user, model::Cluster& cluster,
                                 const std::vector<std::string>& appids);

// The cluster, to be changed by this draft; 404 when there is none.
Result<Stored<model::Cluster>> cluster_to_change(Draft& draft, const std::string& name);

// What is wrong with a cluster that is to be made or changed, by what stands in the store too: its version and group.
Result<void> check_cluster(store::Store& store, const Config& config, const model::Cluster& cluster,
                           const std::vector<std::string>& appids, Problems& problems);

// Whether the platform itself sets it, so that nobody else may: "port", "requirepass", "cluster-enabled".
bool is_platform_setting(std::string_view name);

// Both keys that say that an appid is bound to a cluster.
std::string appid_side(std::string_view appid, std::string_view cluster);
std::string cluster_side(std::string_view cluster, std::string_view appid);
std::string appid_key(std::string_view appid);

}  // namespace overlord::api
