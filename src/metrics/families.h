#pragma once
// The table of all metric families: what /metrics may show, and what docs/metrics.md explains.

#include <span>
#include <string_view>

namespace overlord::metrics {

enum class Type { counter, gauge, histogram };
constexpr std::string_view type_name(Type type) {
  return type == Type::counter ? "counter" : type == Type::gauge ? "gauge" : "histogram";
}

struct Family {
  std::string_view name;
  Type type;
  std::string_view labels;  // separated by commas, in the order in which they are written
  std::string_view help;
};

// By groups, in the order of the page.
std::span<const Family> families();
// Null: there is none of that name.
const Family* find_family(std::string_view name);

}  // namespace overlord::metrics
