#pragma once
// SlowCollector: a thread that takes slow requests from all workers, puts them into the store and, where a file is
// configured, appends each as a line of JSON.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/rotating_file.h"
#include "config/config.h"
#include "proxy/slow_recorder.h"
#include "slowlog/store.h"

namespace overlord::proxy {

class SlowCollector {
 public:
  explicit SlowCollector(slowlog::Store& store) : store_(store) {}
  ~SlowCollector() { stop(); }

  // The error says why the file cannot be opened.
  Result<void> start(const config::SlowlogConfig& config, std::vector<SlowRecorder*> workers);
  // Takes what is there, then ends the thread. Before the workers go.
  void stop();

 private:
  void work();
  void collect();

  slowlog::Store& store_;
  std::vector<SlowRecorder*> workers_;
  RotatingFile file_;
  uint64_t dropped_ = 0;  // entries that found a worker's ring full, as far as the log knows
  bool failing_ = false;  // the last write failed
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace overlord::proxy
