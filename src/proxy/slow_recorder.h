#pragma once
// SlowRecorder: what one worker notes of slow requests, for the thread that collects them (SlowCollector). The ring is made
// for the first slow request: most proxies have none for hours.

#include <atomic>
#include <cstdint>
#include <string_view>

#include "routing/request.h"
#include "slowlog/ring.h"

namespace overlord::proxy {

class Cluster;

class SlowRecorder {
 public:
  ~SlowRecorder() { delete ring_.load(std::memory_order_relaxed); }
  SlowRecorder() = default;
  SlowRecorder(const SlowRecorder&) = delete;
  SlowRecorder& operator=(const SlowRecorder&) = delete;

  // On the worker's thread.
  void record(const slowlog::Entry& entry);
  // The collector's thread; null while nothing was slow.
  slowlog::Ring* ring() { return ring_.load(std::memory_order_acquire); }

 private:
  std::atomic<slowlog::Ring*> ring_{nullptr};
};

// Whether its time says anything: commands that wait at a node by their nature are left out.
bool may_be_slow(const routing::Request& request);

}  // namespace overlord::proxy
