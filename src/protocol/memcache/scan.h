#pragma once
// Byte scanning and numbers for the two parsers of this folder. Internal.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace overlord::memcache {

// The next eight bytes as a little-endian integer, on any machine.
inline uint64_t load8(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

constexpr bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f;
}

// The high bit of every byte that is not plain, exactly.
constexpr uint64_t special_bytes(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  constexpr uint64_t kHigh = kOnes * 0x80;
  const uint64_t low = word & ~kHigh;
  const uint64_t above_blank = low + kOnes * (0x7f - 0x20);
  const uint64_t del = low + kOnes;
  return (~above_blank | del) & ~word & kHigh;
}

// Up to eight bytes from `at` on; zeros, which are special, behind the end.
inline uint64_t load_upto8(std::string_view text, size_t at) {
  const size_t left = text.size() - at;
  if (left >= 8) return load8(text.data() + at);
  if (at + left >= 8) return load8(text.data() + text.size() - 8) >> (8 * (8 - left));
  uint64_t word = 0;
  for (size_t i = 0; i < left; ++i) word |= uint64_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
  return word;
}

// Length of the run of plain bytes (neither blank, control nor DEL; above 0x7f is plain) at the front.
inline size_t plain_run(const char* p, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const uint64_t flags = special_bytes(load8(p + i));
    if (flags != 0) return i + static_cast<size_t>(std::countr_zero(flags)) / 8;
  }
  while (i < n && is_plain(p[i])) ++i;
  return i;
}

// Whether anything but plain bytes and blanks is in the text.
inline bool has_control(std::string_view text) {
  for (size_t i = 0; (i += plain_run(text.data() + i, text.size() - i)) < text.size(); ++i) {
    if (text[i] != ' ') return true;
  }
  return false;
}

// Decimal digits only; no sign, no blank. False when empty or above 2^64-1.
inline bool parse_u64(std::string_view text, uint64_t& out) {
  if (text.empty()) return false;
  const bool may_overflow = text.size() > 19;
  uint64_t value = 0;
  for (const char c : text) {
    const auto digit = static_cast<uint64_t>(static_cast<unsigned char>(c)) - '0';
    if (digit > 9) return false;
    if (may_overflow && (value > UINT64_MAX / 10 || value * 10 > UINT64_MAX - digit)) return false;
    value = value * 10 + digit;
  }
  out = value;
  return true;
}

// An optional minus and digits within 32 bits: what every memcached takes for an expiry time.
inline bool is_exptime(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  uint64_t value = 0;
  return parse_u64(text, value) && value <= (uint64_t{1} << 31) - (negative ? 0 : 1);
}

}  // namespace overlord::memcache
