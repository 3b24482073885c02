// EpollLoop: sockets that another process goes on with. Closing a descriptor takes it out of the epoll set only when no
// other one stands for the same socket, so each is taken out by name.

#include <utility>

#include "net/epoll_internal.h"

namespace overlord::net {

UniqueFd EpollLoop::release_listener(ListenerId id) {
  if (id.slot == ListenerId{}.slot) return {};
  UniqueFd fd(std::exchange(slots_[id.slot].fd, -1));
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  delete slots_[id.slot].listener;
  release(id.slot);
  return fd;
}

std::optional<ReleasedStream> EpollLoop::try_release(Stream& stream) {
  if (stream.layer != nullptr || !stream.attached()) return std::nullopt;
  const uint32_t index = stream.slot;
  Slot& slot = slots_[index];
  if (!slot.paused || slot.connecting || slot.blocked || slot.ended || slot.error != 0 || !stream.out.empty()) {
    return std::nullopt;
  }
  ReleasedStream released{.fd = UniqueFd(std::exchange(slot.fd, -1)), .received = {}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, released.fd.get(), nullptr);
  detach(index);
  return released;
}

}  // namespace overlord::net
