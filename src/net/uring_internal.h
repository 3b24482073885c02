#pragma once
// What the parts of UringLoop share.

#include <sys/uio.h>

#include <array>
#include <cstdint>

#include "net/uring_loop.h"

namespace overlord::net {

// What a completion names: the operation and the slot.
inline uint64_t completion_key(uint8_t op, uint32_t index) { return uint64_t{op} << 32 | index; }
inline uint8_t completion_op(uint64_t key) { return static_cast<uint8_t>(key >> 32); }
inline uint32_t completion_index(uint64_t key) { return static_cast<uint32_t>(key); }

struct UringLoop::Listener {
  UringLoop* loop;
  AcceptHandler* handler;
  uint32_t slot;
  bool exclusive;
  Timer retry;
};

// A socket after close_after_flush: first sends `out`, then waits for the peer's end.
struct UringLoop::Linger {
  UringLoop* loop;
  uint32_t slot;
  ChunkQueue out;
  Timer deadline;
  bool sent = false;  // and our side shut down
};

// Of a send of several chunks; the kernel reads it during submission only.
struct UringLoop::SendVectors {
  static constexpr size_t kCount = 64;
  msghdr message{};
  std::array<iovec, kCount> vectors;
};

}  // namespace overlord::net
