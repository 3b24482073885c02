#pragma once
// Method: which hash turns a key into the 32-bit number that a ring is asked for.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "hashing/compat.h"

namespace overlord::hashing {

enum class Method : std::uint8_t {
  fnv1a_64,
  fnv1_64,
  fnv1a_32,
  fnv1_32,
  crc16,
  crc32,
  crc32a,
  md5,
  one_on_time,
  hsieh,
  murmur,
  jenkins,
};

inline constexpr Method kDefaultMethod = Method::fnv1a_64;

/// The method with this name, compared exactly: `fnv1a_64 fnv1_64 fnv1a_32 fnv1_32 crc16 crc32
/// crc32a md5 one_on_time hsieh murmur jenkins`, and twemproxy's `one_at_a_time` for one_on_time.
/// Nothing for any other text.
std::optional<Method> parse_method(std::string_view name) noexcept;

/// The name of a method as parse_method takes it; one_on_time for one_on_time.
std::string_view method_name(Method method) noexcept;

/// Every name that parse_method accepts, the alias last.
std::span<const std::string_view> method_names() noexcept;

using HashFn = std::uint32_t (*)(std::string_view key) noexcept;

/// The function of a method. Take it once when a pool is built and call it for every key.
HashFn hash_function(Method method, Compat compat) noexcept;

inline std::uint32_t hash(Method method, Compat compat, std::string_view key) noexcept {
  return hash_function(method, compat)(key);
}

}  // namespace overlord::hashing
