#pragma once
// Configuration: what both files and the flags say together, as immutable parts that can be held one by one.

#include <vector>

#include "config/config.h"
#include "config/flags.h"
#include "config/loader.h"

namespace overlord::config {

struct Configuration {
  ProcessSnapshot process = std::make_shared<const ProcessConfig>();
  std::vector<ClusterSnapshot> clusters;
};

Configuration make_configuration(ProcessConfig process, ClusterFile file);

// Both files that the flags name, and the flags over them. Problems of the proxy file come first.
LoadOutcome<Configuration> load_configuration(const Flags& flags);

}  // namespace overlord::config
