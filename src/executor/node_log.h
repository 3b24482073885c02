#pragma once
// Logs of nodes: files in the node's folder that servers write by themselves, so that nothing is lost and nobody waits while
// no executor runs. Moved aside by size, with numbers behind the name, the oldest deleted.

#include <cstdint>
#include <string>
#include <string_view>

namespace overlord::executor {

struct NodeLogOptions {
  uint64_t bytes = 10 * 1024 * 1024;  // a log that has more is moved aside
  uint32_t count = 5;                 // files kept beside the one that is written to
};

// Looks at redis.log, which redis opens anew for every line, and at console.log, where stdout and stderr go and which stays
// open: that is copied and emptied, so what is written between the two is lost.
void rotate_node_logs(const std::string& folder, const NodeLogOptions& options);

// The last line that says something, of the log that was written to last; for the message of a node that ended.
std::string last_words(const std::string& folder);

inline constexpr std::string_view kConsoleLog = "console.log";
inline constexpr std::string_view kRedisLog = "redis.log";

}  // namespace overlord::executor
