#pragma once
// The TLS keys of one cluster against each other, and the files they name: whatever a start would refuse is found here.

#include "config/cluster_reader.h"
#include "config/table_reader.h"

namespace overlord::config {

void check_tls(const TableReader<ClusterConfig>& reader, FileCheck files, const ClusterConfig& cluster,
               Reporter& reporter);

}  // namespace overlord::config
