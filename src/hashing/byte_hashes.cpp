#include <array>
#include <cstddef>

#include "hashing/algorithms.h"
#include "hashing/bytes.h"
#include "hashing/slot.h"

namespace overlord::hashing {
namespace {

// Low 32 bits of the 64-bit FNV start value and prime. Only these can reach the low 32 bits of the
// hash, so 64-bit FNV-1 cut to 32 bits runs in 32 bits too.
constexpr std::uint32_t kFnv64Start = 0x84222325;
constexpr std::uint32_t kFnv64Prime = 0x000001b3;
constexpr std::uint32_t kFnv32Start = 2166136261;
constexpr std::uint32_t kFnv32Prime = 16777619;

// Every step needs the one before it (xor, multiply: four cycles a byte); what a loop can add to
// that is its own branch, and the unrolling keeps that off the chain.
template <bool kSigned>
inline std::uint32_t fnv1a(std::string_view key, std::uint32_t hash, std::uint32_t prime) noexcept {
#pragma GCC unroll 8
  for (const char byte : key) hash = (hash ^ widen<kSigned>(byte)) * prime;
  return hash;
}

template <bool kSigned>
inline std::uint32_t fnv1(std::string_view key, std::uint32_t hash, std::uint32_t prime) noexcept {
#pragma GCC unroll 8
  for (const char byte : key) hash = (hash * prime) ^ widen<kSigned>(byte);
  return hash;
}

constexpr std::array<std::uint32_t, 256> make_crc16_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x8000) != 0 ? 0x1021 : 0);
    table[i] = crc & 0xffff;
  }
  return table;
}

// The k-th: what a byte does to the CRC when k bytes follow it. With eight of them eight bytes are taken in at once, where
// one table makes each byte wait for the one before.
using Crc16Tables = std::array<std::array<std::uint16_t, 256>, 8>;

constexpr Crc16Tables make_crc16_tables() {
  Crc16Tables tables{};
  const auto one = make_crc16_table();
  for (std::size_t i = 0; i < 256; ++i) {
    std::uint32_t crc = one[i];
    for (auto& table : tables) {
      table[i] = static_cast<std::uint16_t>(crc);
      crc = ((crc << 8) ^ one[crc >> 8]) & 0xffff;
    }
  }
  return tables;
}

constexpr std::array<std::uint32_t, 256> make_crc32_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
    table[i] = crc;
  }
  return table;
}

constexpr Crc16Tables kCrc16Tables = make_crc16_tables();
constexpr auto kCrc32Table = make_crc32_table();

}  // namespace

template <bool kSigned>
std::uint32_t fnv1a_64(std::string_view key) noexcept {
  return fnv1a<kSigned>(key, kFnv64Start, kFnv64Prime);
}

template <bool kSigned>
std::uint32_t fnv1_64(std::string_view key) noexcept {
  return fnv1<kSigned>(key, kFnv64Start, kFnv64Prime);
}

template <bool kSigned>
std::uint32_t fnv1a_32(std::string_view key) noexcept {
  return fnv1a<kSigned>(key, kFnv32Start, kFnv32Prime);
}

template <bool kSigned>
std::uint32_t fnv1_32(std::string_view key) noexcept {
  return fnv1<kSigned>(key, kFnv32Start, kFnv32Prime);
}

template <bool kSigned>
std::uint32_t one_at_a_time(std::string_view key) noexcept {
  std::uint32_t hash = 0;
  for (const char byte : key) {
    hash += widen<kSigned>(byte);
    hash += hash << 10;
    hash ^= hash >> 6;
  }
  hash += hash << 3;
  hash ^= hash >> 11;
  hash += hash << 15;
  return hash;
}

std::uint32_t crc16_wide(std::string_view key) noexcept {
  std::uint32_t crc = 0;
  for (const char byte : key) {
    crc = (crc << 8) ^ kCrc16Tables[0][((crc >> 8) ^ widen<false>(byte)) & 0xff];
  }
  return crc;
}

std::uint16_t crc16(std::string_view key) noexcept {
  const auto& t = kCrc16Tables;
  const auto* p = reinterpret_cast<const unsigned char*>(key.data());
  std::size_t left = key.size();
  std::uint32_t crc = 0;
  for (; left >= 8; left -= 8, p += 8) {
    crc = t[7][p[0] ^ (crc >> 8)] ^ t[6][p[1] ^ (crc & 0xff)] ^ t[5][p[2]] ^ t[4][p[3]] ^ t[3][p[4]] ^ t[2][p[5]] ^
          t[1][p[6]] ^ t[0][p[7]];
  }
  for (; left > 0; --left, ++p) crc = ((crc << 8) & 0xffff) ^ t[0][(crc >> 8) ^ *p];
  return static_cast<std::uint16_t>(crc);
}

std::uint32_t crc32a(std::string_view key) noexcept {
  std::uint32_t crc = ~0u;
  for (const char byte : key) crc = (crc >> 8) ^ kCrc32Table[(crc ^ widen<false>(byte)) & 0xff];
  return ~crc;
}

std::uint32_t crc32(std::string_view key) noexcept { return (crc32a(key) >> 16) & 0x7fff; }

template std::uint32_t fnv1a_64<false>(std::string_view) noexcept;
template std::uint32_t fnv1a_64<true>(std::string_view) noexcept;
template std::uint32_t fnv1_64<false>(std::string_view) noexcept;
template std::uint32_t fnv1_64<true>(std::string_view) noexcept;
template std::uint32_t fnv1a_32<false>(std::string_view) noexcept;
template std::uint32_t fnv1a_32<true>(std::string_view) noexcept;
template std::uint32_t fnv1_32<false>(std::string_view) noexcept;
template std::uint32_t fnv1_32<true>(std::string_view) noexcept;
template std::uint32_t one_at_a_time<false>(std::string_view) noexcept;
template std::uint32_t one_at_a_time<true>(std::string_view) noexcept;

}  // namespace overlord::hashing
