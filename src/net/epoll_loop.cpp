#include <netinet/in.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "net/epoll_internal.h"

namespace overlord::net {

namespace {

constexpr size_t kReceiveMin = 16 * 1024;  // with less room than this in the arena the turn ends
constexpr int kEventsPerWait = 512;
constexpr size_t kSendVectors = 64;

constexpr uint32_t kStreamEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
// More of our own marks (epoll_internal.h).
constexpr uint32_t kFailed = 1u << 21;
constexpr uint32_t kDrained = 1u << 22;

}  // namespace

Result<std::unique_ptr<Loop>> EpollLoop::create() {
  std::unique_ptr<EpollLoop> loop(new EpollLoop);
  if (!loop->epoll_.valid() || !loop->wakeup_.valid()) {
    return fail(std::string("cannot create an event loop: ") + std::strerror(errno));
  }
  const uint32_t index = loop->open_slot(Kind::wakeup, -1);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = loop->slots_.token(index);
  if (epoll_ctl(loop->epoll_.get(), EPOLL_CTL_ADD, loop->wakeup_.get(), &event) != 0) {
    return fail(std::string("cannot create an event loop: ") + std::strerror(errno));
  }
  return std::unique_ptr<Loop>(std::move(loop));
}

EpollLoop::EpollLoop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      events_(std::make_unique<epoll_event[]>(kEventsPerWait)),
      arena_(std::make_unique_for_overwrite<char[]>(kArenaSize)) {}

EpollLoop::~EpollLoop() {
  for (uint32_t index = 0; index < slots_.capacity(); ++index) {
    switch (slots_[index].kind) {
      case Kind::stream: detach(index); break;
      case Kind::linger: end_linger(index); break;
      case Kind::listener: unlisten(ListenerId{index}); break;
      case Kind::wakeup:
      case Kind::free: break;
    }
  }
}

// Slots and their descriptors.

uint32_t EpollLoop::open_slot(Kind kind, int fd) {
  const uint32_t index = slots_.take();
  Slot& slot = slots_[index];
  slot.kind = kind;
  slot.fd = fd;
  return index;
}

bool EpollLoop::watch(uint32_t index, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = slots_.token(index);
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, slots_[index].fd, &event) == 0;
}

void EpollLoop::release(uint32_t index) {
  Slot& slot = slots_[index];
  if (slot.fd >= 0) ::close(slot.fd);  // also takes it out of the epoll set
  slot.fd = -1;
  slot.kind = Kind::free;
  slots_.give(index);
}

void EpollLoop::detach(uint32_t index) {
  Stream& stream = *slots_[index].stream;
  stream.out.clear(chunks_);
  stream.notify_drained = false;
  stream.slot = Stream::kDetached;
  release(index);
}

void EpollLoop::enqueue(uint32_t index, uint32_t events) {
  Slot& slot = slots_[index];
  if (slot.pending == 0) queue_.push_back(slots_.token(index));
  slot.pending |= events;
}

void EpollLoop::fail_later(uint32_t index, int error) {
  Slot& slot = slots_[index];
  if (slot.error == 0) slot.error = error;
  enqueue(index, kFailed);
}

// What the owner calls.

void EpollLoop::adopt(Stream& stream, UniqueFd fd, StreamHandler& handler) {
  const uint32_t index = open_slot(Kind::stream, fd.release());
  Slot& slot = slots_[index];
  slot.stream = &stream;
  slot.handler = &handler;
  stream.slot = index;
  stream.sending = 0;
  if (!watch(index, kStreamEvents)) fail_later(index, errno);
}

void EpollLoop::connect(Stream& stream, const SocketAddress& address, StreamHandler& handler) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int socket_error = fd < 0 ? errno : 0;
  const uint32_t index = open_slot(Kind::stream, fd);
  Slot& slot = slots_[index];
  slot.stream = &stream;
  slot.handler = &handler;
  slot.connecting = true;
  stream.slot = index;
  stream.sending = 0;
  if (fd < 0) return fail_later(index, socket_error);
  tune_stream_socket(fd);
  // Registered after connect(): before it, the kernel would report a hang-up.
  if (::connect(fd, address.get(), address.length) != 0 && errno != EINPROGRESS) return fail_later(index, errno);
  if (!watch(index, kStreamEvents)) fail_later(index, errno);
}

