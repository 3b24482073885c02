#include "proxy/slow_collector.h"

#include <pthread.h>

#include <cstring>

#include "base/log.h"

namespace overlord::proxy {
namespace {

// Often enough that a reader sees what just happened, seldom enough to cost nothing.
constexpr std::chrono::milliseconds kPeriod{100};

}  // namespace

Result<void> SlowCollector::start(const config::SlowlogConfig& config, std::vector<SlowRecorder*> workers) {
  workers_ = std::move(workers);
  if (!config.file.empty()) {
    auto opened = RotatingFile::open({.path = config.file,
                                      .max_bytes = config.max_bytes,
                                      .backup_count = config.max_bytes > 0 ? config.backup_count : 0});
    if (!opened) return fail("-slowlog: " + opened.error().message);
    file_ = std::move(*opened);
  }
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "slowlog");
    work();
  });
  return {};
}

void SlowCollector::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void SlowCollector::work() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kPeriod, [this] { return stopping_; })) {
    lock.unlock();
    collect();
    lock.lock();
  }
  collect();
}

void SlowCollector::collect() {
  std::string lines;
  uint64_t dropped = 0;
  for (SlowRecorder* worker : workers_) {
    slowlog::Ring* ring = worker->ring();
    if (ring == nullptr) continue;
    ring->drain([&](const slowlog::Entry& entry) {
      const slowlog::Entry kept = store_.add(entry);
      if (file_.is_open()) lines.append(slowlog::json_line(kept)).append("\n");
    });
    dropped += ring->dropped();
  }
  if (dropped > dropped_) {
    static LogEvery every(std::chrono::seconds(10));
    if (auto turn = every.next()) {
      log_warn("slowlog: ", dropped - dropped_, " slow requests were too many to be noted");
      dropped_ = dropped;
    }
  }
  if (lines.empty()) return;
  const uint64_t lost = file_.write(lines);
  if (lost > 0 && !failing_) {
    log_error("slowlog: cannot write to the file: ", std::strerror(file_.last_error()),
              "; entries are lost until it works");
  } else if (lost == 0 && failing_) {
    log_info("slowlog: the file takes lines again");
  }
  failing_ = lost > 0;
}

}  // namespace overlord::proxy
