#pragma once
// The "<mark>number CRLF" lines of RESP: the number rules, and the quick way for lengths of up to three digits.
// Numbers are as redis-server takes them (string2ll): an optional '-', no '+', no leading zero, no blank, int64.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

namespace overlord::redis {

inline bool crlf_at(const char* p) {
  uint16_t seen;
  uint16_t wanted;
  std::memcpy(&seen, p, 2);
  std::memcpy(&wanted, "\r\n", 2);
  return seen == wanted;
}

// The number of a line "<mark>1\r\n" .. "<mark>999\r\n" at p. Returns the line's length with CRLF; 0 when it is another
// form or too little is there, and then nothing is said about it.
[[gnu::always_inline]] inline size_t short_length(const char* p, const char* end, char mark, uint32_t& number) {
  if (end - p < 6 || p[0] != mark) return 0;
  const uint32_t a = static_cast<uint32_t>(static_cast<unsigned char>(p[1])) - '0';
  if (a - 1 > 8) return 0;
  if (crlf_at(p + 2)) {
    number = a;
    return 4;
  }
  const uint32_t b = static_cast<uint32_t>(static_cast<unsigned char>(p[2])) - '0';
  if (b > 9) return 0;
  if (crlf_at(p + 3)) {
    number = a * 10 + b;
    return 5;
  }
  const uint32_t c = static_cast<uint32_t>(static_cast<unsigned char>(p[3])) - '0';
  if (c > 9 || !crlf_at(p + 4)) return 0;
  number = a * 100 + b * 10 + c;
  return 6;
}

// The whole of text is a number; false otherwise and for anything that does not fit.
inline bool parse_number(std::string_view text, int64_t& number) {
  if (text.empty() || text.size() > 20) return false;
  const bool negative = text[0] == '-';
  const size_t first = negative ? 1 : 0;
  if (first == text.size()) return false;
  if (text[first] == '0') {
    number = 0;
    return text.size() == 1;
  }
  const uint64_t limit = static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) + (negative ? 1 : 0);
  uint64_t value = 0;
  for (size_t i = first; i < text.size(); ++i) {
    const uint32_t digit = static_cast<uint32_t>(static_cast<unsigned char>(text[i])) - '0';
    if (digit > 9) return false;
    if (value > (limit - digit) / 10) return false;
    value = value * 10 + digit;
  }
  number = static_cast<int64_t>(negative ? 0 - value : value);
  return true;
}

}  // namespace overlord::redis
