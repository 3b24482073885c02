#pragma once
// Processes that belong to nobody: an executor outlives the scheduler that started it.

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace overlord::engine {

// Starts a program in a session of its own, as a child of init. Its output is appended to a file. That it could not be
// run stands in that file.
Result<void> start_detached(const std::string& program, const std::vector<std::string>& arguments,
                            const std::string& output);

// The executor that holds a lock file, hung or not, as the kernel tells; 0: none does.
pid_t holder_of(const std::string& lock_path);

}  // namespace overlord::engine
