#include "config/policy_reader.h"

#include <algorithm>
#include <vector>

#include "config/keys.h"
#include "protocol/redis/command.h"
#include "protocol/redis/command_lookup.h"

namespace overlord::config {
namespace {

std::vector<std::string_view> all_names() {
  std::vector<std::string_view> names;
  for (const redis::Command& command : redis::all_commands()) {
    names.push_back(command.name);
    for (const redis::Command& sub : command.subcommands) names.push_back(sub.name);
  }
  return names;
}

}  // namespace

void read_policy(const TableReader<ClusterConfig>& reader, ReadCluster& read, Reporter& reporter) {
  const TomlEntry* entry = reader.find("deny_commands");
  if (entry == nullptr) return;
  const std::string key = reader.path("deny_commands");
  const char* example = "write deny_commands = [\"keys\", \"client|kill\"]";
  const auto* array = entry->value.get<TomlArray>();
  if (array == nullptr) {
    return reporter.error(entry->value.at, key,
                          "expected an array of strings, found " + std::string(entry->value.type_name()), example);
  }
  if (!is_redis(read.config.cache_type) && !array->items.empty()) {
    return reporter.error(entry->value.at, key, "a memcache cluster has no such commands",
                          "take it out, or use read_only");
  }
  const std::vector<std::string_view> names = all_names();
  for (const TomlValue& item : array->items) {
    const auto* text = item.get<std::string>();
    if (text == nullptr) {
      reporter.error(item.at, key, "expected a string, found " + std::string(item.type_name()), example);
      continue;
    }
    std::string name = *text;
    std::ranges::transform(name, name.begin(), lower);
    if (std::ranges::find(names, name) == names.end()) {
      const std::string_view near = nearest(name, names);
      const bool of_module = name.contains('.');  // as modules name theirs: near to another by chance
      if ((!near.empty() && !of_module) || name.empty()) {
        reporter.error(item.at, key, "unknown command " + quoted(*text),
                       name.empty() ? example : "did you mean " + std::string(near) + "?");
        continue;
      }
      reporter.warning(item.at, key, "unknown command " + quoted(*text),
                       "it is denied if the backends turn out to have it");
    }
    read.config.policy.deny(std::move(name));
  }
}

}  // namespace overlord::config
