#include <array>
#include <bit>
#include <cstddef>

#include "hashing/algorithms.h"
#include "hashing/bytes.h"
#include "hashing/md5.h"

namespace overlord::hashing {

std::uint32_t md5_word(std::string_view key) noexcept { return md5(key)[0]; }

template <bool kSigned>
std::uint32_t hsieh(std::string_view key) noexcept {
  if (key.empty()) return 0;
  std::uint32_t hash = 0;
  for (; key.size() >= 4; key.remove_prefix(4)) {
    hash += load_le16(key, 0);
    hash = (hash << 16) ^ (load_le16(key, 2) << 11) ^ hash;
    hash += hash >> 11;
  }
  switch (key.size()) {
    case 3:
      hash += load_le16(key, 0);
      hash ^= hash << 16;
      hash ^= widen<kSigned>(key[2]) << 18;
      hash += hash >> 11;
      break;
    case 2:
      hash += load_le16(key, 0);
      hash ^= hash << 11;
      hash += hash >> 17;
      break;
    case 1:
      hash += widen<false>(key[0]);
      hash ^= hash << 10;
      hash += hash >> 1;
      break;
    default: break;
  }
  hash ^= hash << 3;
  hash += hash >> 5;
  hash ^= hash << 4;
  hash += hash >> 17;
  hash ^= hash << 25;
  hash += hash >> 6;
  return hash;
}

std::uint32_t murmur(std::string_view key) noexcept {
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  const auto length = static_cast<std::uint32_t>(key.size());
  std::uint32_t hash = (0xdeadbeefu * length) ^ length;
  for (; key.size() >= 4; key.remove_prefix(4)) {
    std::uint32_t word = load_le32(key, 0) * kMultiplier;
    word = (word ^ (word >> 24)) * kMultiplier;
    hash = (hash * kMultiplier) ^ word;
  }
  if (!key.empty()) {
    for (std::size_t i = 0; i < key.size(); ++i) hash ^= widen<false>(key[i]) << (8 * i);
    hash *= kMultiplier;
  }
  hash = (hash ^ (hash >> 13)) * kMultiplier;
  return hash ^ (hash >> 15);
}

std::uint32_t jenkins(std::string_view key) noexcept {
  std::uint32_t a = 0xdeadbeefu + static_cast<std::uint32_t>(key.size()) + 13;
  std::uint32_t b = a;
  std::uint32_t c = a;
  if (key.empty()) return c;
  // A last block of exactly 12 bytes belongs to the final step below.
  for (; key.size() > 12; key.remove_prefix(12)) {
    a += load_le32(key, 0);
    b += load_le32(key, 4);
    c += load_le32(key, 8);
    a = (a - c) ^ std::rotl(c, 4);
    c += b;
    b = (b - a) ^ std::rotl(a, 6);
    a += c;
    c = (c - b) ^ std::rotl(b, 8);
    b += a;
    a = (a - c) ^ std::rotl(c, 16);
    c += b;
    b = (b - a) ^ std::rotl(a, 19);
    a += c;
    c = (c - b) ^ std::rotl(b, 4);
    b += a;
  }
  std::array<char, 12> padded{};
  key.copy(padded.data(), key.size());
  const std::string_view last(padded.data(), padded.size());
  a += load_le32(last, 0);
  b += load_le32(last, 4);
  c += load_le32(last, 8);
  c = (c ^ b) - std::rotl(b, 14);
  a = (a ^ c) - std::rotl(c, 11);
  b = (b ^ a) - std::rotl(a, 25);
  c = (c ^ b) - std::rotl(b, 16);
  a = (a ^ c) - std::rotl(c, 4);
  b = (b ^ a) - std::rotl(a, 14);
  c = (c ^ b) - std::rotl(b, 24);
  return c;
}

template std::uint32_t hsieh<false>(std::string_view) noexcept;
template std::uint32_t hsieh<true>(std::string_view) noexcept;

}  // namespace overlord::hashing
