#pragma once
// MD5 (RFC 1321) of a text already in memory. Placement needs it: ketama takes its ring points from
// it and it is one of the key hashes. Nothing here uses it for security.
//
// Our own rather than libcrypto's: inputs are a few dozen bytes, where a provider's context set-up
// costs more than the digest, and a FIPS-configured libcrypto refuses MD5 altogether, which would
// move keys.

#include <array>
#include <cstdint>
#include <string_view>

namespace overlord::hashing {

/// The digest as its four little-endian 32-bit words: word i is bytes 4i..4i+3.
using Md5Digest = std::array<std::uint32_t, 4>;

Md5Digest md5(std::string_view text) noexcept;

}  // namespace overlord::hashing
