#pragma once
// BufferPool: short-lived contiguous buffers of one worker in power-of-two sizes, 64 bytes to 64 KiB, from free
// lists; larger ones come from the heap each time. Not thread-safe. A Buffer is owned by whoever took it and must
// be given back to the same pool.

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace overlord {

struct Buffer {
  char* data = nullptr;
  uint64_t capacity = 0;

  explicit operator bool() const { return data != nullptr; }
};

class BufferPool {
 public:
  BufferPool() = default;
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  Buffer take(size_t at_least);
  size_t large_bytes() const { return large_bytes_; }  // taken, of buffers beyond 64 KiB
  // The most that those have been since the last call.
  size_t take_large_peak() { return std::exchange(large_peak_, large_bytes_); }
  void give(Buffer& buffer);  // leaves it empty; no-op when it is
  // At least `at_least` bytes, the first `used` of them kept.
  void grow(Buffer& buffer, size_t used, size_t at_least);
  // Gives back to the heap the free buffers far above the need since the last call. Called about once a second.
  void trim();
  size_t free_bytes() const { return free_bytes_; }
  // Taken and not given back; without those beyond 64 KiB.
  size_t used_bytes() const;

 private:
  struct Free {
    Free* next;
  };
  size_t large_bytes_ = 0;
  size_t large_peak_ = 0;
  static constexpr size_t kAlwaysKept = 256 * 1024;  // free bytes of each size
  static constexpr int kMinShift = 6;
  static constexpr int kMaxShift = 16;
  struct Class {
    Free* head = nullptr;
    size_t free = 0;
    size_t in_use = 0;
    size_t high_water = 0;  // most in use since the last trim
  };
  std::array<Class, kMaxShift - kMinShift + 1> classes_{};
  size_t free_bytes_ = 0;
};

}  // namespace overlord
