// The command line of memcached. Options are written with their letters, which every version knows.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "executor/recipe.h"

namespace overlord::executor {
namespace {

constexpr ServerVersion kAuthFile{1, 5, 15};
constexpr std::string_view kUserName = "default";

enum class Takes : uint8_t { nothing, number, size, factor, words };

// The long options that a user may set. nothing: "yes" gives the option, "no" does not.
struct Option {
  std::string_view name;
  char letter;
  Takes takes;
  uint64_t least = 0;
  uint64_t most = 0;
};
constexpr std::array<Option, 14> kOptions{{
    {.name = "max-item-size", .letter = 'I', .takes = Takes::size, .least = 1024, .most = 1024ULL * 1024 * 1024},
    {.name = "conn-limit", .letter = 'c', .takes = Takes::number, .least = 16, .most = 1'000'000},
    {.name = "threads", .letter = 't', .takes = Takes::number, .least = 1, .most = 64},
    {.name = "slab-growth-factor", .letter = 'f', .takes = Takes::factor},
    {.name = "slab-min-size", .letter = 'n', .takes = Takes::number, .least = 8, .most = 65'536},
    {.name = "max-reqs-per-event", .letter = 'R', .takes = Takes::number, .least = 1, .most = 100'000},
    {.name = "listen-backlog", .letter = 'b', .takes = Takes::number, .least = 16, .most = 65'535},
    {.name = "disable-evictions", .letter = 'M', .takes = Takes::nothing},
    {.name = "disable-cas", .letter = 'C', .takes = Takes::nothing},
    {.name = "enable-largepages", .letter = 'L', .takes = Takes::nothing},
    {.name = "disable-flush-all", .letter = 'F', .takes = Takes::nothing},
    {.name = "disable-dumping", .letter = 'X', .takes = Takes::nothing},
    {.name = "verbose", .letter = 'v', .takes = Takes::nothing},
    {.name = "extended", .letter = 'o', .takes = Takes::words},
}};

// Of the option -o: those that open no file and no port.
constexpr std::array<std::string_view, 28> kExtended{"modern",
                                                     "no_modern",
                                                     "maxconns_fast",
                                                     "no_maxconns_fast",
                                                     "hashpower",
                                                     "no_hashexpand",
                                                     "tail_repair_time",
                                                     "hash_algorithm",
                                                     "lru_crawler",
                                                     "no_lru_crawler",
                                                     "lru_crawler_sleep",
                                                     "lru_crawler_tocrawl",
                                                     "lru_maintainer",
                                                     "no_lru_maintainer",
                                                     "hot_lru_pct",
                                                     "warm_lru_pct",
                                                     "hot_max_factor",
                                                     "warm_max_factor",
                                                     "temporary_ttl",
                                                     "idle_timeout",
                                                     "slab_reassign",
                                                     "no_slab_reassign",
                                                     "slab_automove",
                                                     "slab_automove_ratio",
                                                     "slab_automove_window",
                                                     "slab_chunk_max",
                                                     "track_sizes",
                                                     "read_buf_mem_limit"};

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "512k", "2m", "1048576".
std::optional<uint64_t> size_of(std::string_view text) {
  uint64_t unit = 1;
  if (text.ends_with('k') || text.ends_with('K')) unit = 1024;
  if (text.ends_with('m') || text.ends_with('M')) unit = 1024 * 1024;
  if (unit > 1) text.remove_suffix(1);
  const auto number = number_of(text);
  if (!number || *number > UINT32_MAX) return std::nullopt;
  return *number * unit;
}

bool good_factor(std::string_view text) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc{} && end == text.data() + text.size() && std::isfinite(value) && value > 1 && value <= 10;
}

bool good_words(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_' || c == '.' || c == '=' || c == ',';
  };
  if (text.empty() || !std::all_of(text.begin(), text.end(), plain)) return false;
  while (true) {
    const std::string_view word = text.substr(0, text.find(','));
    if (std::ranges::find(kExtended, word.substr(0, word.find('='))) == kExtended.end()) return false;
    if (word.size() == text.size()) return true;
    text.remove_prefix(word.size() + 1);
  }
}

std::string problem_of(const Option& option, const std::string& value) {
  const auto range = [&](std::optional<uint64_t> number) {
    if (number && *number >= option.least && *number <= option.most) return std::string();
    return "must be " + std::to_string(option.least) + " to " + std::to_string(option.most);
  };
  switch (option.takes) {
    case Takes::nothing: return value == "yes" || value == "no" ? "" : "must be yes or no";
    case Takes::number: return range(number_of(value));
    case Takes::size: return range(size_of(value));
    case Takes::factor: return good_factor(value) ? "" : "must be a number above 1 and not above 10";
    case Takes::words: break;
  }
  return good_words(value) ? "" : "has a word that is not allowed (docs/platform-executor.md has the list)";
}

const Option* option_of(std::string_view name) {
  const auto* const found = std::ranges::find(kOptions, name, &Option::name);
  return found == kOptions.end() ? nullptr : found;
}

uint64_t setting_or(const model::NodeTask& task, const char* name, uint64_t otherwise) {
  const auto found = task.settings.find(name);
  return found == task.settings.end() ? otherwise : number_of(found->second).value_or(otherwise);
}

}  // namespace

std::vector<std::string> memcached_setting_problems(const model::NodeTask& task) {
  std::vector<std::string> problems;
  for (const auto& [name, value] : task.settings) {
    const Option* const option = option_of(name);
    if (option == nullptr) {
      std::string known;
      for (const Option& each : kOptions) known.append(known.empty() ? "" : ", ").append(each.name);
      problems.push_back("settings: memcached nodes can be told " + known + "; and nothing else");
      break;
    }
    if (const std::string wrong = problem_of(*option, value); !wrong.empty()) {
      problems.push_back("settings." + name + ": " + wrong);
    }
  }
  return problems;
}

Result<Recipe> memcached_recipe(const model::NodeTask& task, const std::string& folder, const ServerVersion& version,
                                const std::string& user) {
  constexpr uint64_t kLeastConnections = 1024;
  constexpr uint64_t kMostConnections = 65'536;
  constexpr uint64_t kConnectionsPerMib = 16;
  constexpr uint64_t kMostThreads = 64;
  constexpr uint32_t kOwnDescriptors = 256;
  const uint64_t connections = setting_or(
      task, "conn-limit", std::clamp(task.spec.memory_mib * kConnectionsPerMib, kLeastConnections, kMostConnections));
  const uint64_t threads =
      setting_or(task, "threads", std::clamp<uint64_t>((task.spec.cpu_milli + 999) / 1000, 1, kMostThreads));

  Recipe recipe;
  recipe.arguments = {"-l", task.host,
                      "-p", std::to_string(task.port),
                      "-U", "0",
                      "-m", std::to_string(task.spec.memory_mib - memcached_head_room(task.spec.memory_mib)),
                      "-c", std::to_string(connections),
                      "-t", std::to_string(threads)};
  if (!user.empty()) recipe.arguments.insert(recipe.arguments.end(), {"-u", user});
  if (!task.password.empty()) {
    if (version < kAuthFile) return fail("memcached before 1.5.15 knows no passwords");
    recipe.files.push_back({.name = "memcached.auth", .text = std::string(kUserName) + ":" + task.password + "\n"});
    recipe.arguments.insert(recipe.arguments.end(), {"-Y", folder + "/memcached.auth"});
  }
  for (const auto& [name, value] : task.settings) {
    const Option* const option = option_of(name);
    if (option == nullptr || name == "conn-limit" || name == "threads") continue;
    if (option->takes == Takes::nothing) {
      if (value == "yes") recipe.arguments.push_back({'-', option->letter});
      continue;
    }
    recipe.arguments.push_back({'-', option->letter});
    recipe.arguments.push_back(value);
  }
  recipe.descriptors = static_cast<uint32_t>(connections) + kOwnDescriptors;
  return recipe;
}

}  // namespace overlord::executor
