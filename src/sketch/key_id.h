#pragma once
// key_id: 64 bits for a key, from a secret start; not for placing keys.

#include <cstdint>
#include <cstring>
#include <string_view>

namespace overlord::sketch {

__extension__ using Product = unsigned __int128;

// Multiplies to 128 bits and folds the halves, eight bytes at a time.
inline uint64_t key_id(std::string_view key, uint64_t secret) {
  constexpr uint64_t kFirst = 0x9e3779b97f4a7c15;
  constexpr uint64_t kSecond = 0xd6e8feb86659fd93;
  const auto fold = [](uint64_t a, uint64_t b) {
    const auto product = static_cast<Product>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t state = secret ^ fold(key.size() ^ kSecond, kFirst);
  while (key.size() >= sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, key.data(), sizeof(word));
    state = fold(state ^ word, kFirst ^ secret);
    key.remove_prefix(sizeof(word));
  }
  uint64_t last = 0;
  if (!key.empty()) std::memcpy(&last, key.data(), key.size());
  return fold(state ^ last, kSecond ^ secret);
}

}  // namespace overlord::sketch
