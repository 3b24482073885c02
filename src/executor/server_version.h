#pragma once
// Versions of redis and memcached: "7.0.15", "3.2", "1.6.18".

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace overlord::executor {

struct ServerVersion {
  uint32_t major = 0;
  uint32_t minor = 0;
  uint32_t patch = 0;
  auto operator<=>(const ServerVersion&) const = default;
};

// One to three numbers with dots between them; what is missing is 0.
std::optional<ServerVersion> server_version(std::string_view text);

// Whether `found` is what was asked for: the same, or a patch of it ("7.0" asks for any 7.0.x).
bool satisfies(std::string_view found, std::string_view asked);

}  // namespace overlord::executor
