#include "base/buffer_pool.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

namespace overlord {

BufferPool::~BufferPool() {
  for (Class& c : classes_) {
    while (c.head != nullptr) {
      Free* next = c.head->next;
      std::free(c.head);
      c.head = next;
    }
  }
}

Buffer BufferPool::take(size_t at_least) {
  const int shift = std::max(kMinShift, static_cast<int>(std::bit_width(at_least == 0 ? 0 : at_least - 1)));
  Buffer buffer;
  if (shift <= kMaxShift) {
    Class& c = classes_[static_cast<size_t>(shift - kMinShift)];
    buffer.capacity = uint64_t{1} << shift;
    c.high_water = std::max(c.high_water, ++c.in_use);
    if (c.head != nullptr) {
      buffer.data = reinterpret_cast<char*>(c.head);
      c.head = c.head->next;
      --c.free;
      free_bytes_ -= buffer.capacity;
      return buffer;
    }
  } else {
    buffer.capacity = (at_least + 4095) & ~uint64_t{4095};
  }
  buffer.data = static_cast<char*>(std::malloc(buffer.capacity));
  if (buffer.data == nullptr) throw std::bad_alloc();
  if (shift > kMaxShift) {
    large_bytes_ += buffer.capacity;
    large_peak_ = std::max(large_peak_, large_bytes_);
  }
  return buffer;
}

void BufferPool::give(Buffer& buffer) {
  if (buffer.data == nullptr) return;
  if (buffer.capacity > (uint64_t{1} << kMaxShift)) {
    large_bytes_ -= buffer.capacity;
    std::free(buffer.data);
  } else {
    Class& c = classes_[static_cast<size_t>(std::bit_width(buffer.capacity) - 1 - kMinShift)];
    Free* node = reinterpret_cast<Free*>(buffer.data);
    node->next = c.head;
    c.head = node;
    ++c.free;
    --c.in_use;
    free_bytes_ += buffer.capacity;
  }
  buffer = {};
}

void BufferPool::grow(Buffer& buffer, size_t used, size_t at_least) {
  if (buffer.capacity >= at_least) return;
  Buffer larger = take(std::max<size_t>(at_least, buffer.capacity * 2));
  if (used > 0) std::memcpy(larger.data, buffer.data, used);
  give(buffer);
  buffer = larger;
}

size_t BufferPool::used_bytes() const {
  size_t bytes = 0;
  for (size_t i = 0; i < classes_.size(); ++i) bytes += classes_[i].in_use << (kMinShift + i);
  return bytes;
}

void BufferPool::trim() {
  for (size_t i = 0; i < classes_.size(); ++i) {
    Class& c = classes_[i];
    const size_t size = size_t{1} << (i + kMinShift);
    // Twice the need of the last period, so that a load that varies does not go to the heap for what it just gave.
    const size_t keep = std::max(2 * c.high_water, kAlwaysKept / size);
    while (c.head != nullptr && c.free + c.in_use > keep) {
      Free* next = c.head->next;
      std::free(c.head);
      c.head = next;
      --c.free;
      free_bytes_ -= size;
    }
    c.high_water = c.in_use;
  }
}

}  // namespace overlord