void EpollLoop::flush(Stream& stream) {
  if (stream.slot >= Stream::kLayered) [[unlikely]]
    return flush_layer(stream);
  Slot& slot = slots_[stream.slot];
  if (slot.connecting || slot.blocked || slot.error != 0) return;
  if (!stream.out.empty()) {
    switch (send(slot, stream.out)) {
      case Sent::failed: return fail_later(stream.slot, slot.error);
      case Sent::blocked: return;
      case Sent::all: break;
    }
  } else if (stream.out.front() != nullptr) {
    stream.out.clear(chunks_);  // reserved, never written
  }
  if (stream.notify_drained) enqueue(stream.slot, kDrained);
}

void EpollLoop::pause_receive(Stream& stream) {
  if (stream.layer != nullptr) return stream.layer->pause_receive();
  if (stream.attached()) slots_[stream.slot].paused = true;
}

void EpollLoop::resume_receive(Stream& stream) {
  if (stream.layer != nullptr) return stream.layer->resume_receive();
  if (!stream.attached()) return;
  Slot& slot = slots_[stream.slot];
  if (!slot.paused) return;
  slot.paused = false;
  if (slot.held != 0) enqueue(stream.slot, std::exchange(slot.held, 0u));
}

void EpollLoop::close(Stream& stream) {
  if (stream.layer != nullptr) return stream.layer->close();
  if (stream.attached()) detach(stream.slot);
}

int EpollLoop::fd(const Stream& stream) const {
  if (stream.layer != nullptr) return stream.layer->fd();
  return stream.attached() ? slots_[stream.slot].fd : -1;
}

// The loop.

void EpollLoop::run(TurnHandler& turns) {
  sharpen_sleep();
  refresh_now();
  do {
    wait(turns.hurry() || layers().waiting());
    handle_queue();
    run_timers();
    run_posted();
    turns.end_of_turn();
    end_inputs();
    arena_used_ = 0;
  } while (!stop_requested());
  clear_stop();
}

void EpollLoop::wait(bool hurry) {
  int timeout = 0;
  if (queue_.empty() && !hurry) {
    if (should_rest()) rest();
    const uint64_t ns = wait_ns();
    timeout = ns > uint64_t{INT_MAX} * 1'000'000 ? -1 : static_cast<int>((ns + 999'999) / 1'000'000);
  }
  const int count = epoll_wait(epoll_.get(), events_.get(), kEventsPerWait, timeout);
  begin_turn();
  for (int i = 0; i < count; ++i) {
    if (slots_.find(events_[i].data.u64) != nullptr) {
      enqueue(SlotTable<Slot>::index_of(events_[i].data.u64), events_[i].events);
    }
  }
}

void EpollLoop::handle_queue() {
  const size_t count = queue_.size();
  size_t done = 0;
  while (done < count && kArenaSize - arena_used_ >= kReceiveMin) {
    const uint64_t token = queue_[done++];
    Slot* slot = slots_.find(token);
    if (slot != nullptr) dispatch(token, *slot, std::exchange(slot->pending, 0u));
  }
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(done));
}

void EpollLoop::dispatch(uint64_t token, Slot& slot, uint32_t events) {
  switch (slot.kind) {
    case Kind::stream: return stream_event(token, slot, events);
    case Kind::listener: return accept_some(token, slot);
    case Kind::linger: return linger_event(SlotTable<Slot>::index_of(token), slot, events);
    case Kind::wakeup:
    case Kind::free: return;
  }
}

void EpollLoop::stream_event(uint64_t token, Slot& slot, uint32_t events) {
  if ((events & kFailed) != 0) return report_failure(token, slot, slot.error);
  if (slot.connecting) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    if (!finish_connect(token, slot)) return;
  }
  if (slot.blocked && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
    slot.blocked = false;
    const Sent sent = send(slot, slot.stream->out);
    if (sent == Sent::failed) return report_failure(token, slot, slot.error);
    if (sent == Sent::all) events |= kDrained;
  }
  if ((events & kDrained) != 0 && slot.stream->notify_drained && slot.stream->out.empty()) {
    slot.stream->notify_drained = false;
    slot.handler->on_drained();
    if (!is_stream(token)) return;
  }
  if ((events & (EPOLLIN | kReadable | kHangup)) != 0) receive(token, slot, events);
}

