#pragma once
// Counters: what this server has done, for /metrics. Any thread.

#include <array>
#include <atomic>
#include <cstdint>

namespace overlord::api {

struct Counters {
  static constexpr size_t kClasses = 6;  // of statuses: [2] counts those from 200 to 299

  std::array<std::atomic<uint64_t>, kClasses> answers{};
  std::atomic<uint64_t> logins_failed{0};
  std::atomic<uint64_t> refused{0};  // for want of a token or of access
  std::atomic<uint64_t> store_errors{0};
  std::atomic<uint64_t> changes{0};
  std::atomic<int64_t> streams{0};
  std::atomic<uint64_t> busy_us{0};  // handlers, all together

  void answered(int status) {
    const auto at = static_cast<size_t>(status / 100);
    answers[at < kClasses ? at : 0].fetch_add(1, std::memory_order_relaxed);
  }
};

}  // namespace overlord::api
