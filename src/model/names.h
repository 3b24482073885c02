#pragma once
// The words for the values of each enumeration, once: in records, in the API and for people.

#include <array>
#include <optional>
#include <string_view>

#include "model/cluster.h"
#include "model/job.h"
#include "model/people.h"
#include "model/types.h"

namespace overlord::model {

template <typename Enum>
inline constexpr std::array<std::string_view, 0> kNames{};

template <>
inline constexpr std::array<std::string_view, 3> kNames<CacheType>{"memcache", "redis", "redis_cluster"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<Role>{"master", "replica"};
template <>
inline constexpr std::array<std::string_view, 5> kNames<ClusterState>{"waiting", "done", "changing", "deleting",
                                                                      "attention"};
template <>
inline constexpr std::array<std::string_view, 7> kNames<Health>{"unknown", "starting", "running", "sick",
                                                                "failed",  "stopped",  "lost"};
template <>
inline constexpr std::array<std::string_view, 11> kNames<JobKind>{"create",    "destroy",   "scale",   "resize",
                                                                  "restart",   "replace",   "recover", "drain",
                                                                  "rebalance", "configure", "upgrade"};
template <>
inline constexpr std::array<std::string_view, 8> kNames<JobState>{"pending", "running", "waiting", "paused",
                                                                  "undoing", "done",    "failed",  "cancelled"};
template <>
inline constexpr std::array<std::string_view, 5> kNames<StepState>{"pending", "running", "done", "failed", "undone"};
template <>
inline constexpr std::array<std::string_view, 3> kNames<Access>{"viewer", "operator", "admin"};

template <typename Enum>
constexpr std::string_view name_of(Enum value) {
  const auto at = static_cast<size_t>(value);
  return at < kNames<Enum>.size() ? kNames<Enum>[at] : "unknown";
}

template <typename Enum>
constexpr std::optional<Enum> value_of(std::string_view name) {
  for (size_t i = 0; i < kNames<Enum>.size(); ++i) {
    if (kNames<Enum>[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace overlord::model
