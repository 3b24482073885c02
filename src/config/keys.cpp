#include "config/keys.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "base/ascii.h"

namespace overlord::config {

bool same_key(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

uint32_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<uint32_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (size_t i = 0; i < a.size(); ++i) {
    uint32_t diagonal = row[0];
    row[0] = static_cast<uint32_t>(i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const uint32_t replaced = diagonal + (same_key(a.substr(i, 1), b.substr(j, 1)) ? 0U : 1U);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

std::string_view nearest(std::string_view unknown, std::span<const std::string_view> names) {
  constexpr size_t kLongest = 64;
  if (unknown.size() > kLongest) return {};
  std::string_view best;
  uint32_t best_distance = 0;
  for (std::string_view name : names) {
    const uint32_t distance = edit_distance(unknown, name);
    const size_t shorter = std::min(unknown.size(), name.size());
    const size_t allowed = shorter < 3 ? 0 : shorter / 3;
    if (distance <= allowed && (best.empty() || distance < best_distance)) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

std::string_view section_title(Section section) {
  switch (section) {
    case Section::process: return "the top of the proxy file (-conf)";
    case Section::proxy: return "[proxy] of the proxy file (-conf)";
    case Section::cluster: return "[[clusters]] of the cluster file (-cluster)";
  }
  return {};
}

std::string suggest_key(Section section, std::string_view unknown) {
  std::vector<const KeyInfo*> all;
  for (const auto& key : process_keys()) all.push_back(&key.info);
  for (const auto& key : cluster_keys()) all.push_back(&key.info);

  for (const KeyInfo* key : all)
    if (key->section != section && same_key(key->name, unknown))
      return "it belongs to " + std::string(section_title(key->section));
  std::vector<std::string_view> names;
  for (const KeyInfo* key : all)
    if (key->section == section && key->state != KeyState::old) names.push_back(key->name);
  const std::string_view near = nearest(unknown, names);
  if (!near.empty()) return "did you mean " + std::string(near) + "?";
  return "take it out; docs/config.md lists the keys";
}

std::optional<IoDriver> parse_io_driver(std::string_view name) {
  for (IoDriver driver : {IoDriver::automatic, IoDriver::epoll, IoDriver::io_uring})
    if (to_string(driver) == name) return driver;
  return std::nullopt;
}

std::string method_names() {
  std::string list;
  for (std::string_view name : hashing::method_names()) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

}  // namespace overlord::config
