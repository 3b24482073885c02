#pragma once
// The keys of one [[clusters]] that say who may come in and what the backends want to hear: users, users_file,
// password, password_file, redis_auth, redis_auth_file, memcache_auth, memcache_auth_file.

#include "config/cluster_reader.h"
#include "config/table_reader.h"

namespace overlord::config {

// Fills read.config.users, .password and .redis_auth. Files are read here: paths are as the process sees them.
void read_access(const TableReader<ClusterConfig>& reader, ReadCluster& read, Reporter& reporter);

}  // namespace overlord::config
