#include "net/loop.h"

#include "net/epoll_loop.h"

namespace overlord::net {

std::string uring_unavailable_reason() { return "it is not built in"; }

Result<std::unique_ptr<Loop>> make_loop(Driver driver) {
  if (driver == Driver::io_uring) {
    if (std::string reason = uring_unavailable_reason(); !reason.empty()) {
      return fail("io_uring cannot be used here: " + reason);
    }
  }
  return EpollLoop::create();
}

}  // namespace overlord::net
