#include "config/configuration.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace overlord::config {

Configuration make_configuration(ProcessConfig process, ClusterFile file) {
  Configuration made{.process = std::make_shared<const ProcessConfig>(std::move(process)), .clusters = {}};
  made.clusters.reserve(file.clusters.size());
  for (ClusterConfig& cluster : file.clusters) {
    made.clusters.push_back(std::make_shared<const ClusterConfig>(std::move(cluster)));
  }
  return made;
}

LoadOutcome<Configuration> load_configuration(const Flags& flags) {
  LoadOutcome<Configuration> outcome;
  LoadOutcome<ProcessConfig> process{.value = ProcessConfig{}, .problems = {}};
  if (!flags.conf.empty()) process = load_process_file(flags.conf);
  auto file = load_cluster_file(flags.cluster);
  outcome.problems = std::move(process.problems);
  std::ranges::move(file.problems, std::back_inserter(outcome.problems));
  if (!process.ok() || !file.ok()) return outcome;
  apply_flags(flags, *process.value);
  apply_flags(flags, *file.value);
  outcome.value = make_configuration(std::move(*process.value), std::move(*file.value));
  return outcome;
}

}  // namespace overlord::config
