#pragma once
// parse_reply_line: one line of a memcached text reply. Stateless; the caller counts value bytes itself.
// Source: memcached's doc/protocol.txt.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace overlord::memcache {

enum class ReplyKind : uint8_t {
  incomplete,  // no line end yet, and not too long
  value,       // VALUE <key> <flags> <bytes> [<cas>]; `value_size` + 2 bytes follow the line
  end,         // END
  stat,        // STAT <name> <value>
  error,       // ERROR, CLIENT_ERROR ..., SERVER_ERROR ...
  line,        // any other single-line answer (STORED, DELETED, TOUCHED, OK, VERSION ..., a number, ...)
  bad          // not a reply: line end missing within kMaxReplyLine, bare LF, control characters, bad numbers
};

inline constexpr size_t kMaxReplyLine = 4096;
inline constexpr uint64_t kMaxReplyValue = 1024ull * 1024 * 1024;

struct ReplyLine {
  ReplyKind kind = ReplyKind::incomplete;
  size_t size = 0;          // bytes of the line with CRLF
  std::string_view key;     // value: its key
  uint64_t value_size = 0;  // value: bytes of data, without the CRLF behind it
  bool has_cas = false;
};

ReplyLine parse_reply_line(std::string_view bytes);

// The first line up to and with its CRLF; empty when there is none: then `kind` says incomplete or bad.
inline std::string_view first_reply_line(std::string_view bytes, ReplyKind& kind) {
  const size_t window = bytes.size() < kMaxReplyLine ? bytes.size() : kMaxReplyLine;
  const auto* end = static_cast<const char*>(window == 0 ? nullptr : std::memchr(bytes.data(), '\n', window));
  kind = end == nullptr && bytes.size() < kMaxReplyLine ? ReplyKind::incomplete : ReplyKind::bad;
  if (end == nullptr) return {};
  const size_t size = static_cast<size_t>(end - bytes.data()) + 1;
  return size < 3 || bytes[size - 2] != '\r' ? std::string_view() : bytes.substr(0, size);
}

}  // namespace overlord::memcache
