#pragma once
// HotKeys: which keys are asked most, in bounded memory. One writer; read by its own thread.
//
// One key in about kSampleEvery is looked at (the gaps are random, so no pattern of a client hides a key). What is
// looked at goes through a Space-Saving table: a key that is not in it takes the place of the least frequent one and
// inherits its count as its possible error. So a key whose share is above 1/kEntries of all is never missing, and its
// count is at most that much too high. Every kHalfLife all counts are halved: what is shown is what is hot now.
// Source: Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams" (2005).
//
// Of a key the first kKeyBytes are kept; keys are told apart by a hash of all their bytes with a secret start, so that
// nobody outside can make two keys look the same.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace overlord::sketch {

struct HotKey {
  std::string key;    // its first kKeyBytes
  uint64_t size;      // of the whole key
  uint64_t id;        // the same in all sketches of the process
  double per_second;  // estimated
  double surely;      // at least so many of them, but for the chance of sampling
  bool operator==(const HotKey&) const = default;
};

class HotKeys {
 public:
  static constexpr size_t kEntries = 256;
  static constexpr size_t kKeyBytes = 80;
  static constexpr uint32_t kSampleEvery = 64;
  static constexpr uint64_t kHalfLife = 10'000'000'000;  // ns

  // secret: the same for sketches that are merged later.
  explicit HotKeys(uint64_t secret) : secret_(secret), random_(secret | 1) {}

  void touch(std::string_view key) {
    if (--left_ == 0) [[unlikely]]
      sample(key);
  }
  // About once a second. now: monotonic ns.
  void housekeeping(uint64_t now);
  // The hottest, by estimate; only those that were surely seen more often than chance explains.
  std::vector<HotKey> top(size_t count, uint64_t now) const;

 private:
  struct Name {
    uint32_t size;  // of the whole key
    std::array<char, kKeyBytes> bytes;
  };
  // Made at the first sample, because many clusters never have one.
  struct Table {
    std::array<uint32_t, kEntries> counts{};  // apart from the rest: the least is searched often
    std::array<uint32_t, kEntries> errors{};
    std::array<uint64_t, kEntries> ids{};
    std::array<uint16_t, kEntries * 4> places{};  // by id, linear probing: entry + 1; 0: free
    std::array<Name, kEntries> names;
    size_t used = 0;
  };

  void sample(std::string_view key);
  uint32_t next_gap();
  void place(size_t entry);
  void displace(size_t entry);
  size_t find(uint64_t id) const;  // kEntries: not there

  uint64_t secret_;
  uint64_t random_;
  uint32_t left_ = 1;
  uint64_t halved_at_ = 0;
  bool aged_ = false;  // halved at least once: the counts stand for a whole past
  std::unique_ptr<Table> table_;
};

// Sums what several workers saw of the same keys, hottest first.
std::vector<HotKey> merged(std::vector<HotKey> keys, size_t count);

}  // namespace overlord::sketch
