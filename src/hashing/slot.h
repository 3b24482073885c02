#pragma once
// Redis Cluster slots, and the true 16-bit CRC behind them (CRC-16/XMODEM: polynomial 0x1021,
// start 0; "123456789" gives 0x31c3). Keys come already trimmed to their hash tag (hash_tag.h).

#include <cstdint>
#include <string_view>

namespace overlord::hashing {

inline constexpr std::uint16_t kSlots = 16384;

/// Also what picks one of a node's connections: crc16(whole key) mod connections.
std::uint16_t crc16(std::string_view key) noexcept;

/// 0..kSlots-1.
inline std::uint16_t slot(std::string_view key) noexcept { return crc16(key) & (kSlots - 1); }

}  // namespace overlord::hashing
