// EpollLoop: listeners, and closing gracefully.

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "net/epoll_internal.h"

namespace overlord::net {

namespace {

constexpr int kAcceptsPerEvent = 64;

}  // namespace

// Listeners.

ListenerId EpollLoop::listen(UniqueFd fd, AcceptHandler& handler, bool exclusive) {
  tune_stream_socket(fd.get());  // accepted sockets inherit it
  const uint32_t index = open_slot(Kind::listener, fd.release());
  Slot& slot = slots_[index];
  // Level-triggered: an accept that was cut short is simply reported again.
  const uint32_t events = EPOLLIN | (exclusive ? uint32_t{EPOLLEXCLUSIVE} : 0u);
  slot.listener = new Listener{this, &handler, index, events, {}};
  slot.listener->retry.set(
      [](void* owner) {
        auto* listener = static_cast<Listener*>(owner);
        if (!listener->loop->watch(listener->slot, listener->events)) {
          listener->loop->timers().arm(listener->retry, listener->loop->now(), kAcceptRetryNs);
        }
      },
      slot.listener);
  if (!watch(index, events)) timers().arm(slot.listener->retry, now(), kAcceptRetryNs);
  return ListenerId{index};
}

void EpollLoop::unlisten(ListenerId id) {
  if (id.slot == ListenerId{}.slot) return;
  delete slots_[id.slot].listener;
  release(id.slot);
}

void EpollLoop::accept_some(uint64_t token, Slot& slot) {
  for (int i = 0; i < kAcceptsPerEvent; ++i) {
    if (const uint64_t delay = slot.listener->handler->accept_delay(); delay > 0) return pause_listener(slot, delay);
    const int fd = ::accept4(slot.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      slot.listener->handler->on_accept(UniqueFd(fd));
      if (slots_.find(token) == nullptr) return;
    } else if (errno == EAGAIN) {
      return;
    } else if (out_of_resources(errno)) {
      ++accept_pauses_;
      return pause_listener(slot, kAcceptRetryNs);
    }
  }
}

void EpollLoop::pause_listener(Slot& slot, uint64_t ns) {
  // Removed, since an exclusive registration cannot be modified.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, slot.fd, nullptr);
  timers().arm(slot.listener->retry, now(), ns);
}

// Closing gracefully.

void EpollLoop::close_after_flush(Stream& stream, uint64_t linger_ns) {
  if (stream.layer != nullptr) return stream.layer->close_after_flush(linger_ns);
  if (!stream.attached()) return;
  const uint32_t index = stream.slot;
  Slot& slot = slots_[index];
  if (slot.connecting || slot.error != 0 || linger_ns == 0 || (slot.ended && stream.out.empty())) {
    flush(stream);
    return detach(index);
  }
  slot.kind = Kind::linger;
  stream.notify_drained = false;
  stream.slot = Stream::kDetached;
  auto* linger = new Linger{this, index, {}, {}, false};
  linger->out.splice(stream.out);
  linger->deadline.set(
      [](void* owner) {
        const auto* late = static_cast<Linger*>(owner);
        late->loop->end_linger(late->slot);
      },
      linger);
  timers().arm(linger->deadline, now(), linger_ns);
  slot.linger = linger;
  slot.held = 0;
  // What the peer has sent meanwhile is read in a turn of its own: here the arena may be full.
  if (linger_send(index, slot)) enqueue(index, kReadable);
}

// False when the socket is closed.
bool EpollLoop::linger_send(uint32_t index, Slot& slot) {
  ChunkQueue& out = slot.linger->out;
  const Sent sent = send(slot, out);
  if (sent == Sent::blocked) return true;
  if (sent == Sent::failed || slot.ended) {
    end_linger(index);
    return false;
  }
  out.clear(chunks_);
  slot.linger->sent = true;
  ::shutdown(slot.fd, SHUT_WR);
  return true;
}

void EpollLoop::linger_event(uint32_t index, Slot& slot, uint32_t events) {
  if (slot.blocked && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
    slot.blocked = false;
    if (!linger_send(index, slot)) return;
  }
  if (slot.ended || (events & (EPOLLIN | kReadable | kHangup)) == 0) return;
  // The bytes are thrown away, so they may lie in the unused end of the arena.
  const size_t room = std::min(kReceiveMax, kArenaSize - arena_used_);
  const ssize_t got = ::recv(slot.fd, arena_.get() + arena_used_, room, 0);
  if (got > 0) {
    if (static_cast<size_t>(got) == room || (events & kHangup) != 0) enqueue(index, kReadable | (events & kHangup));
  } else if (got == 0) {
    slot.ended = true;
    if (slot.linger->sent) end_linger(index);
  } else if (errno != EAGAIN && errno != EINTR) {
    end_linger(index);
  }
}

void EpollLoop::end_linger(uint32_t index) {
  Linger* linger = slots_[index].linger;
  linger->out.clear(chunks_);
  delete linger;
  release(index);
}

}  // namespace overlord::net
