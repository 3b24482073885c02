// Backend bytes into parse_reply_line and merge_stats. What must hold for any input:
//  - an accepted line ends in its first LF, behind a CR, and holds no other control byte;
//  - a VALUE line says again what was read from it; numbers are within the limits;
//  - a shorter piece is incomplete (or too long already); what follows the line changes nothing;
//  - merged stats are one well-formed answer, and merging one whole answer keeps its names in their order.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/memcache/reply_line.h"
#include "protocol/memcache/request_parser.h"
#include "protocol/memcache/stats_merge.h"

namespace {

using namespace overlord::memcache;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_line(std::string_view bytes, const ReplyLine& reply) {
  require(reply.size >= 3 && reply.size <= bytes.size() && reply.size <= kMaxReplyLine);
  const std::string_view line = bytes.substr(0, reply.size);
  require(line.ends_with("\r\n"));
  for (const char c : line.substr(0, line.size() - 2)) {
    const auto byte = static_cast<unsigned char>(c);
    require(byte >= 0x20 && byte != 0x7f);
  }
  const ReplyLine alone = parse_reply_line(std::string(line));
  require(alone.kind == reply.kind && alone.size == reply.size && alone.value_size == reply.value_size);
  require(parse_reply_line(line.substr(0, line.size() - 1)).kind == ReplyKind::incomplete);
  if (reply.kind != ReplyKind::value) {
    require(reply.key.empty() && reply.value_size == 0 && !reply.has_cas);
    return;
  }
  require(!reply.key.empty() && reply.key.size() <= kMaxKey && reply.value_size <= kMaxReplyValue);
  require(line.starts_with("VALUE " + std::string(reply.key) + " "));
  size_t blanks = 0;
  for (const char c : line) blanks += c == ' ' ? 1 : 0;
  require(blanks == (reply.has_cas ? 4u : 3u));
}

// The stream as a backend connection reads it; ends where it would be closed.
void check_stream(std::string_view bytes) {
  while (!bytes.empty()) {
    const ReplyLine reply = parse_reply_line(bytes);
    if (reply.kind == ReplyKind::incomplete || reply.kind == ReplyKind::bad) {
      require(reply.size == 0);
      require(reply.kind == ReplyKind::bad || (bytes.size() < kMaxReplyLine && bytes.find('\n') == bytes.npos));
      return;
    }
    check_line(bytes, reply);
    const uint64_t taken = reply.size + (reply.kind == ReplyKind::value ? reply.value_size + 2 : 0);
    bytes.remove_prefix(taken < bytes.size() ? taken : bytes.size());
  }
}

void check_merge(std::string_view bytes) {
  const size_t cut = bytes.find("END\r\n");
  const size_t first = cut == bytes.npos ? bytes.size() / 2 : cut + 5;
  const std::array<std::string_view, 2> replies = {bytes.substr(0, first), bytes.substr(first)};
  for (const std::string_view kind : {"", "settings", "items", "slabs", "sizes", "conns", "reset"}) {
    const MergedStats merged = merge_stats(kind, replies);
    require(merged.merged <= replies.size());
    require(merged.text.ends_with("\r\n"));
    if (merged.merged == 0 || kind == "reset") continue;
    // Sums make lines longer by some digits; a line at the limit may pass it, every other must parse.
    std::string_view rest = merged.text;
    while (!rest.starts_with("END\r\n")) {
      const ReplyLine line = parse_reply_line(rest);
      if (line.kind == ReplyKind::bad) break;
      require(line.kind == ReplyKind::stat);
      rest.remove_prefix(line.size);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_stream(bytes);
  check_merge(bytes);
  return 0;
}
