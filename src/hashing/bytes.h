#pragma once
// How the hashes read key bytes: little-endian words at any alignment, single bytes widened to 32
// bits with or without their sign.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace overlord::hashing {

/// The four bytes of the text from `at` on; the caller knows that they are there.
inline std::uint32_t load_le32(std::string_view text, std::size_t at) noexcept {
  std::uint32_t word = 0;
  std::memcpy(&word, text.data() + at, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap32(word);
  return word;
}

/// The two bytes of the text from `at` on, likewise.
inline std::uint32_t load_le16(std::string_view text, std::size_t at) noexcept {
  std::uint16_t half = 0;
  std::memcpy(&half, text.data() + at, sizeof half);
  if constexpr (std::endian::native == std::endian::big) half = __builtin_bswap16(half);
  return half;
}

/// A byte as the 32-bit number that a C program sees whose `char` has (or has not) a sign.
template <bool kSigned>
inline std::uint32_t widen(char byte) noexcept {
  if constexpr (kSigned) {
    return static_cast<std::uint32_t>(static_cast<signed char>(byte));
  } else {
    return static_cast<unsigned char>(byte);
  }
}

}  // namespace overlord::hashing
