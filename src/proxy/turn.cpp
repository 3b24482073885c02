#include "proxy/turn.h"

#include <algorithm>

namespace overlord::proxy {
namespace {

constexpr int kGatherRounds = 3;
constexpr size_t kWarmChunks = 128;
constexpr size_t kWarmRequests = 1024;
constexpr size_t kWarmBytes = 256 * 1024;  // of buffers of each size
constexpr size_t kLargestWarmBuffer = 16 * 1024;

}  // namespace

void Turn::end() noexcept {
  sessions.run();
  if (!backends.empty() && had_input_ && rounds_ < kGatherRounds) {
    ++rounds_;
  } else {
    rounds_ = 0;
    backends.run();
    // A backend that failed in the flush has answered requests.
    sessions.run();
  }
  had_input_ = false;
  for (routing::Request* request : volatile_) {
    // One that was delivered and is back in the pool, or used anew, is not volatile any more.
    if (request->reply_volatile) requests.keep_reply(*request);
  }
  volatile_.clear();
  graveyard_.clear();
  if (trim_asked_) {
    trim_asked_ = false;
    requests.trim();
    buffers.trim();
  }
}

void Turn::warm_up() {
  std::vector<Chunk*> some_chunks(kWarmChunks);
  for (Chunk*& chunk : some_chunks) chunk = chunks().take();
  for (Chunk* chunk : some_chunks) chunks().give(chunk);
  std::vector<routing::Request*> some_requests(kWarmRequests);
  for (auto& request : some_requests) {
    request = &requests.take(routing::Wire::none, routing::Answer::reply, nullptr);
  }
  for (routing::Request* request : some_requests) requests.release_owner(*request);
  for (size_t size = 64; size <= kLargestWarmBuffer; size *= 2) {
    std::vector<Buffer> some_buffers(std::min(kWarmBytes / size, kWarmRequests));
    for (Buffer& buffer : some_buffers) buffer = buffers.take(size);
    for (Buffer& buffer : some_buffers) buffers.give(buffer);
  }
  volatile_.reserve(kWarmRequests);
}

size_t Turn::bytes_in_use() const {
  return loop.chunks().in_use() * kChunkSize + buffers.used_bytes() + buffers.large_bytes() +
         requests.in_use() * sizeof(routing::Request);
}

size_t Turn::pooled_bytes() const {
  const ChunkPool& pool = loop.chunks();
  return (pool.in_use() + pool.free_count()) * kChunkSize + buffers.free_bytes() +
         (requests.in_use() + requests.free_count()) * sizeof(routing::Request);
}

}  // namespace overlord::proxy
