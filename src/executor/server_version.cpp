#include "executor/server_version.h"

#include <array>
#include <charconv>

namespace overlord::executor {

std::optional<ServerVersion> server_version(std::string_view text) {
  constexpr size_t kLongest = 20;
  std::array<uint32_t, 3> numbers{};
  if (text.size() > kLongest) return std::nullopt;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto [stop, failure] = std::from_chars(at, end, numbers[i]);
    if (failure != std::errc{}) return std::nullopt;
    if (stop == end) return ServerVersion{numbers[0], numbers[1], numbers[2]};
    if (*stop != '.') return std::nullopt;
    at = stop + 1;
  }
  return std::nullopt;
}

bool satisfies(std::string_view found, std::string_view asked) {
  if (asked.empty() || !found.starts_with(asked)) return false;
  return found.size() == asked.size() || found[asked.size()] == '.';
}

}  // namespace overlord::executor
