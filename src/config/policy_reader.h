#pragma once
// The keys of one [[clusters]] that say what nobody may do: deny_commands, read_only.

#include "config/cluster_reader.h"
#include "config/table_reader.h"

namespace overlord::config {

// Fills read.config.policy with what deny_commands names. read_only is set by its row.
void read_policy(const TableReader<ClusterConfig>& reader, ReadCluster& read, Reporter& reporter);

}  // namespace overlord::config
