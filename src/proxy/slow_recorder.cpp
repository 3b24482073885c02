#include "proxy/slow_recorder.h"

namespace overlord::proxy {

void SlowRecorder::record(const slowlog::Entry& entry) {
  slowlog::Ring* ring = ring_.load(std::memory_order_relaxed);
  if (ring == nullptr) {
    ring = new slowlog::Ring;
    ring_.store(ring, std::memory_order_release);
  }
  ring->push(entry);
}

bool may_be_slow(const routing::Request& request) {
  return request.command == nullptr || (request.command->flags & redis::kBlocking) == 0;
}

}  // namespace overlord::proxy
