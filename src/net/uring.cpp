#include "net/uring.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace overlord::net {

namespace {

// Of kernels newer than the installed header.
constexpr uint16_t kBufferRingIncremental = 2;       // IOU_PBUF_RING_INC, 6.12
constexpr uint32_t kCompletionBufferMore = 1u << 4;  // IORING_CQE_F_BUF_MORE, 6.12
constexpr uint32_t kFeatureMinTimeout = 1u << 15;    // IORING_FEAT_MIN_TIMEOUT, 6.12
constexpr uint32_t kFeatureNoIowait = 1u << 17;      // IORING_FEAT_NO_IOWAIT, 6.15
constexpr unsigned kEnterNoIowait = 1u << 7;         // IORING_ENTER_NO_IOWAIT
constexpr unsigned kEnterRegisteredRing = 1u << 4;   // IORING_ENTER_REGISTERED_RING

constexpr uint32_t kIncrementalSize = 64 * 1024;
constexpr uint32_t kIncrementalCount = 64;
constexpr uint32_t kPlainSize = Uring::kReceiveMax;
constexpr uint32_t kPlainCount = 256;
// Equal low address bits would put the starts of all buffers into the same few cache sets.
constexpr uint32_t kStagger = 64;

std::string refused(const char* what, int error) { return std::string(what) + ": " + std::strerror(error); }

}  // namespace

Uring::~Uring() {
  if (ready_) io_uring_queue_exit(&ring_);
  if (buffers_ != nullptr) munmap(buffers_, buffers_bytes_);
}

std::string Uring::init(unsigned entries, unsigned completions) {
  io_uring_params params{};
  params.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
  params.cq_entries = completions;
  if (const int result = io_uring_queue_init_params(entries, &ring_, &params); result < 0) {
    return refused("io_uring_setup with SINGLE_ISSUER and DEFER_TASKRUN (Linux 6.1)", -result);
  }
  ready_ = true;
  constexpr unsigned kNeeded = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL;
  if ((params.features & kNeeded) != kNeeded) return "the kernel's io_uring lacks NODROP, EXT_ARG or FAST_POLL";
  has_min_wait_ = (params.features & kFeatureMinTimeout) != 0;
  if ((params.features & kFeatureNoIowait) != 0) wait_flags_ |= kEnterNoIowait;
  return register_buffers();
}

std::string Uring::register_buffers() {
  const auto lay_out = [this](uint32_t size, uint32_t count) {
    buffer_size_ = size;
    buffer_stride_ = size + kStagger;
    buffer_count_ = count;
  };
  lay_out(kIncrementalSize, kIncrementalCount);
  // One mapping for both layouts: the entries on pages of their own, then the buffers.
  const size_t entries_bytes = 4096 * ((kPlainCount * sizeof(io_uring_buf) + 4095) / 4096);
  const size_t incremental_bytes = size_t{kIncrementalSize + kStagger} * kIncrementalCount;
  const size_t plain_bytes = size_t{kPlainSize + kStagger} * kPlainCount;
  buffers_bytes_ = entries_bytes + std::max(incremental_bytes, plain_bytes);
  void* mapped =
      mmap(nullptr, buffers_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (mapped == MAP_FAILED) return refused("mapping the receive buffers", errno);
  buffers_ = static_cast<io_uring_buf_ring*>(mapped);
  memory_ = static_cast<char*>(mapped) + entries_bytes;

  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(buffers_);
  registration.ring_entries = kIncrementalCount;
  registration.bgid = kBufferGroup;
  registration.pad = kBufferRingIncremental;
  int result = io_uring_register_buf_ring(&ring_, &registration, 0);
  incremental_ = result == 0;
  if (!incremental_) {
    lay_out(kPlainSize, kPlainCount);
    registration.ring_entries = kPlainCount;
    registration.pad = 0;
    result = io_uring_register_buf_ring(&ring_, &registration, 0);
  }
  if (result != 0) return refused("registering a ring of receive buffers (Linux 5.19)", -result);
  used_.assign(buffer_count_, 0);
  finished_.reserve(buffer_count_);
  for (uint32_t id = 0; id < buffer_count_; ++id) finished_.push_back(static_cast<uint16_t>(id));
  recycle();
  return {};
}

std::string Uring::enable() {
  // Not io_uring_enable_rings(): the shared library of liburing 2.3 forgot to export it.
  if (syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) != 0) {
    return refused("enabling the io_uring", errno);
  }
  registered_fd_ = io_uring_register_ring_fd(&ring_) == 1;
  return {};
}

