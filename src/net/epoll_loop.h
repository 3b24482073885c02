#pragma once
// EpollLoop: the driver for every Linux. Edge-triggered: a socket is registered once and epoll_ctl is never
// called for it again.
//
// Every event goes into one FIFO of sockets with pending events (`queue_`), and so does what the loop has to do
// by itself: read on where a receive filled its buffer, report a send that failed. A turn works through what was
// in the queue as it began and stops early when the receive arena is used up; the rest keeps its place.

#include <cstdint>
#include <memory>
#include <vector>

#include "net/loop_base.h"
#include "net/slot_table.h"

struct epoll_event;

namespace overlord::net {

class EpollLoop final : public LoopBase {
 public:
  static Result<std::unique_ptr<Loop>> create();
  ~EpollLoop() override;

  void adopt(Stream& stream, UniqueFd fd, StreamHandler& handler) override;
  void connect(Stream& stream, const SocketAddress& address, StreamHandler& handler) override;
  void redirect(Stream& stream, StreamHandler& handler) override { slots_[stream.slot].handler = &handler; }
  void flush(Stream& stream) override;
  void pause_receive(Stream& stream) override;
  void resume_receive(Stream& stream) override;
  void close(Stream& stream) override;
  void close_after_flush(Stream& stream, uint64_t linger_ns) override;
  int fd(const Stream& stream) const override;
  ListenerId listen(UniqueFd fd, AcceptHandler& handler, bool exclusive) override;
  void unlisten(ListenerId id) override;
  UniqueFd release_listener(ListenerId id) override;
  std::optional<ReleasedStream> try_release(Stream& stream) override;
  void run(TurnHandler& turns) override;
  std::string_view driver() const override { return "epoll"; }

 private:
  struct Listener;
  struct Linger;
  enum class Kind : uint8_t { free, wakeup, listener, stream, linger };
  enum class Sent : uint8_t { all, blocked, failed };

  struct Slot {
    union {
      Stream* stream = nullptr;
      Listener* listener;
      Linger* linger;
    };
    StreamHandler* handler = nullptr;
    int fd = -1;
    uint32_t generation = 0;
    uint32_t pending = 0;  // events and our own marks to handle; in queue_ exactly when not zero
    uint32_t held = 0;     // of a paused stream: what made it readable
    int error = 0;         // why the stream failed, to be reported
    Kind kind = Kind::free;
    bool connecting = false;
    bool blocked = false;  // the kernel's send buffer is full; its edge will come
    bool paused = false;
    bool ended = false;  // the peer's end has been read
  };
  static_assert(sizeof(Slot) <= 64);

  EpollLoop();

  uint32_t open_slot(Kind kind, int fd);
  bool watch(uint32_t index, uint32_t events);
  void release(uint32_t index);  // closes the fd and frees the slot
  void detach(uint32_t index);   // of a stream: drops what is unsent, then release
  void enqueue(uint32_t index, uint32_t events);
  void fail_later(uint32_t index, int error);

  // False once a handler has closed the stream; its slot may live on to send the rest (Kind::linger).
  bool is_stream(uint64_t token) {
    const Slot* slot = slots_.find(token);
    return slot != nullptr && slot->kind == Kind::stream;
  }
  void wait(bool hurry);
  void handle_queue();
  void dispatch(uint64_t token, Slot& slot, uint32_t events);
  void stream_event(uint64_t token, Slot& slot, uint32_t events);
  bool finish_connect(uint64_t token, Slot& slot);
  void receive(uint64_t token, Slot& slot, uint32_t events);
  void report_failure(uint64_t token, Slot& slot, int error);
  Sent send(Slot& slot, ChunkQueue& out);
  void accept_some(uint64_t token, Slot& slot);
  void pause_listener(Slot& slot, uint64_t ns);
  bool linger_send(uint32_t index, Slot& slot);
  void linger_event(uint32_t index, Slot& slot, uint32_t events);
  void end_linger(uint32_t index);

  UniqueFd epoll_;
  SlotTable<Slot> slots_;
  std::vector<uint64_t> queue_;  // tokens
  std::unique_ptr<epoll_event[]> events_;
  std::unique_ptr<char[]> arena_;
  size_t arena_used_ = 0;
};

}  // namespace overlord::net
