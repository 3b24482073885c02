#pragma once
// What the parts of EpollLoop share.

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>

#include "net/epoll_loop.h"

namespace overlord::net {

inline constexpr size_t kArenaSize = 1024 * 1024;
inline constexpr size_t kReceiveMax = 64 * 1024;  // per stream and turn, so that nobody starves

inline constexpr uint32_t kHangup = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
// A mark of our own beside the kernel's events, in a bit that epoll does not report: the last receive may have
// left something.
inline constexpr uint32_t kReadable = 1u << 20;

struct EpollLoop::Listener {
  EpollLoop* loop;
  AcceptHandler* handler;
  uint32_t slot;
  uint32_t events;
  Timer retry;
};

// A socket after close_after_flush: first sends `out`, then waits for the peer's end.
struct EpollLoop::Linger {
  EpollLoop* loop;
  uint32_t slot;
  ChunkQueue out;
  Timer deadline;
  bool sent = false;  // and our side shut down
};

}  // namespace overlord::net
