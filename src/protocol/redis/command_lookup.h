#pragma once
// The hash table behind find_command, made at compile time. A name is taken as two words of eight bytes in lower case
// and its length, so that a look-up compares words and reads no string of the table for names of up to 16 bytes.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/ascii.h"
#include "protocol/redis/command.h"

namespace overlord::redis {

// text equals `lower_case` but for the case of ASCII letters.
constexpr bool equals_lower(std::string_view text, std::string_view lower_case) {
  if (text.size() != lower_case.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != lower_case[i]) return false;
  }
  return true;
}

struct NameWords {
  uint64_t front = 0;
  uint64_t back = 0;
  constexpr bool operator==(const NameWords&) const = default;
};

// The bytes 'A'..'Z' of a word in lower case, the others as they are.
constexpr uint64_t lower_word(uint64_t word) {
  constexpr uint64_t kEach = 0x0101010101010101u;
  const uint64_t low7 = word & (0x7f * kEach);
  const uint64_t from_a = low7 + (0x80 - 'A') * kEach;
  const uint64_t past_z = low7 + (0x80 - 'Z' - 1) * kEach;
  const uint64_t upper = (from_a & ~past_z & ~word) & (0x80 * kEach);
  return word | (upper >> 2);
}

template <size_t N>
constexpr uint64_t load_bytes(const char* p) {
  if consteval {
    std::array<char, 8> bytes{};
    for (size_t i = 0; i < N; ++i) bytes[i] = p[i];
    return std::bit_cast<uint64_t>(bytes);
  } else {
    uint64_t word = 0;
    std::memcpy(&word, p, N);
    return word;
  }
}

// Every byte of a name of up to 16 bytes is in the words, which with the length stand for the name.
constexpr NameWords name_words(std::string_view name) {
  const char* const p = name.data();
  const size_t n = name.size();
  if (n >= 8) return {lower_word(load_bytes<8>(p)), lower_word(load_bytes<8>(p + n - 8))};
  if (n >= 4) return {lower_word(load_bytes<4>(p) | load_bytes<4>(p + n - 4) << 32), 0};
  if (n == 3) return {lower_word(load_bytes<3>(p)), 0};
  if (n == 2) return {lower_word(load_bytes<2>(p)), 0};
  return {n == 1 ? lower_word(load_bytes<1>(p)) : 0, 0};
}

template <size_t N>
class CommandLookup {
 public:
  constexpr explicit CommandLookup(std::span<const Command, N> commands) : commands_(commands) {
    for (size_t i = 0; i < N; ++i) {
      words_[i] = name_words(commands[i].name);
      size_t slot = slot_of(words_[i], commands[i].name.size());
      while (slots_[slot] != 0) slot = (slot + 1) % kSlots;
      slots_[slot] = static_cast<uint8_t>(i + 1);
    }
  }

  const Command* find(std::string_view name) const {
    if (name.size() > kLongest) return nullptr;
    const NameWords words = name_words(name);
    for (size_t slot = slot_of(words, name.size()); slots_[slot] != 0; slot = (slot + 1) % kSlots) {
      const size_t i = slots_[slot] - 1u;
      if (words_[i] != words) continue;
      const Command& command = commands_[i];
      if (command.name.size() == name.size() && (name.size() <= 16 || equals_lower(name, command.name)))
        return &command;
    }
    return nullptr;
  }

 private:
  static_assert(N < 256, "slots are one byte wide");
  static constexpr size_t kSlots = 1024;
  static constexpr size_t kLongest = 32;

  static constexpr size_t slot_of(const NameWords& words, size_t length) {
    const uint64_t mixed = (words.front ^ (words.back * 0x9e3779b97f4a7c15u) ^ length) * 0xff51afd7ed558ccdu;
    return mixed >> 54;
  }

  std::span<const Command, N> commands_;
  std::array<uint8_t, kSlots> slots_{};
  std::array<NameWords, N> words_{};
};

}  // namespace overlord::redis
