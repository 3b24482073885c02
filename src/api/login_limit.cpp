#include "api/login_limit.h"

#include <algorithm>
#include <vector>

namespace overlord::api {
namespace {

std::string of_name(std::string_view user, std::string_view address) {
  return "n " + std::string(address) + " " + std::string(user.substr(0, 64));
}

std::string of_address(std::string_view address) { return "a " + std::string(address); }

}  // namespace

std::chrono::seconds LoginLimit::wait(std::string_view user, std::string_view address, Time now) {
  const std::lock_guard lock(mutex_);
  return std::max(wait_of(of_name(user, address), kOfName, now), wait_of(of_address(address), kOfAddress, now));
}

void LoginLimit::failed(std::string_view user, std::string_view address, Time now) {
  const std::lock_guard lock(mutex_);
  note(of_name(user, address), now);
  note(of_address(address), now);
}

std::chrono::seconds LoginLimit::wait_of(const std::string& key, size_t most, Time now) {
  const auto found = failures_.find(key);
  if (found == failures_.end()) return {};
  Failures& times = found->second;
  while (!times.empty() && now - times.front() >= kWindow) times.pop_front();
  if (times.empty()) {
    failures_.erase(found);
    return {};
  }
  if (times.size() < most) return {};
  const Time free = times[times.size() - most] + kWindow;
  return std::chrono::ceil<std::chrono::seconds>(free - now);
}

void LoginLimit::note(const std::string& key, Time now) {
  if (failures_.size() >= kMost && !failures_.contains(key)) {
    std::erase_if(failures_, [&](const auto& one) { return now - one.second.back() >= kWindow; });
    if (failures_.size() >= kMost) forget_oldest();
  }
  Failures& times = failures_[key];
  times.push_back(now);
  while (times.size() > kOfAddress) times.pop_front();
}

// A quarter at once, so that this is not done for each new one.
void LoginLimit::forget_oldest() {
  std::vector<Time> times;
  times.reserve(failures_.size());
  for (const auto& [key, failures] : failures_) times.push_back(failures.back());
  const auto quarter = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 4);
  std::ranges::nth_element(times, quarter);
  const Time border = *quarter;
  std::erase_if(failures_, [&](const auto& one) { return one.second.back() <= border; });
}

}  // namespace overlord::api
