#pragma once
// BigKeys: the keys with the largest values that went by lately, in bounded memory. One writer; read by its own thread.
//
// A value is noted when it is above the least of the kEntries that are known, so almost every request costs one
// comparison. A key that is seen again has the size that was seen last; one that is not seen for kForget is dropped.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace overlord::sketch {

struct BigKey {
  std::string key;    // its front, at most kKeyBytes
  uint64_t key_size;  // of the whole key
  uint64_t id;        // the same in all sketches of the process
  uint64_t bytes;     // of the request or reply that carried it
  uint64_t seen_at;   // monotonic ns
};

class BigKeys {
 public:
  static constexpr size_t kEntries = 64;
  static constexpr size_t kKeyBytes = 80;
  static constexpr uint64_t kSmallest = 4096;           // bytes: nothing below is big
  static constexpr uint64_t kForget = 600'000'000'000;  // ns

  // secret: the same for tables that are merged later.
  explicit BigKeys(uint64_t secret) : secret_(secret) {}

  bool wants(uint64_t bytes) const { return bytes > floor_; }
  // front: of the key, as much as is known; key_size: of the whole key. Keys of one size with the same front count as one.
  void note(std::string_view front, uint64_t key_size, uint64_t bytes, uint64_t now);
  // About once a second. now: monotonic ns.
  void housekeeping(uint64_t now);
  // The largest first.
  std::vector<BigKey> top(size_t count) const;

 private:
  struct Entry {
    uint64_t id;
    uint64_t bytes;
    uint64_t seen_at;
    uint64_t key_size;
    uint32_t front_size;
    std::array<char, kKeyBytes> key;
  };
  struct Table {
    std::array<Entry, kEntries> entries;
    size_t used = 0;
  };
  void find_floor();

  uint64_t secret_;
  uint64_t floor_ = kSmallest;
  std::unique_ptr<Table> table_;  // made for the first big value
};

// What several workers saw: of a key what was seen last, largest first.
std::vector<BigKey> merged(std::vector<BigKey> keys, size_t count);

}  // namespace overlord::sketch
