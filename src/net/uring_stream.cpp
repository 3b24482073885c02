// UringLoop: receiving, sending, connecting.

#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "net/uring_internal.h"

namespace overlord::net {

namespace {

// The kernel sends on by itself after a short send.
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_WAITALL;

}  // namespace

// Receiving.

void UringLoop::arm_receive(uint32_t index, bool poll_first) {
  io_uring_sqe& sqe = entry(index, Op::receive);
  const uint64_t key = sqe.user_data;
  ring_.prepare_receive(sqe, slots_[index].fd, key, poll_first);
  slots_[index].receiving = true;
}

// Not while bytes are held: what is held would grow by a socket buffer with every pause.
void UringLoop::receive_again(uint32_t index) {
  const Slot& slot = slots_[index];
  if (slot.paused || (slot.held != nullptr && !slot.held->empty())) return;
  if (started_ && !slot.connecting && !slot.receiving && !slot.ended && slot.error == 0) arm_receive(index, false);
}

void UringLoop::received(uint32_t index, const io_uring_cqe& cqe) {
  const uint64_t token = slots_.token(index);
  Slot& slot = slots_[index];
  const std::span<char> bytes = ring_.take_received(cqe);
  const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  if (!more) slot.receiving = slot.cancelling = false;
  if (slot.kind == Kind::stream && !bytes.empty()) {
    note_input();
    bulk_ = bulk_ || bytes.size() >= Uring::kReceiveMax;
    if (slot.paused || (slot.held != nullptr && !slot.held->empty())) {
      hold(index, bytes);
    } else {
      slot.handler->on_data(bytes);
    }
  }
  if (more) return;
  // While the handler ran, this operation kept the slot.
  finish(index);
  if (alive(token, Kind::stream) || alive(token, Kind::linger)) receive_ended(index, cqe.res);
}

// A multishot receive stops reading when the socket's queue is empty, and the kernel then forgets an end or a
// reset that was reported together with the last bytes (unix sockets since 6.17, resets of TCP always). So
// hang-ups are watched for separately; should the receive not have noticed by then, it is started anew.
void UringLoop::watch_hangup(uint32_t index) {
  io_uring_sqe& sqe = entry(index, Op::hangup);
  const uint64_t key = sqe.user_data;
  io_uring_prep_poll_add(&sqe, slots_[index].fd, POLLRDHUP);
  sqe.user_data = key;
}

void UringLoop::hung_up(uint32_t index) {
  Slot& slot = slots_[index];
  if (!slot.receiving || slot.cancelling) return;  // ended, or it will see when it is started again
  slot.cancelling = true;
  cancel(index, Op::receive);
}

void UringLoop::receive_ended(uint32_t index, int result) {
  Slot& slot = slots_[index];
  if (slot.receiving) return;  // a handler resumed it
  if (result > 0 || result == -ECANCELED || result == -EINTR) {
    receive_again(index);
    return;
  }
  if (result == -ENOBUFS) {
    starved_.push_back(slots_.token(index));
    return;
  }
  if (slot.kind == Kind::linger) return result == 0 ? linger_ended(index) : end_linger(index);
  slot.ended = true;
  const bool waits = slot.paused || (slot.held != nullptr && !slot.held->empty());
  if (result < 0 && slot.error == 0) slot.error = static_cast<uint8_t>(-result);
  if (waits) {
    slot.end_held = true;
  } else if (result < 0) {
    report(index, slot.error);
  } else {
    slot.handler->on_end();
  }
}

void UringLoop::hold(uint32_t index, std::span<const char> bytes) {
  Slot& slot = slots_[index];
  if (slot.held == nullptr) slot.held = std::make_unique<ChunkQueue>();
  slot.held->append(chunks_, bytes.data(), bytes.size());
  if (slot.paused && slot.receiving && !slot.cancelling) pauses_.push_back(slots_.token(index));
}

void UringLoop::deliver_held(uint32_t index) {
  const uint64_t token = slots_.token(index);
  Slot& slot = slots_[index];
  while (slot.held != nullptr && !slot.held->empty()) {
    if (slot.paused) return;
    // A chunk moves as a whole, so its bytes stay where they are.
    Chunk* chunk = slot.held->front();
    const std::span<char> bytes(chunk->data() + chunk->begin, chunk->size());
    delivered_.splice_front(chunks_, *slot.held, bytes.size());
    slot.handler->on_data(bytes);
    if (!alive(token, Kind::stream)) return;
  }
  if (slot.paused) return;
  if (!slot.end_held) return receive_again(index);
  slot.end_held = false;
  if (slot.error != 0) return report(index, slot.error);
  slot.handler->on_end();
}

void UringLoop::pause_receive(Stream& stream) {
  if (stream.layer != nullptr) return stream.layer->pause_receive();
  if (!stream.attached()) return;
  Slot& slot = slots_[stream.slot];
  if (slot.paused) return;
  slot.paused = true;
  if (slot.receiving && !slot.cancelling) pauses_.push_back(slots_.token(stream.slot));
}

void UringLoop::resume_receive(Stream& stream) {
  if (stream.layer != nullptr) return stream.layer->resume_receive();
  if (!stream.attached()) return;
  const uint32_t index = stream.slot;
  Slot& slot = slots_[index];
  if (!slot.paused) return;
  slot.paused = false;
  if (slot.unwatched && !slot.ended) watch_hangup(index);
  slot.unwatched = false;
  if (slot.end_held || (slot.held != nullptr && !slot.held->empty())) enqueue(index, kDeliver);
  receive_again(index);
}

// Sending.

void UringLoop::flush(Stream& stream) {
  if (stream.slot >= Stream::kLayered) [[unlikely]]
    return flush_layer(stream);
  Slot& slot = slots_[stream.slot];
  if (slot.connecting || slot.error != 0 || !started_) return;
  if (slot.send_busy) {
    slot.flush_again = true;
    return;
  }
  if (!stream.out.empty()) return start_send(stream.slot, stream.out);
  if (stream.out.front() != nullptr) stream.out.clear(chunks_);  // reserved, never written
  if (stream.notify_drained) enqueue(stream.slot, kDrained);
}

// Hands the front of `out` to the kernel.
void UringLoop::start_send(uint32_t index, ChunkQueue& out) {
  Slot& slot = slots_[index];
  std::array<iovec, SendVectors::kCount> front;
  const size_t count = out.fill(front);
  if (count < front.size()) {
    slot.sending.splice(out);
  } else {
    size_t size = 0;
    for (const iovec& one : front) size += one.iov_len;
    slot.sending.splice_front(chunks_, out, size);
    slot.flush_again = !out.empty();
  }
  if (slot.kind == Kind::stream) slot.stream->sending = static_cast<uint32_t>(slot.sending.size());
  submit_send(index);
}

void UringLoop::submit_send(uint32_t index) {
  io_uring_sqe& sqe = entry(index, Op::send);
  const uint64_t key = sqe.user_data;
  Slot& slot = slots_[index];
  slot.send_busy = true;
  if (vectors_epoch_ != ring_.epoch()) {
    vectors_epoch_ = ring_.epoch();
    vectors_used_ = 0;
  }
  if (vectors_used_ == vectors_.size()) vectors_.push_back(std::make_unique<SendVectors>());
  SendVectors& vectors = *vectors_[vectors_used_];
  const size_t count = slot.sending.fill(vectors.vectors);
  if (count == 1) {
    io_uring_prep_send(&sqe, slot.fd, vectors.vectors[0].iov_base, vectors.vectors[0].iov_len, kSendFlags);
  } else {
    ++vectors_used_;
    vectors.message.msg_iov = vectors.vectors.data();
    vectors.message.msg_iovlen = count;
    io_uring_prep_sendmsg(&sqe, slot.fd, &vectors.message, kSendFlags);
  }
  sqe.user_data = key;
}

void UringLoop::sent(uint32_t index, const io_uring_cqe& cqe) {
  Slot& slot = slots_[index];
  slot.send_busy = false;
  const size_t size = cqe.res > 0 ? static_cast<size_t>(cqe.res) : 0;
  const bool failed = cqe.res < 0 && cqe.res != -EINTR && cqe.res != -EAGAIN;
  if (slot.kind == Kind::closing || failed) {
    slot.sending.clear(chunks_);
  } else {
    slot.sending.consume(chunks_, size);
  }
  if (slot.kind == Kind::stream) slot.stream->sending = static_cast<uint32_t>(slot.sending.size());
  finish(index);
  if (slot.kind != Kind::stream && slot.kind != Kind::linger) return;
  if (failed) {
    // Reported after the receive had its turn: a peer that answers and closes makes our sends fail while its
    // answer is still on its way to us.
    return slot.kind == Kind::stream ? fail_later(index, -cqe.res) : end_linger(index);
  }
  if (!slot.sending.empty()) return submit_send(index);
  if (slot.kind == Kind::linger) return linger_sent(index);
  Stream& stream = *slot.stream;
  const bool again = slot.flush_again;
  slot.flush_again = false;
  if (again && !stream.out.empty()) return start_send(index, stream.out);
  if (stream.notify_drained && stream.out.empty()) {
    stream.notify_drained = false;
    slot.handler->on_drained();
  }
}

// Connecting and failing.

void UringLoop::finish_connect(uint32_t index) {
  const uint64_t token = slots_.token(index);
  Slot& slot = slots_[index];
  int error = pending_error(slot.fd);
  if (error == 0 && connected_to_itself(slot.fd)) error = ECONNREFUSED;
  if (error != 0) return report(index, error);
  int off = 0;
  (void)ioctl(slot.fd, FIONBIO, &off);  // as in adopt
  slot.connecting = false;
  watch_hangup(index);
  if (!slot.paused) arm_receive(index, true);
  slot.handler->on_connected();
  if (alive(token, Kind::stream)) flush(*slot.stream);
}

void UringLoop::report(uint32_t index, int error) {
  StreamHandler* handler = slots_[index].handler;
  detach(index);
  handler->on_error(error);
}

}  // namespace overlord::net
