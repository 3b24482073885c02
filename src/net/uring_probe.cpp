// Whether io_uring can be used: tried out by receiving over a socket pair just as the driver does. Kernels lack
// parts of it, containers forbid it by seccomp, and administrators by kernel.io_uring_disabled.

#include "net/uring_probe.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>

#include "net/socket.h"
#include "net/uring.h"

namespace overlord::net {

namespace {

constexpr std::string_view kProbe = "probe";

std::string try_receive(Uring& ring) {
  if (std::string reason = ring.enable(); !reason.empty()) return reason;
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return std::strerror(errno);
  const UniqueFd left(fds[0]);
  UniqueFd right(fds[1]);
  ring.prepare_receive(ring.entry(), left.get(), 1, true);
  int receives = 0;
  int ends = 0;
  std::string problem;
  const auto see = [&](const io_uring_cqe& cqe) {
    const std::span<char> bytes = ring.take_received(cqe);
    const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
    if (cqe.res < 0) {
      problem = std::string("a multishot receive fails: ") + std::strerror(-cqe.res);
    } else if (bytes.empty()) {
      ++ends;
    } else if (std::string_view(bytes.data(), bytes.size()) != kProbe || !more) {
      problem = "a multishot receive (Linux 6.0) does not deliver as it should";
    } else {
      ++receives;
    }
  };
  // Two messages and the end, one after the other, all answering one receive.
  for (int step = 0; step < 3 && problem.empty(); ++step) {
    if (step == 2) {
      right.reset();
    } else if (::send(right.get(), kProbe.data(), kProbe.size(), MSG_NOSIGNAL) < 0) {
      return std::strerror(errno);
    }
    ring.wait(1, 1'000'000'000);
    ring.for_each(see);
    ring.recycle();
    if (problem.empty() && receives + ends != step + 1) problem = "a multishot receive does not complete";
  }
  return problem;
}

}  // namespace

std::string probe_uring() {
  std::string reason;
  // In a thread of its own, since a ring belongs to the thread that enables it and leaves its marks there.
  std::thread([&reason] {
    Uring ring;
    reason = ring.init(8, 16);
    if (reason.empty()) reason = try_receive(ring);
  }).join();
  return reason;
}

}  // namespace overlord::net
