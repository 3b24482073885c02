#pragma once
// A dry run: where the nodes of a cluster would go now, and why, or what is short. By what the store knows of hosts: what
// their nodes reserve is taken. The job itself places by what the engine has free then, so this is a forecast.

#include "api/records.h"
#include "http/server.h"

namespace overlord::api {

Result<http::Response> dry_run(store::Store& store, const model::Cluster& cluster);

}  // namespace overlord::api
