#pragma once
// nodes.conf of a redis_cluster, as redis-server keeps it: what a node knows of its cluster when it starts. With it all
// nodes of a new cluster know each other at once, and nobody has to be met.

#include <string>
#include <vector>

#include "model/cluster.h"
#include "redisctl/admin.h"

namespace overlord::jobs {

// For one of the nodes of a new cluster: slots divided evenly over the shards in their order, and an epoch of its own
// for each master, so that there is nothing to agree on.
std::string nodes_conf_new(const std::vector<model::Node>& nodes, const model::Node& of);
// For a node that joins: it knows itself.
std::string nodes_conf_alone(const model::Node& of);
// For a node that has lost its own: the others as they are seen now; it has no slots, and copies its shard's master if
// there is one beside it.
std::string nodes_conf_again(const redisctl::Topology& seen, const std::vector<model::Node>& nodes,
                             const model::Node& of);

}  // namespace overlord::jobs
