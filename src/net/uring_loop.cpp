#include "net/uring_loop.h"

#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "net/uring_internal.h"

namespace overlord::net {

namespace {

constexpr unsigned kEntries = 2048;
constexpr unsigned kCompletions = 16 * 1024;
constexpr unsigned kManyEvents = 256;  // end a rest early

}  // namespace

Result<std::unique_ptr<Loop>> UringLoop::create() {
  std::unique_ptr<UringLoop> loop(new UringLoop);
  if (!loop->wakeup_.valid()) return fail(std::string("cannot create an event loop: ") + std::strerror(errno));
  if (std::string reason = loop->ring_.init(kEntries, kCompletions); !reason.empty()) return fail(std::move(reason));
  loop->startup_.push_back(loop->slots_.token(loop->open_slot(Kind::wakeup, loop->wakeup_.get())));
  return std::unique_ptr<Loop>(std::move(loop));
}

UringLoop::UringLoop() = default;

UringLoop::~UringLoop() {
  for (uint32_t index = 0; index < slots_.capacity(); ++index) {
    switch (slots_[index].kind) {
      case Kind::stream: detach(index); break;
      case Kind::linger: end_linger(index); break;
      case Kind::listener: unlisten(ListenerId{index}); break;
      case Kind::wakeup:
      case Kind::closing:
      case Kind::free: break;
    }
    slots_[index].sending.clear(chunks_);
  }
  delivered_.clear(chunks_);
}

// Slots and entries.

uint32_t UringLoop::open_slot(Kind kind, int fd) {
  const uint32_t index = slots_.take();
  Slot& slot = slots_[index];
  slot.kind = kind;
  slot.fd = fd;
  slot.epoch = static_cast<uint16_t>(ring_.epoch() - 1);
  return index;
}

io_uring_sqe& UringLoop::entry(uint32_t index, Op op) {
  io_uring_sqe& sqe = ring_.entry();
  sqe.user_data = completion_key(static_cast<uint8_t>(op), index);
  Slot& slot = slots_[index];
  slot.epoch = ring_.epoch();
  ++slot.operations;
  return sqe;
}

// The operation itself completes with ECANCELED; the cancelling is only heard of when it found nothing.
void UringLoop::cancel(uint32_t index, Op op) {
  io_uring_sqe& sqe = ring_.entry();
  io_uring_prep_cancel64(&sqe, completion_key(static_cast<uint8_t>(op), index), 0);
  sqe.flags = IOSQE_CQE_SKIP_SUCCESS;
  sqe.user_data = completion_key(static_cast<uint8_t>(Op::cancel), index);
}

void UringLoop::finish(uint32_t index) {
  Slot& slot = slots_[index];
  if (--slot.operations == 0 && slot.kind == Kind::closing) {
    slot.kind = Kind::free;
    slots_.give(index);
  }
}

void UringLoop::enqueue(uint32_t index, uint8_t mark) {
  Slot& slot = slots_[index];
  if (slot.marks == 0) queue_.push_back(slots_.token(index));
  slot.marks = static_cast<uint8_t>(slot.marks | mark);
}

void UringLoop::fail_later(uint32_t index, int error) {
  Slot& slot = slots_[index];
  if (slot.error == 0) slot.error = static_cast<uint8_t>(error);
  enqueue(index, kFailed);
}

// Gives a new slot its first entries; before the first run() only notes it down.
void UringLoop::begin(uint32_t index) {
  if (!started_) {
    startup_.push_back(slots_.token(index));
    return;
  }
  Slot& slot = slots_[index];
  const auto poll = [&](uint32_t events, bool multishot) {
    io_uring_sqe& sqe = entry(index, Op::poll);
    const uint64_t key = sqe.user_data;
    io_uring_prep_poll_add(&sqe, slot.fd, events);
    sqe.len = multishot ? IORING_POLL_ADD_MULTI : 0;
    sqe.user_data = key;
  };
  switch (slot.kind) {
    case Kind::wakeup: return poll(POLLIN, true);
    case Kind::listener: return poll(listener_events(slot), true);
    case Kind::stream:
      if (slot.error != 0) return;
      if (slot.connecting) return poll(POLLOUT, false);
      watch_hangup(index);
      if (!slot.paused) arm_receive(index, true);
      return flush(*slot.stream);
    case Kind::linger:
      watch_hangup(index);
      linger_sent(index);
      if (slots_[index].kind == Kind::linger && !slot.ended) arm_receive(index, true);
      return;
    case Kind::closing:
    case Kind::free: return;
  }
}

// What the owner calls.

void UringLoop::adopt(Stream& stream, UniqueFd fd, StreamHandler& handler) {
  // On a non-blocking socket io_uring would report EAGAIN instead of waiting.
  int off = 0;
  (void)ioctl(fd.get(), FIONBIO, &off);
  const uint32_t index = open_slot(Kind::stream, fd.release());
  Slot& slot = slots_[index];
  slot.stream = &stream;
  slot.handler = &handler;
  stream.slot = index;
  stream.sending = 0;
  begin(index);
}

void UringLoop::connect(Stream& stream, const SocketAddress& address, StreamHandler& handler) {
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
  if (::connect(fd, address.get(), address.length) != 0 && errno != EINPROGRESS) return fail_later(index, errno);
  begin(index);
}

void UringLoop::close(Stream& stream) {
  if (stream.layer != nullptr) return stream.layer->close();
  if (stream.attached()) detach(stream.slot);
}

int UringLoop::fd(const Stream& stream) const {
  if (stream.layer != nullptr) return stream.layer->fd();
  return stream.attached() ? slots_[stream.slot].fd : -1;
}

// The loop.

void UringLoop::start() {
  if (const std::string reason = ring_.enable(); !reason.empty()) {
    std::fprintf(stderr, "io_uring worked when the loop was made and does not now: %s\n", reason.c_str());
    std::abort();
  }
  started_ = true;
  for (const uint64_t token : startup_) {
    if (slots_.find(token) != nullptr) begin(SlotTable<Slot>::index_of(token));
  }
  startup_ = {};
}

void UringLoop::run(TurnHandler& turns) {
  if (!started_) start();
  sharpen_sleep();
  refresh_now();
  do {
    wait(turns.hurry() || layers().waiting());
    begin_turn();
    ring_.for_each([this](const io_uring_cqe& cqe) { handle(cqe); });
    handle_queue();
    run_timers();
    run_posted();
    turns.end_of_turn();
    end_inputs();
    finish_turn();
  } while (!stop_requested());
  clear_stop();
  ring_.submit();
}

void UringLoop::wait(bool hurry) {
  if (hurry || !queue_.empty()) return ring_.wait(0, 0);
  if (std::exchange(bulk_, false) || !should_rest()) return ring_.wait(1, wait_ns());
  if (ring_.has_min_wait()) return ring_.wait(kManyEvents, wait_ns(), Gather::kRestNs / 1000);
  ring_.submit();
  rest();
  ring_.wait(1, wait_ns());
}

void UringLoop::handle(const io_uring_cqe& cqe) {
  const uint32_t index = completion_index(cqe.user_data);
  Slot& slot = slots_[index];
  const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  switch (static_cast<Op>(completion_op(cqe.user_data))) {
    case Op::receive: return received(index, cqe);
    case Op::send: return sent(index, cqe);
    case Op::poll:
      if (slot.kind == Kind::stream) {
        finish(index);
        return finish_connect(index);
      }
      if (slot.kind == Kind::listener) accept_some(index);
      if (more) return;
      finish(index);
      if (slot.kind == Kind::listener || slot.kind == Kind::wakeup) begin(index);
      return;
    case Op::hangup:
      finish(index);
      if (slot.kind == Kind::stream || slot.kind == Kind::linger) enqueue(index, kHangup);
      return;
    case Op::cancel:
      slot.cancelling = false;  // it found nothing to cancel
      return;
  }
}

void UringLoop::handle_queue() {
  working_.swap(queue_);
  for (const uint64_t token : working_) {
    Slot* slot = slots_.find(token);
    if (slot == nullptr) continue;
    const uint32_t index = SlotTable<Slot>::index_of(token);
    const uint8_t marks = std::exchange(slot->marks, uint8_t{0});
    if (slot->kind == Kind::listener && (marks & kAccept) != 0) accept_some(index);
    if ((marks & kHangup) != 0) hung_up(index);
    if (!alive(token, Kind::stream)) continue;
    if ((marks & kFailed) != 0) {
      report(index, slot->error);
      continue;
    }
    if ((marks & kDrained) != 0 && slot->stream->notify_drained && slot->stream->unsent() == 0) {
      slot->stream->notify_drained = false;
      slot->handler->on_drained();
      if (!alive(token, Kind::stream)) continue;
    }
    if ((marks & kDeliver) != 0) deliver_held(index);
  }
  working_.clear();
}

void UringLoop::finish_turn() {
  delivered_.clear(chunks_);
  ring_.recycle();
  for (const uint64_t token : starved_) {
    const Slot* slot = slots_.find(token);
    if (slot == nullptr || (slot->kind != Kind::stream && slot->kind != Kind::linger)) continue;
    receive_again(SlotTable<Slot>::index_of(token));
  }
  starved_.clear();
  for (const uint64_t token : pauses_) {
    Slot* slot = slots_.find(token);
    if (slot == nullptr || slot->kind != Kind::stream) continue;
    if (slot->paused && slot->receiving && !slot->cancelling) {
      slot->cancelling = true;
      cancel(SlotTable<Slot>::index_of(token), Op::receive);
    }
  }
  pauses_.clear();
}

}  // namespace overlord::net
