#pragma once
// What proxies are told: the cluster file of overlord-proxy (docs/config.md) for clusters of the platform. The same
// clusters and nodes give the same text, whatever state the nodes are in: it changes only when there is something to do.

#include <string>
#include <string_view>
#include <vector>

#include "api/records.h"

namespace overlord::api {

// listen: the address that proxies listen on, at the clusters' front ports.
std::string proxy_toml(const std::vector<ClusterView>& clusters, std::string_view listen);

}  // namespace overlord::api
