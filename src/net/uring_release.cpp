// UringLoop: sockets that another process goes on with. Every operation of this ring on them must have ended first: one
// that is under way would take what is the other's, and keep the socket open when the other closes it.

#include <utility>

#include "net/uring_internal.h"

namespace overlord::net {

UniqueFd UringLoop::release_listener(ListenerId id) {
  if (id.slot == ListenerId{}.slot) return {};
  Slot& slot = slots_[id.slot];
  // Its number stays taken while an entry may name it.
  if (slot.operations > 0 && slot.epoch == ring_.epoch() && started_) ring_.submit();
  UniqueFd fd(std::exchange(slot.fd, -1));
  delete slot.listener;
  if (slot.operations > 0) cancel(id.slot, Op::poll);
  release(id.slot);
  return fd;
}

std::optional<ReleasedStream> UringLoop::try_release(Stream& stream) {
  if (stream.layer != nullptr || !stream.attached() || !started_) return std::nullopt;
  const uint32_t index = stream.slot;
  Slot& slot = slots_[index];
  if (!slot.paused || slot.connecting || slot.send_busy || !stream.out.empty()) return std::nullopt;
  if ((slot.error != 0 || slot.ended) && !slot.end_held) return std::nullopt;  // about to be told
  if (slot.receiving && !slot.cancelling) {
    slot.cancelling = true;
    cancel(index, Op::receive);
  }
  if (!slot.unwatched) cancel(index, Op::hangup);
  slot.unwatched = true;
  if (slot.operations > 0) return std::nullopt;
  ReleasedStream released{.fd = UniqueFd(std::exchange(slot.fd, -1)), .received = {}};
  if (slot.held != nullptr) {
    for (const Chunk* chunk = slot.held->front(); chunk != nullptr; chunk = chunk->next) {
      released.received.append(chunk->data() + chunk->begin, chunk->size());
    }
  }
  stream.slot = Stream::kDetached;
  stream.sending = 0;
  stream.notify_drained = false;
  stream.out.clear(chunks_);
  release(index);
  return released;
}

}  // namespace overlord::net
