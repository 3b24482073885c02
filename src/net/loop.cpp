#include "net/loop.h"

#include "net/epoll_loop.h"
#include "net/uring_loop.h"
#include "net/uring_probe.h"

namespace overlord::net {

std::string uring_unavailable_reason() {
  static const std::string reason = probe_uring();
  return reason;
}

Result<std::unique_ptr<Loop>> make_loop(Driver driver) {
  if (driver == Driver::epoll) return EpollLoop::create();
  const std::string reason = uring_unavailable_reason();
  if (reason.empty()) {
    auto loop = UringLoop::create();
    if (loop.has_value() || driver == Driver::io_uring) return loop;
  } else if (driver == Driver::io_uring) {
    return fail("io_uring cannot be used here: " + reason);
  }
  return EpollLoop::create();
}

}  // namespace overlord::net
