#include "loadgen/keyspace.h"

#include <algorithm>

namespace loadgen {
namespace {

constexpr size_t kWindowStarts = 4096;
constexpr size_t kDigits = 10;

std::string make_filler(size_t size) {
  constexpr std::string_view kTraps[] = {"\r\nEND\r\n", "\r\n$-1\r\n", "\r\nSTORED\r\n", "\r\n+OK\r\n", "\r\n"};
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ";
  Random random(42);
  std::string filler;
  while (filler.size() < size) {
    for (uint32_t n = 20 + random.below(60); n > 0; --n) filler += kLetters[random.below(kLetters.size())];
    filler += kTraps[random.below(std::size(kTraps))];
  }
  filler.resize(size);
  return filler;
}

}  // namespace

Keyspace::Keyspace(uint32_t count, uint32_t key_size, uint32_t value_size, std::string_view prefix)
    : count_(count),
      value_size_(value_size),
      mark_size_(std::min<size_t>(value_size, sizeof(uint64_t))),
      filler_(make_filler(kWindowStarts + value_size)) {
  key_template_.assign(key_size, '0');
  std::copy_n(prefix.begin(), std::min(prefix.size(), key_size - kDigits), key_template_.begin());
}

void Keyspace::write_key(uint32_t index, char* to) const {
  std::memcpy(to, key_template_.data(), key_template_.size());
  for (char* digit = to + key_template_.size(); index != 0; index /= 10) {
    *--digit = static_cast<char>('0' + index % 10);
  }
}

void Keyspace::write_value(uint32_t index, char* to) const {
  const uint64_t mark = mix(index);
  std::memcpy(to, &mark, mark_size_);
  std::memcpy(to + mark_size_, filler_.data() + mark % kWindowStarts, value_size_ - mark_size_);
}

bool Keyspace::value_is(uint32_t index, const char* value) const {
  const uint64_t mark = mix(index);
  return std::memcmp(value, &mark, mark_size_) == 0 &&
         std::memcmp(value + mark_size_, filler_.data() + mark % kWindowStarts, value_size_ - mark_size_) == 0;
}

}  // namespace loadgen
