#include "base/chunk.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace overlord {

ChunkPool::~ChunkPool() {
  while (free_ != nullptr) {
    Chunk* chunk = free_;
    free_ = chunk->next;
    std::free(chunk);
  }
}

Chunk* ChunkPool::take() {
  Chunk* chunk = free_;
  if (chunk != nullptr) [[likely]] {
    free_ = chunk->next;
    --free_count_;
  } else {
    chunk = static_cast<Chunk*>(std::malloc(kChunkSize));
    if (chunk == nullptr) throw std::bad_alloc();
  }
  chunk->next = nullptr;
  chunk->begin = 0;
  chunk->end = 0;
  high_water_ = std::max(high_water_, ++in_use_);
  return chunk;
}

void ChunkPool::give(Chunk* chunk) {
  chunk->next = free_;
  free_ = chunk;
  ++free_count_;
  --in_use_;
}

void ChunkPool::trim() {
  // Twice the need of the last period, so that a load that varies does not go to the heap for what it just gave.
  while (free_ != nullptr && free_count_ + in_use_ > std::max(2 * high_water_, kAlwaysKept)) {
    Chunk* chunk = free_;
    free_ = chunk->next;
    --free_count_;
    std::free(chunk);
  }
  high_water_ = in_use_;
}

ChunkQueue::~ChunkQueue() {
  if (head_ != nullptr) std::abort();  // chunks would leak past their pool's accounting
}

void ChunkQueue::add_chunk(ChunkPool& pool) {
  Chunk* chunk = pool.take();
  (tail_ == nullptr ? head_ : tail_->next) = chunk;
  tail_ = chunk;
}

void ChunkQueue::append_slow(ChunkPool& pool, const char* data, size_t n) {
  while (n > 0) {
    if (tail_ == nullptr || tail_->end == Chunk::capacity()) add_chunk(pool);
    const size_t part = std::min<size_t>(n, Chunk::capacity() - tail_->end);
    __builtin_memcpy(tail_->data() + tail_->end, data, part);
    commit(part);
    data += part;
    n -= part;
  }
}

void ChunkQueue::consume(ChunkPool& pool, size_t n) {
  bytes_ -= n;
  while (head_ != nullptr) {
    const uint32_t have = head_->size();
    if (n < have) {
      head_->begin += static_cast<uint32_t>(n);
      return;
    }
    n -= have;
    Chunk* done = head_;
    head_ = done->next;
    pool.give(done);
    if (n == 0) break;
  }
  if (head_ == nullptr) tail_ = nullptr;
}

void ChunkQueue::clear(ChunkPool& pool) {
  while (head_ != nullptr) {
    Chunk* done = head_;
    head_ = done->next;
    pool.give(done);
  }
  tail_ = nullptr;
  bytes_ = 0;
}

void ChunkQueue::splice(ChunkQueue& other) {
  if (other.head_ == nullptr) return;
  (tail_ == nullptr ? head_ : tail_->next) = other.head_;
  tail_ = other.tail_;
  bytes_ += other.bytes_;
  other.head_ = other.tail_ = nullptr;
  other.bytes_ = 0;
}

void ChunkQueue::splice_front(ChunkPool& pool, ChunkQueue& from, size_t n) {
  while (n > 0) {
    Chunk* chunk = from.head_;
    const uint32_t have = chunk->size();
    if (have > n) {
      append(pool, chunk->data() + chunk->begin, n);
      chunk->begin += static_cast<uint32_t>(n);
      from.bytes_ -= n;
      return;
    }
    from.head_ = chunk->next;
    if (from.head_ == nullptr) from.tail_ = nullptr;
    from.bytes_ -= have;
    chunk->next = nullptr;
    (tail_ == nullptr ? head_ : tail_->next) = chunk;
    tail_ = chunk;
    bytes_ += have;
    n -= have;
  }
}

size_t ChunkQueue::fill(std::span<iovec> out) const {
  size_t used = 0;
  for (Chunk* chunk = head_; chunk != nullptr && used < out.size(); chunk = chunk->next) {
    if (chunk->size() == 0) continue;
    out[used].iov_base = chunk->data() + chunk->begin;
    out[used].iov_len = chunk->size();
    ++used;
  }
  return used;
}

}  // namespace overlord
