#pragma once
// Recipe: what must lie in a node's folder and how its server is started, from the task alone. Pure: same task, same
// recipe. docs/platform-executor.md shows what is written and why.
//
// A server gets less memory than is reserved for its node (head_room): copies made on write while it forks, buffers
// of connections and fragmentation need the rest.
//
// Settings of users come last and win over the platform's defaults, but not over what the platform owns (addresses,
// ports, folders, passwords, memory): those are refused, all of them at once. No setting can become another line, another
// argument or another option than its name says.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "executor/server_version.h"
#include "model/task.h"

namespace overlord::executor {

struct RecipeFile {
  std::string name;  // in the node's folder
  std::string text;
  bool keep = false;  // one that is there stays: nodes.conf belongs to the node once it has run
};

struct Recipe {
  std::vector<RecipeFile> files;
  std::vector<std::string> arguments;  // behind the server's own path
  uint32_t descriptors = 0;            // that it may have open
};

// folder: of the node, absolute, without quotes or control characters. version: as the server itself says, which may be
// more than the task asks for ("7.0" and "7.0.15"). user: that memcached is to become when it is started by root.
Result<Recipe> recipe_of(const model::NodeTask& task, const std::string& folder, const ServerVersion& version,
                         const std::string& user);

Result<Recipe> redis_recipe(const model::NodeTask& task, const std::string& folder, const ServerVersion& version);
Result<Recipe> memcached_recipe(const model::NodeTask& task, const std::string& folder, const ServerVersion& version,
                                const std::string& user);

// MiB of `reserved` that the server must not fill with data.
uint32_t redis_head_room(uint32_t reserved, bool persists);
uint32_t memcached_head_room(uint32_t reserved);

// What is wrong with a task, whatever its version: texts for a person, all of them.
std::vector<std::string> problems_of(const model::NodeTask& task);
std::vector<std::string> redis_setting_problems(const model::NodeTask& task);
std::vector<std::string> memcached_setting_problems(const model::NodeTask& task);

}  // namespace overlord::executor
