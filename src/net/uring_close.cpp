// UringLoop: closing, lingering, accepting.

#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>

#include "net/uring_internal.h"

namespace overlord::net {

namespace {

constexpr int kAcceptsPerEvent = 64;

}  // namespace

void UringLoop::release(uint32_t index) {
  Slot& slot = slots_[index];
  if (slot.operations > 0 && slot.epoch == ring_.epoch() && started_) ring_.submit();
  if (slot.held != nullptr) slot.held->clear(chunks_);
  slot.held.reset();
  slot.stream = nullptr;
  slot.handler = nullptr;
  if (slot.fd >= 0) ::close(slot.fd);
  slot.fd = -1;
  slot.kind = Kind::closing;
  ++slot.operations;
  finish(index);
}

void UringLoop::detach(uint32_t index) {
  Slot& slot = slots_[index];
  Stream& stream = *slot.stream;
  stream.out.clear(chunks_);
  stream.sending = 0;
  stream.notify_drained = false;
  stream.slot = Stream::kDetached;
  end_operations(index);
  release(index);
}

// The kernel's operations hold the socket open: shutting it down ends them, and tells the peer.
void UringLoop::end_operations(uint32_t index) {
  Slot& slot = slots_[index];
  if (slot.operations == 0 || !started_) return;
  if (slot.epoch == ring_.epoch()) ring_.submit();
  ::shutdown(slot.fd, SHUT_RDWR);
}

// Closing gracefully.

void UringLoop::close_after_flush(Stream& stream, uint64_t linger_ns) {
  if (stream.layer != nullptr) return stream.layer->close_after_flush(linger_ns);
  if (!stream.attached()) return;
  const uint32_t index = stream.slot;
  Slot& slot = slots_[index];
  if (slot.connecting || slot.error != 0 || linger_ns == 0 || (slot.ended && stream.unsent() == 0)) {
    flush(stream);
    return detach(index);
  }
  slot.kind = Kind::linger;
  auto* linger = new Linger{this, index, {}, {}, false};
  linger->out.splice(stream.out);
  linger->deadline.set(
      [](void* owner) {
        const auto* late = static_cast<Linger*>(owner);
        late->loop->end_linger(late->slot);
      },
      linger);
  timers().arm(linger->deadline, now(), linger_ns);
  stream.sending = 0;
  stream.notify_drained = false;
  stream.slot = Stream::kDetached;
  slot.linger = linger;
  slot.handler = nullptr;
  slot.paused = false;
  if (slot.held != nullptr) slot.held->clear(chunks_);
  if (!started_) return;  // begin() will find it as it is now
  if (!slot.receiving && !slot.ended) arm_receive(index, false);
  if (!slot.send_busy) linger_sent(index);
}

// Nothing is being sent: sends more, or shuts our side down.
void UringLoop::linger_sent(uint32_t index) {
  Slot& slot = slots_[index];
  Linger& linger = *slot.linger;
  if (!linger.out.empty()) return start_send(index, linger.out);
  linger.out.clear(chunks_);
  if (slot.ended) return end_linger(index);
  linger.sent = true;
  ::shutdown(slot.fd, SHUT_WR);
}

void UringLoop::linger_ended(uint32_t index) {
  Slot& slot = slots_[index];
  slot.ended = true;
  if (slot.linger->sent) end_linger(index);
}

void UringLoop::end_linger(uint32_t index) {
  Linger* linger = slots_[index].linger;
  linger->out.clear(chunks_);
  delete linger;
  end_operations(index);
  release(index);
}

// Listeners. Polled and accepted from directly, so that a connection is never taken after unlisten: an accept
// under way in the kernel could still take one, and nobody would serve it.

uint32_t UringLoop::listener_events(const Slot& slot) {
  return POLLIN | (slot.listener->exclusive ? uint32_t{EPOLLEXCLUSIVE} : 0u);
}

ListenerId UringLoop::listen(UniqueFd fd, AcceptHandler& handler, bool exclusive) {
  tune_stream_socket(fd.get());  // accepted sockets inherit it
  const uint32_t index = open_slot(Kind::listener, fd.release());
  Slot& slot = slots_[index];
  slot.listener = new Listener{this, &handler, index, exclusive, {}};
  slot.listener->retry.set(
      [](void* owner) {
        const auto* listener = static_cast<Listener*>(owner);
        listener->loop->accept_some(listener->slot);
      },
      slot.listener);
  begin(index);
  return ListenerId{index};
}

void UringLoop::unlisten(ListenerId id) {
  if (id.slot == ListenerId{}.slot) return;
  // The ring holds the socket until its poll has ended, maybe past the end of the process: without this the kernel
  // would go on taking connections that nobody serves.
  if (!slots_[id.slot].listener->exclusive) ::shutdown(slots_[id.slot].fd, SHUT_RDWR);
  delete slots_[id.slot].listener;
  if (slots_[id.slot].operations > 0) cancel(id.slot, Op::poll);
  release(id.slot);
}

void UringLoop::accept_some(uint32_t index) {
  const uint64_t token = slots_.token(index);
  Slot& slot = slots_[index];
  if (slot.listener->retry.armed()) return;  // paused
  for (int i = 0; i < kAcceptsPerEvent; ++i) {
    if (const uint64_t delay = slot.listener->handler->accept_delay(); delay > 0) {
      timers().arm(slot.listener->retry, now(), delay);
      return;
    }
    const int fd = ::accept4(slot.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      slot.listener->handler->on_accept(UniqueFd(fd));
      if (!alive(token, Kind::listener)) return;
    } else if (errno == EAGAIN) {
      return;
    } else if (out_of_resources(errno)) {
      ++accept_pauses_;
      timers().arm(slot.listener->retry, now(), kAcceptRetryNs);
      return;
    }
  }
  enqueue(index, kAccept);
}

}  // namespace overlord::net
