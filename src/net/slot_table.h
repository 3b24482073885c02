#pragma once
// SlotTable: a driver's table of sockets. A slot never moves; an index is used again after give(), under a new
// generation, so that a kernel event which names (index, generation) and comes late is recognised as stale.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace overlord::net {

// Slot needs a member `uint32_t generation`; all others are as new after take().
template <typename Slot>
class SlotTable {
 public:
  uint32_t take() {
    if (free_.empty()) add_block();
    const uint32_t index = free_.back();
    free_.pop_back();
    Slot& slot = (*this)[index];
    const uint32_t generation = slot.generation;
    std::destroy_at(&slot);
    std::construct_at(&slot)->generation = generation;
    return index;
  }
  void give(uint32_t index) {
    ++(*this)[index].generation;
    free_.push_back(index);
  }

  Slot& operator[](uint32_t index) { return blocks_[index / kBlock][index % kBlock]; }
  const Slot& operator[](uint32_t index) const { return blocks_[index / kBlock][index % kBlock]; }
  uint32_t capacity() const { return static_cast<uint32_t>(blocks_.size() * kBlock); }

  uint64_t token(uint32_t index) const { return uint64_t{(*this)[index].generation} << 32 | index; }
  static uint32_t index_of(uint64_t token) { return static_cast<uint32_t>(token); }
  // Null when the slot has been given back since the token was made.
  Slot* find(uint64_t token) {
    Slot& slot = (*this)[index_of(token)];
    return slot.generation == static_cast<uint32_t>(token >> 32) ? &slot : nullptr;
  }

 private:
  static constexpr size_t kBlock = 256;

  void add_block() {
    const uint32_t first = capacity();
    blocks_.push_back(std::make_unique<Slot[]>(kBlock));
    free_.reserve(capacity());
    for (uint32_t i = kBlock; i > 0; --i) free_.push_back(first + i - 1);
  }

  std::vector<std::unique_ptr<Slot[]>> blocks_;
  std::vector<uint32_t> free_;
};

}  // namespace overlord::net
