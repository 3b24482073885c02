#pragma once
// Uring: one io_uring with a ring of receive buffers. Knows the kernel's interface, nothing of streams.
//
// The ring is made disabled, so that it belongs to the thread that calls enable() and not to the one that made
// it. It runs completions only inside wait() (IORING_SETUP_DEFER_TASKRUN).
//
// Receive buffers: the kernel picks one and names it in the completion. take_received() turns that into bytes;
// they stay valid until recycle(), which gives everything taken back to the kernel. Where the kernel can (6.12),
// buffers are used up incrementally: small messages lie packed in few cache lines instead of one per buffer.

#include <liburing.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace overlord::net {

class Uring {
 public:
  // The most that one completion brings. The kernel reads up to 32 times before the next stream has its turn:
  // with whole buffers, two streams could take them all.
  static constexpr uint32_t kReceiveMax = 16 * 1024;

  Uring() = default;
  ~Uring();
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;

  // Empty, or what the kernel refuses.
  std::string init(unsigned entries, unsigned completions);
  // On the thread that will use the ring from now on. Empty, or what the kernel refuses.
  std::string enable();

  // A zeroed entry, to be filled at once; submits when the queue is full.
  io_uring_sqe& entry();
  // Changes with every submission: an entry got under another epoch has been seen by the kernel.
  uint16_t epoch() const { return epoch_; }
  void submit();
  // Submits and waits for `events` completions or the time-out (UINT64_MAX: none). With a min_wait (only when
  // has_min_wait()), after that time a single completion is enough.
  void wait(unsigned events, uint64_t timeout_ns, uint32_t min_wait_us = 0);
  bool has_min_wait() const { return has_min_wait_; }

  // Calls fn(const io_uring_cqe&) for the completions that are there now.
  template <typename Fn>
  void for_each(Fn&& fn) {
    const unsigned tail = io_uring_smp_load_acquire(ring_.cq.ktail);
    unsigned head = *ring_.cq.khead;
    while (head != tail) {
      const io_uring_cqe cqe = ring_.cq.cqes[head & *ring_.cq.kring_mask];
      io_uring_smp_store_release(ring_.cq.khead, ++head);
      fn(cqe);
    }
  }

  void prepare_receive(io_uring_sqe& sqe, int fd, uint64_t user_data, bool poll_first) const;
  std::span<char> take_received(const io_uring_cqe& cqe);
  void recycle();

 private:
  static constexpr uint16_t kBufferGroup = 0;

  std::string register_buffers();
  void provide(uint16_t id);
  int enter(unsigned submit, unsigned events, unsigned flags, io_uring_getevents_arg* arg);
  unsigned publish();  // makes the entries visible; returns how many are to be submitted

  io_uring ring_{};
  bool ready_ = false;
  bool incremental_ = false;
  bool has_min_wait_ = false;
  bool registered_fd_ = false;
  uint16_t epoch_ = 0;
  unsigned wait_flags_ = 0;

  io_uring_buf_ring* buffers_ = nullptr;
  size_t buffers_bytes_ = 0;
  char* memory_ = nullptr;
  uint32_t buffer_size_ = 0;
  uint32_t buffer_stride_ = 0;
  uint32_t buffer_count_ = 0;
  std::vector<uint32_t> used_;      // of each buffer, how much is filled (incremental)
  std::vector<uint16_t> finished_;  // buffers to give back
};

}  // namespace overlord::net
