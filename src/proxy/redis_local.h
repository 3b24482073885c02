#pragma once
// What the files of the redis commands that the proxy answers itself (redis_local*.cpp) share.

#include <string_view>

namespace overlord::proxy {

// Names of clients and libraries: printable, and nothing that would break a line of CLIENT LIST.
bool valid_client_name(std::string_view name);

inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

}  // namespace overlord::proxy
