#pragma once
// LoginLimit: how often somebody may fail to log in: 5 times in a minute for one name from one address, 20 times for one
// address. Logins that succeed count for nothing. What is remembered is bounded: beyond 10,000 names and addresses the
// oldest are forgotten. Each server counts for itself. Any thread.

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace overlord::api {

class LoginLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr size_t kOfName = 5;
  static constexpr size_t kOfAddress = 20;
  static constexpr size_t kMost = 10'000;
  static constexpr std::chrono::seconds kWindow{60};

  // How long to wait before the next try; 0: not at all.
  std::chrono::seconds wait(std::string_view user, std::string_view address, Time now);
  void failed(std::string_view user, std::string_view address, Time now);

 private:
  using Failures = std::deque<Time>;

  std::chrono::seconds wait_of(const std::string& key, size_t most, Time now);
  void note(const std::string& key, Time now);
  void forget_oldest();

  std::mutex mutex_;  // guards what follows
  std::map<std::string, Failures> failures_;
};

}  // namespace overlord::api
