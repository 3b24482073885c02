#pragma once
// One [[clusters]] table into one ClusterConfig: the rows of keys.h, then the keys that depend on each other
// (listen_addr, servers, hash_tag, name), then what the cluster as a whole must fulfil.

#include <set>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/reporter.h"
#include "config/toml_document.h"

namespace overlord::config {

struct ReadCluster {
  ClusterConfig config;
  Position at;                          // of the table
  Position name_at;                     // of the name, or of the table
  Position type_at;                     // likewise of cache_type
  std::vector<Position> listen_at;      // one for each of config.listen
  std::vector<Position> listen_tls_at;  // likewise of config.listen_tls
  std::string path;                     // "clusters[1]."; the first is 1, as people count
};

// Whether the files that the configuration names are looked into.
enum class FileCheck : bool { no, yes };

// number: place in the file, from 1. told: see TableReader.
ReadCluster read_cluster(const TomlTable& table, Position at, size_t number, std::set<std::string_view>& told,
                         FileCheck files, Reporter& reporter);

// Across clusters: names and listen addresses are unique; something is left that this version serves.
void check_clusters(const std::vector<ReadCluster>& clusters, Reporter& reporter);

}  // namespace overlord::config
