#pragma once
// Chunk, ChunkPool, ChunkQueue: bytes on their way from one socket to another.
//
// A Chunk is a fixed block of kChunkSize bytes. A ChunkPool keeps the free ones of one worker; it is not
// thread-safe. A ChunkQueue is a FIFO of bytes in chunks: appended at the back, consumed at the front.
// Ownership: a chunk belongs to exactly one queue or to the pool. A queue must be empty (clear) before it is
// destroyed; that is asserted. Moving bytes between queues of one pool (splice) copies nothing.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace overlord {

inline constexpr size_t kChunkSize = 16 * 1024;

struct Chunk {
  Chunk* next;
  uint32_t begin;  // first unread byte in data()
  uint32_t end;    // one past the last written byte

  static constexpr uint32_t capacity() { return kChunkSize - 16; }
  char* data() { return reinterpret_cast<char*>(this) + 16; }
  const char* data() const { return reinterpret_cast<const char*>(this) + 16; }
  uint32_t size() const { return end - begin; }
};
static_assert(sizeof(Chunk) == 16);

class ChunkPool {
 public:
  ChunkPool() = default;
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  Chunk* take();                             // an empty chunk; from the free list or, when that is empty, the heap
  void give(Chunk* chunk);                   // back to the free list
  size_t in_use() const { return in_use_; }  // chunks out of the pool
  size_t free_count() const { return free_count_; }

  // Gives free chunks far above the high-water mark of use since the last call back to the heap.
  // Called about once a second.
  void trim();

 private:
  static constexpr size_t kAlwaysKept = 128;

  Chunk* free_ = nullptr;
  size_t free_count_ = 0;
  size_t in_use_ = 0;
  size_t high_water_ = 0;
};

class ChunkQueue {
 public:
  ChunkQueue() = default;
  ~ChunkQueue();
  ChunkQueue(const ChunkQueue&) = delete;
  ChunkQueue& operator=(const ChunkQueue&) = delete;

  bool empty() const { return bytes_ == 0; }
  size_t size() const { return bytes_; }

  void append(ChunkPool& pool, const char* data, size_t n) {
    if (tail_ != nullptr && Chunk::capacity() - tail_->end >= n) [[likely]] {
      __builtin_memcpy(tail_->data() + tail_->end, data, n);
      tail_->end += static_cast<uint32_t>(n);
      bytes_ += n;
      return;
    }
    append_slow(pool, data, n);
  }
  void append(ChunkPool& pool, std::string_view s) { append(pool, s.data(), s.size()); }

  // Room for n <= Chunk::capacity() contiguous bytes at the back; write there, then commit what was written.
  char* reserve(ChunkPool& pool, size_t n) {
    if (tail_ == nullptr || Chunk::capacity() - tail_->end < n) add_chunk(pool);
    return tail_->data() + tail_->end;
  }
  void commit(size_t n) {
    tail_->end += static_cast<uint32_t>(n);
    bytes_ += n;
  }

  void consume(ChunkPool& pool, size_t n);  // drops n <= size() bytes from the front
  void clear(ChunkPool& pool);
  void splice(ChunkQueue& other);                                  // moves all of other to the back of this
  void splice_front(ChunkPool& pool, ChunkQueue& from, size_t n);  // moves the first n bytes of from to our back
  size_t fill(std::span<iovec> out) const;  // describes the front; returns how many entries it used
  Chunk* front() const { return head_; }

 private:
  void append_slow(ChunkPool& pool, const char* data, size_t n);
  void add_chunk(ChunkPool& pool);

  Chunk* head_ = nullptr;
  Chunk* tail_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace overlord