// Submitting and waiting.

int Uring::enter(unsigned submit, unsigned events, unsigned flags, io_uring_getevents_arg* arg) {
  if (registered_fd_) flags |= kEnterRegisteredRing;
  const long result = syscall(__NR_io_uring_enter, ring_.enter_ring_fd, submit, events, flags, arg,
                              arg != nullptr ? sizeof *arg : size_t{_NSIG / 8});
  return result < 0 ? -errno : static_cast<int>(result);
}

unsigned Uring::publish() {
  ring_.sq.sqe_head = ring_.sq.sqe_tail;
  io_uring_smp_store_release(ring_.sq.ktail, ring_.sq.sqe_tail);
  return ring_.sq.sqe_tail - io_uring_smp_load_acquire(ring_.sq.khead);
}

io_uring_sqe& Uring::entry() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) {
    submit();
    sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) std::abort();  // the kernel took all entries: there must be room
  }
  std::memset(sqe, 0, sizeof *sqe);
  return *sqe;
}

void Uring::submit() {
  // The kernel takes all or is short of memory for a moment; the queue must not keep an entry whose descriptor
  // the caller is about to close.
  for (unsigned left = publish(); left > 0; left = publish()) (void)enter(left, 0, 0, nullptr);
  ++epoch_;
}

void Uring::wait(unsigned events, uint64_t timeout_ns, uint32_t min_wait_us) {
  const unsigned left = publish();
  __kernel_timespec time{};
  io_uring_getevents_arg arg{};
  if (timeout_ns != UINT64_MAX) {
    time.tv_sec = static_cast<int64_t>(timeout_ns / 1'000'000'000);
    time.tv_nsec = static_cast<int64_t>(timeout_ns % 1'000'000'000);
    arg.ts = reinterpret_cast<uint64_t>(&time);
  }
  arg.pad = min_wait_us;  // min_wait_usec in the headers of 6.12
  (void)enter(left, events, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | wait_flags_, &arg);
  if (publish() == 0) ++epoch_;
}

// Receive buffers.

void Uring::prepare_receive(io_uring_sqe& sqe, int fd, uint64_t user_data, bool poll_first) const {
  io_uring_prep_recv_multishot(&sqe, fd, nullptr, incremental_ ? kReceiveMax : 0, 0);
  sqe.ioprio = static_cast<uint16_t>(sqe.ioprio | (poll_first ? IORING_RECVSEND_POLL_FIRST : 0));
  sqe.flags = IOSQE_BUFFER_SELECT;
  sqe.buf_group = kBufferGroup;
  sqe.user_data = user_data;
}

std::span<char> Uring::take_received(const io_uring_cqe& cqe) {
  if ((cqe.flags & IORING_CQE_F_BUFFER) == 0) return {};
  const auto id = static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
  const size_t size = cqe.res > 0 ? static_cast<size_t>(cqe.res) : 0;
  const std::span<char> bytes(memory_ + size_t{id} * buffer_stride_ + used_[id], size);
  used_[id] += static_cast<uint32_t>(size);
  if (!incremental_ || (cqe.flags & kCompletionBufferMore) == 0) finished_.push_back(id);
  return bytes;
}

void Uring::provide(uint16_t id) {
  io_uring_buf_ring_add(buffers_, memory_ + size_t{id} * buffer_stride_, buffer_size_, id,
                        io_uring_buf_ring_mask(buffer_count_), 0);
  io_uring_buf_ring_advance(buffers_, 1);
}

void Uring::recycle() {
  for (const uint16_t id : finished_) {
    used_[id] = 0;
    provide(id);
  }
  finished_.clear();
}

}  // namespace overlord::net
