#pragma once
// Inline requests: one line of words, as a person types them with nc or telnet.
// Source: redis-server's splitting of inline commands (words, "..." with escapes, '...').

#include <cstdint>
#include <string>
#include <string_view>

namespace overlord::redis {

struct InlineWords {
  uint32_t count = 0;     // 0: a blank line
  size_t wire_begin = 0;  // where "*count\r\n" begins in the storage
};

// Splits a line (without its line end) and writes the request it stands for into wire: *n and the words as bulk
// strings, from wire_begin to the end. False when quotes are not balanced.
bool split_inline(std::string_view line, std::string& wire, InlineWords& words);

}  // namespace overlord::redis
