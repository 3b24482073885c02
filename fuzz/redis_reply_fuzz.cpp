// A backend's bytes: the end of each reply is found at once and in pieces, and a plain recursive reader agrees.
//
// The first four bytes of the input say how to cut the rest.
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "protocol/redis/reply_scanner.h"

using namespace overlord::redis;

namespace {

constexpr ReplyLimits kLimits{.max_bulk = 3000, .max_elements = 500, .max_line = 200};
constexpr int kMaxDepth = 600;  // deeper than the elements allow

void require(bool condition) {
  if (!condition) std::abort();
}

struct Scanned {
  ReplyScanner::Status status;
  size_t size = 0;
  char type = 0;
  bool operator==(const Scanned&) const = default;
};

Scanned scan(std::string_view bytes, uint32_t seed, bool whole) {
  ReplyScanner scanner(kLimits);
  size_t at = 0;
  while (at < bytes.size()) {
    seed = seed * 1664525u + 1013904223u;
    const std::string_view piece = bytes.substr(at, whole ? bytes.size() : 1 + (seed >> 26));
    size_t consumed = 0;
    const ReplyScanner::Status status = scanner.advance(piece, consumed);
    require(consumed <= piece.size());
    at += consumed;
    if (status == ReplyScanner::Status::error) return {.status = status};
    if (status == ReplyScanner::Status::done) return {status, at, scanner.type()};
    require(consumed == piece.size());
    require(scanner.started());
    require(scanner.bulk_left() <= kLimits.max_bulk + 2);
  }
  return {ReplyScanner::Status::more, at, scanner.type()};
}

// A reader that knows only well-formed values: where one that begins at `at` ends; nothing when it is not whole or
// not well-formed. It accepts more than the scanner (sizes, forms of numbers), never less.
std::optional<size_t> read_value(std::string_view bytes, size_t at, int depth) {
  const size_t line_end = bytes.find("\r\n", at);
  if (at >= bytes.size() || line_end == std::string_view::npos || depth > kMaxDepth) return {};
  const std::string_view line = bytes.substr(at + 1, line_end - at - 1);
  size_t next = line_end + 2;
  if (std::string_view("+-:_,#(").find(bytes[at]) != std::string_view::npos) return next;
  int64_t count = 0;
  std::from_chars(line.data(), line.data() + line.size(), count);
  switch (bytes[at]) {
    case '$':
    case '!':
    case '=':
      if (count < 0) return next;
      next += static_cast<size_t>(count) + 2;
      return next <= bytes.size() ? std::optional(next) : std::nullopt;
    case '%': count *= 2; break;
    case '|': count = count * 2 + 1; break;
    case '*':
    case '~':
    case '>': break;
    default: return {};
  }
  for (; count > 0; --count) {
    const std::optional<size_t> end = read_value(bytes, next, depth + 1);
    if (!end) return {};
    next = *end;
  }
  return next;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const uint32_t seed = static_cast<uint32_t>(data[0]) << 24 | static_cast<uint32_t>(data[1]) << 16 |
                        static_cast<uint32_t>(data[2]) << 8 | data[3];
  std::string_view bytes(reinterpret_cast<const char*>(data) + 4, size - 4);
  while (!bytes.empty()) {
    const Scanned whole = scan(bytes, seed, true);
    require(whole == scan(bytes, seed, false));
    if (whole.status != ReplyScanner::Status::done) break;
    require(read_value(bytes, 0, 0) == whole.size);
    bytes.remove_prefix(whole.size);
  }
  return 0;
}
