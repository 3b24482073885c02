#pragma once
// What is wrong with a cluster as it was asked for, by itself: all of it at once. Whether its group and its version exist
// and its name is free is for whoever knows those.

#include <string>
#include <vector>

#include "model/cluster.h"

namespace overlord::model {

struct Problem {
  std::string field;    // as in JSON: "spec", "settings.maxmemory-policy"
  std::string message;  // what is wrong and what would be right
  bool operator==(const Problem&) const = default;
};

std::vector<Problem> problems_of(const Cluster& cluster);

inline constexpr uint32_t kMinNodeMib = 16;
inline constexpr uint32_t kMaxNodeMib = 4 * 1024 * 1024;
inline constexpr uint32_t kMaxNodeCpuMilli = 1024 * 1000;
inline constexpr size_t kMaxSettings = 100;
inline constexpr size_t kMaxSettingValue = 1024;  // bytes

}  // namespace overlord::model
