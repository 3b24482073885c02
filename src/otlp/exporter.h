#pragma once
// Exporter: a thread that takes sampled requests from a source and sends them to an OpenTelemetry collector, as OTLP over HTTP
// says: a batch at a time; what may go well later (429, 502, 503, 504, no connection) is sent again after the Retry-After of
// the answer, or a growing time with jitter, and given up after kMostTries; everything else is given up at once. What waits is
// bounded: it never holds up the source.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "http/client.h"
#include "otlp/spans.h"
#include "slowlog/entry.h"

namespace overlord::otlp {

// Of requests. Any thread may read them.
struct TraceCounts {
  uint64_t sent = 0;      // the collector took them
  uint64_t rejected = 0;  // it did not want them
  uint64_t dropped = 0;   // too many waited, or it could not be reached for too long
};

class Exporter {
 public:
  static constexpr size_t kMostWaiting = 4096;  // requests
  static constexpr size_t kBatch = 256;
  static constexpr int kMostTries = 5;

  // Calls take(entry) for what has come since the last call; returns how many were lost on the way, so far.
  using Take = std::function<void(const slowlog::Entry&)>;
  using Source = std::function<uint64_t(const Take&)>;

  // endpoint: URL without /v1/traces. Starts the thread.
  Exporter(const std::string& endpoint, Resource resource, Source source);
  // Sends what waits once more, for a second at most.
  ~Exporter() { stop(); }
  void stop();
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  TraceCounts counts() const;

 private:
  using Clock = std::chrono::steady_clock;

  void work();
  void collect();
  void send(http::Client& client);
  void later(std::chrono::milliseconds least, const std::string& why);
  void give_up(const std::string& why, std::atomic<uint64_t>& counted);

  const std::string endpoint_;
  const Resource resource_;
  const Source source_;
  std::atomic<uint64_t> sent_{0};
  std::atomic<uint64_t> rejected_{0};
  std::atomic<uint64_t> given_up_{0};
  std::atomic<uint64_t> lost_before_{0};  // on their way here

  // Of the thread alone.
  std::mt19937_64 random_{std::random_device()()};
  std::deque<slowlog::Entry> waiting_;
  std::vector<slowlog::Entry> batch_;  // being sent
  int tries_ = 0;                      // of the batch that failed
  Clock::time_point next_send_;
  bool failing_ = false;

  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace overlord::otlp
