#include "hashing/method.h"

#include <array>
#include <cstddef>

#include "hashing/algorithms.h"

namespace overlord::hashing {
namespace {

constexpr std::size_t kMethods = static_cast<std::size_t>(Method::jenkins) + 1;

// In the order of Method, then the aliases.
constexpr std::array<std::string_view, kMethods + 1> kNames = {
    "fnv1a_64", "fnv1_64",     "fnv1a_32", "fnv1_32", "crc16",   "crc32",         "crc32a",
    "md5",      "one_on_time", "hsieh",    "murmur",  "jenkins", "one_at_a_time",
};

struct Functions {
  HashFn overlord;
  HashFn twemproxy;
};

constexpr std::array<Functions, kMethods> kFunctions = {{
    {fnv1a_64<false>, fnv1a_64<true>},
    {fnv1_64<false>, fnv1_64<true>},
    {fnv1a_32<false>, fnv1a_32<true>},
    {fnv1_32<false>, fnv1_32<true>},
    {crc16_wide, crc16_wide},
    {crc32, crc32},
    {crc32a, crc32a},
    {md5_word, md5_word},
    {one_at_a_time<false>, one_at_a_time<true>},
    {hsieh<false>, hsieh<true>},
    {murmur, murmur},
    {jenkins, jenkins},
}};

}  // namespace

std::optional<Method> parse_method(std::string_view name) noexcept {
  if (name == kNames.back()) return Method::one_on_time;
  for (std::size_t i = 0; i < kMethods; ++i) {
    if (kNames[i] == name) return static_cast<Method>(i);
  }
  return std::nullopt;
}

std::string_view method_name(Method method) noexcept { return kNames[static_cast<std::size_t>(method)]; }

std::span<const std::string_view> method_names() noexcept { return kNames; }

HashFn hash_function(Method method, Compat compat) noexcept {
  const Functions& functions = kFunctions[static_cast<std::size_t>(method)];
  return compat == Compat::twemproxy ? functions.twemproxy : functions.overlord;
}

}  // namespace overlord::hashing
