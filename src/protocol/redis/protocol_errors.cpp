#include "protocol/redis/protocol_errors.h"

#include <array>
#include <cstddef>

namespace overlord::redis {
namespace {

constexpr std::string_view kFront = "-ERR Protocol error: expected '$', got '";
constexpr std::string_view kBack = "'\r\n";
constexpr size_t kLineSize = kFront.size() + 1 + kBack.size();

using Line = std::array<char, kLineSize>;

constexpr std::array<Line, 256> make_lines() {
  std::array<Line, 256> lines{};
  for (size_t c = 0; c < lines.size(); ++c) {
    size_t at = 0;
    for (const char x : kFront) lines[c][at++] = x;
    lines[c][at++] = c == '\r' || c == '\n' ? ' ' : static_cast<char>(c);
    for (const char x : kBack) lines[c][at++] = x;
  }
  return lines;
}

constexpr std::array<Line, 256> kLines = make_lines();

}  // namespace

std::string_view expected_dollar(char got) {
  const Line& line = kLines[static_cast<unsigned char>(got)];
  return {line.data(), line.size()};
}

}  // namespace overlord::redis
