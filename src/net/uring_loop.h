#pragma once
// UringLoop: the driver on io_uring. One multishot receive per stream fills buffers from a common ring; sends are
// queued as entries and leave with the one system call of the turn, the one that also waits.
//
// A slot stays taken until the kernel has answered everything that names it, also after its stream was detached
// (Kind::closing). So memory that the kernel may still read (`sending`) lives in the slot, and no late completion
// can be taken for one of a later stream. A descriptor is only closed when no unsubmitted entry names it: its
// number might be another socket's by the time the kernel looks.

#include <memory>
#include <vector>

#include "net/loop_base.h"
#include "net/slot_table.h"
#include "net/uring.h"

namespace overlord::net {

class UringLoop final : public LoopBase {
 public:
  static Result<std::unique_ptr<Loop>> create();
  ~UringLoop() override;

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
  std::string_view driver() const override { return "io_uring"; }

 private:
  struct Listener;
  struct Linger;
  struct SendVectors;
  enum class Kind : uint8_t { free, wakeup, listener, stream, linger, closing };
  enum class Op : uint8_t { receive = 1, send, poll, hangup, cancel };
  enum Mark : uint8_t { kFailed = 1, kDrained = 2, kDeliver = 4, kAccept = 8, kHangup = 16 };

  struct Slot {
    union {
      Stream* stream = nullptr;
      Listener* listener;
      Linger* linger;
    };
    StreamHandler* handler = nullptr;
    ChunkQueue sending;                // what the send under way reads
    std::unique_ptr<ChunkQueue> held;  // received while paused
    int fd = -1;
    uint32_t generation = 0;
    uint16_t epoch = 0;  // of the last entry that names fd
    uint8_t error = 0;   // why the stream failed, to be reported
    Kind kind = Kind::free;
    uint8_t marks = 0;       // what handle_queue has to do; in queue_ exactly when not zero
    uint8_t operations = 0;  // that the kernel has not finished
    bool connecting : 1 = false;
    bool receiving : 1 = false;
    bool cancelling : 1 = false;  // the receive, because of a pause
    bool send_busy : 1 = false;
    bool flush_again : 1 = false;  // after the send under way, the rest of what was flushed
    bool paused : 1 = false;
    bool ended : 1 = false;
    bool end_held : 1 = false;   // the end came while paused
    bool unwatched : 1 = false;  // no hang-up is watched for, because it is to be released
  };
  static_assert(sizeof(Slot) <= 64);

  UringLoop();

  // Slots and entries (uring_loop.cpp).
  uint32_t open_slot(Kind kind, int fd);
  io_uring_sqe& entry(uint32_t index, Op op);
  void cancel(uint32_t index, Op op);
  void begin(uint32_t index);
  void finish(uint32_t index);  // one operation less; frees a closing slot after the last
  void enqueue(uint32_t index, uint8_t mark);
  void fail_later(uint32_t index, int error);
  bool alive(uint64_t token, Kind kind) {
    const Slot* slot = slots_.find(token);
    return slot != nullptr && slot->kind == kind;
  }
  void start();
  void wait(bool hurry);
  void handle(const io_uring_cqe& cqe);
  void handle_queue();
  void finish_turn();

  // Streams (uring_stream.cpp).
  void arm_receive(uint32_t index, bool poll_first);
  void receive_again(uint32_t index);
  void received(uint32_t index, const io_uring_cqe& cqe);
  void watch_hangup(uint32_t index);
  void hung_up(uint32_t index);
  void receive_ended(uint32_t index, int result);
  void hold(uint32_t index, std::span<const char> bytes);
  void deliver_held(uint32_t index);
  void start_send(uint32_t index, ChunkQueue& out);
  void submit_send(uint32_t index);
  void sent(uint32_t index, const io_uring_cqe& cqe);
  void finish_connect(uint32_t index);
  void report(uint32_t index, int error);

  // Ends and listeners (uring_close.cpp).
  void release(uint32_t index);  // closes the fd; the slot is free when the kernel has finished with it
  void detach(uint32_t index);
  void end_operations(uint32_t index);
  void linger_sent(uint32_t index);
  void linger_ended(uint32_t index);
  void end_linger(uint32_t index);
  static uint32_t listener_events(const Slot& slot);
  void accept_some(uint32_t index);

  Uring ring_;
  bool started_ = false;
  SlotTable<Slot> slots_;
  std::vector<uint64_t> startup_;  // tokens of slots to begin when the loop starts
  std::vector<uint64_t> queue_;    // tokens of slots with marks
  std::vector<uint64_t> working_;  // the queue being worked through
  std::vector<uint64_t> starved_;  // receives that found no buffer
  std::vector<uint64_t> pauses_;   // streams paused in this turn
  ChunkQueue delivered_;           // held bytes given to a handler in this turn
  std::vector<std::unique_ptr<SendVectors>> vectors_;
  size_t vectors_used_ = 0;
  uint16_t vectors_epoch_ = 0;
  bool bulk_ = false;  // a stream brought as much as one completion can: more is to come
};

}  // namespace overlord::net
