#include "executor/recipe.h"

#include <algorithm>

#include "model/nodes_conf.h"
#include "net/address.h"

namespace overlord::executor {
namespace {

constexpr uint32_t kLargestPort = 65'535;
constexpr size_t kMostText = 512;
constexpr uint32_t kSmallestMib = 8;

bool plain(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

bool version_name(std::string_view text) {
  const auto good = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
           c == '_';
  };
  return !text.empty() && text.size() <= 64 && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), good);
}

}  // namespace

uint32_t redis_head_room(uint32_t reserved, bool persists) {
  constexpr uint32_t kLeast = 8;
  const uint32_t share = persists ? reserved / 5 * 2 : reserved / 4;
  return std::min(std::max(share, kLeast), reserved / 2);
}

uint32_t memcached_head_room(uint32_t reserved) {
  constexpr uint32_t kLeast = 16;
  return std::min(reserved / 10 + kLeast, reserved / 2);
}

std::vector<std::string> problems_of(const model::NodeTask& task) {
  std::vector<std::string> problems;
  if (task.id.empty() || task.id.size() > kMostText || !plain(task.id)) problems.emplace_back("id: not a task's name");
  if (!net::numeric_address(task.host, task.port)) problems.emplace_back("host: must be a numeric address");
  const uint32_t above = task.type == model::CacheType::redis_cluster ? model::kBusPortOffset : 0;
  if (task.port == 0 || task.port + above > kLargestPort) {
    problems.emplace_back("port: must be 1 to " + std::to_string(kLargestPort - above));
  }
  if (!version_name(task.version)) problems.emplace_back("version: not a version's name, like 7.0.15");
  if (task.spec.memory_mib < kSmallestMib) {
    problems.emplace_back("spec: a node needs " + std::to_string(kSmallestMib) + " MiB at least");
  }
  if (task.password.size() > kMostText || !plain(task.password)) {
    problems.emplace_back("password: too long, or has control characters");
  }
  if (task.nodes_conf.contains('\0')) problems.emplace_back("nodes_conf: not a text");
  const bool memcache = task.type == model::CacheType::memcache;
  for (std::string& each : memcache ? memcached_setting_problems(task) : redis_setting_problems(task)) {
    problems.push_back(std::move(each));
  }
  return problems;
}

Result<Recipe> recipe_of(const model::NodeTask& task, const std::string& folder, const ServerVersion& version,
                         const std::string& user) {
  std::string joined;
  for (const std::string& each : problems_of(task)) joined += (joined.empty() ? "" : "; ") + each;
  if (!joined.empty()) return fail(joined);
  return task.type == model::CacheType::memcache ? memcached_recipe(task, folder, version, user)
                                                 : redis_recipe(task, folder, version);
}

}  // namespace overlord::executor
