#pragma once
// Reading the two configuration files. Every problem of a file is reported, not only the first; what start-up
// would refuse is found here, so `-t` and a start always agree.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/problem.h"

namespace overlord::config {

template <typename T>
struct LoadOutcome {
  std::optional<T> value;         // empty when one of the problems is an error
  std::vector<Problem> problems;  // in the order of the file

  bool ok() const { return value.has_value(); }
};

// file: the name used in messages. The text need not be valid UTF-8 or TOML; nothing is thrown.
LoadOutcome<ClusterFile> load_cluster_text(std::string_view text, const std::string& file);
LoadOutcome<ProcessConfig> load_process_text(std::string_view text, const std::string& file);

// The same for a file on disk; one that cannot be read or is over 16 MiB is an error.
LoadOutcome<ClusterFile> load_cluster_file(const std::string& path);
LoadOutcome<ProcessConfig> load_process_file(const std::string& path);

}  // namespace overlord::config
