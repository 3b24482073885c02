#pragma once
// Names of the bits of CommandFlag and KeyFlag, in their order, as the server writes them.

#include <array>
#include <string_view>

namespace overlord::redis {

inline constexpr std::array<std::string_view, 19> kFlagNames = {
    "write",    "readonly",     "denyoom",      "admin",  "pubsub", "noscript", "blocking",          "loading",
    "stale",    "skip_monitor", "skip_slowlog", "asking", "fast",   "no_auth",  "no_mandatory_keys", "no_async_loading",
    "no_multi", "movablekeys",  "allow_busy"};
inline constexpr std::array<std::string_view, 11> kKeyFlagNames = {
    "RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key", "incomplete", "variable_flags"};

}  // namespace overlord::redis
