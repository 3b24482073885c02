#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace loadgen {

/// The keys and the one right value of each: both follow from the key's number, so that any reply can be checked
/// without remembering what was written. A value starts with a 64-bit mark of its key; the rest is a window, placed by
/// the mark, of a fixed text that contains line ends and protocol words on purpose.
class Keyspace {
 public:
  /// key_size >= 16, value_size >= 1, bytes. Keys of another `prefix` are other keys.
  Keyspace(uint32_t count, uint32_t key_size, uint32_t value_size, std::string_view prefix = "overlord-bench:");

  uint32_t count() const { return count_; }
  size_t key_size() const { return key_template_.size(); }
  size_t value_size() const { return value_size_; }

  /// Writes key_size() bytes.
  void write_key(uint32_t index, char* to) const;
  /// Writes value_size() bytes.
  void write_value(uint32_t index, char* to) const;
  /// `value` has at least value_size() bytes; compares exactly that many.
  bool value_is(uint32_t index, const char* value) const;
  /// memcache flags that belong to the key: always five digits.
  static uint32_t flags(uint32_t index) { return 10000 + index % 50000; }

 private:
  uint32_t count_;
  size_t value_size_;
  size_t mark_size_;
  std::string key_template_;
  std::string filler_;
};

/// splitmix64: a good 64-bit mix of any 64-bit input.
inline uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Random numbers for choosing keys and operations: reproducible from the seed.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(mix(seed)) {}
  /// Uniform in [0, bound).
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(((next() >> 32) * bound) >> 32); }

 private:
  uint64_t next() { return mix(state_++); }
  uint64_t state_;
};

}  // namespace loadgen
