#pragma once
// The key hashes, one function each. Config and routing go through method.h; this header is for
// method.cpp and slot.h.
// kSigned: bytes above 127 are sign-extended (see compat.h); hashes without it read bytes unsigned
// in both proxies.

#include <cstdint>
#include <string_view>

namespace overlord::hashing {

// byte_hashes.cpp: one byte after the other.

/// Despite the name 32-bit arithmetic: the low halves of the 64-bit start value and prime.
template <bool kSigned>
std::uint32_t fnv1a_64(std::string_view key) noexcept;
/// Low 32 bits of 64-bit FNV-1.
template <bool kSigned>
std::uint32_t fnv1_64(std::string_view key) noexcept;
template <bool kSigned>
std::uint32_t fnv1a_32(std::string_view key) noexcept;
template <bool kSigned>
std::uint32_t fnv1_32(std::string_view key) noexcept;
/// Jenkins' one-at-a-time.
template <bool kSigned>
std::uint32_t one_at_a_time(std::string_view key) noexcept;
/// CRC-16/XMODEM whose accumulator is never cut to 16 bits; its low 16 bits are the true CRC.
std::uint32_t crc16_wide(std::string_view key) noexcept;
/// zlib's CRC-32.
std::uint32_t crc32a(std::string_view key) noexcept;
/// Bits 16..30 of zlib's CRC-32: only 32768 different values, so under ketama every key lands on
/// the ring's first few points.
std::uint32_t crc32(std::string_view key) noexcept;

// block_hashes.cpp: several bytes a step.

/// First four bytes of the MD5 digest, little-endian.
std::uint32_t md5_word(std::string_view key) noexcept;
/// Hsieh's SuperFastHash with start value 0.
template <bool kSigned>
std::uint32_t hsieh(std::string_view key) noexcept;
/// MurmurHash2, seed 0xdeadbeef * length.
std::uint32_t murmur(std::string_view key) noexcept;
/// Jenkins' lookup3, little-endian, initial value 13 (libmemcached's choice).
std::uint32_t jenkins(std::string_view key) noexcept;

}  // namespace overlord::hashing