bool EpollLoop::finish_connect(uint64_t token, Slot& slot) {
  int error = pending_error(slot.fd);
  if (error == 0 && connected_to_itself(slot.fd)) error = ECONNREFUSED;
  if (error != 0) {
    StreamHandler* handler = slot.handler;
    detach(SlotTable<Slot>::index_of(token));
    handler->on_error(error);
    return false;
  }
  slot.connecting = false;
  slot.handler->on_connected();
  if (!is_stream(token)) return false;
  flush(*slot.stream);
  return true;
}

void EpollLoop::receive(uint64_t token, Slot& slot, uint32_t events) {
  const uint32_t hangup = events & kHangup;
  while (!slot.ended) {
    if (slot.paused) {
      slot.held |= hangup | kReadable;
      return;
    }
    const size_t room = std::min(kReceiveMax, kArenaSize - arena_used_);
    char* const at = arena_.get() + arena_used_;
    const ssize_t got = ::recv(slot.fd, at, room, 0);
    if (got > 0) {
      const auto size = static_cast<size_t>(got);
      arena_used_ += size;
      note_input();
      slot.handler->on_data(std::span<char>(at, size));
      if (!is_stream(token)) return;
      if (size == room || kArenaSize - arena_used_ < kReceiveMin) {
        return enqueue(SlotTable<Slot>::index_of(token), hangup | kReadable);
      }
      // A short read emptied the socket, and the next bytes bring the next edge; only an end that was already
      // announced brings none.
      if (hangup == 0) return;
    } else if (got == 0) {
      slot.ended = true;
      slot.handler->on_end();
      return;
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      slot.error = errno;
      return report_failure(token, slot, slot.error);
    }
  }
  if ((hangup & (EPOLLERR | EPOLLHUP)) != 0) {
    const int error = pending_error(slot.fd);
    report_failure(token, slot, error != 0 ? error : ECONNRESET);
  }
}

// A peer that answers and closes makes our sends fail while its answer is still unread: deliver that first.
void EpollLoop::report_failure(uint64_t token, Slot& slot, int error) {
  if (slot.fd >= 0 && !slot.paused && !slot.ended && !slot.connecting) {
    char* const at = arena_.get() + arena_used_;
    const ssize_t got = ::recv(slot.fd, at, std::min(kReceiveMax, kArenaSize - arena_used_), MSG_DONTWAIT);
    if (got > 0) {
      arena_used_ += static_cast<size_t>(got);
      slot.handler->on_data(std::span<char>(at, static_cast<size_t>(got)));
      if (!is_stream(token)) return;
    }
  }
  StreamHandler* handler = slot.handler;
  detach(SlotTable<Slot>::index_of(token));
  handler->on_error(error);
}

EpollLoop::Sent EpollLoop::send(Slot& slot, ChunkQueue& out) {
  std::array<iovec, kSendVectors> vectors;
  while (!out.empty()) {
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = out.fill(vectors);
    size_t offered = 0;
    for (size_t i = 0; i < message.msg_iovlen; ++i) offered += vectors[i].iov_len;
    const ssize_t sent = message.msg_iovlen == 1 ? ::send(slot.fd, vectors[0].iov_base, offered, MSG_NOSIGNAL)
                                                 : ::sendmsg(slot.fd, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        slot.blocked = true;
        return Sent::blocked;
      }
      slot.error = errno;
      return Sent::failed;
    }
    out.consume(chunks_, static_cast<size_t>(sent));
    if (static_cast<size_t>(sent) < offered) {
      slot.blocked = true;  // a short send already asked the kernel for the edge
      return Sent::blocked;
    }
  }
  return Sent::all;
}

}  // namespace overlord::net
