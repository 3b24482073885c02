#include "ctl/upgrade.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

namespace overlord::ctl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{50};
// For a moment neither process may answer.
constexpr milliseconds kPatience{10'000};
constexpr int kAccepted = 202;
constexpr int kGood = 200;

std::string line_of(const nlohmann::json& page) {
  const auto number = [&](const char* name) { return std::to_string(page.value(name, uint64_t{0})); };
  return "pid " + number("old_pid") + " (" + page.value("old_version", "?") + ") -> pid " + number("new_pid") + " (" +
         page.value("new_version", "?") + "): " + number("moved") + " clients moved, " + number("drained") +
         " left or were idle, " + number("closed") + " closed at the deadline, " + number("ms") + " ms";
}

}  // namespace

Result<UpgradeEnd> upgrade(http::Client& client, const std::string& binary,
                           const std::function<void(const std::string&)>& tell) {
  const std::string target = "/upgrade" + (binary.empty() ? "" : "?binary=" + http::encoded(binary));
  auto begun = client.ask("POST", target);
  if (!begun) return std::unexpected(begun.error());
  if (begun->status != kAccepted) return UpgradeEnd{.done = false, .text = begun->body, .page = {}};
  std::string last;
  auto heard_at = std::chrono::steady_clock::now();
  for (;; std::this_thread::sleep_for(kTick)) {
    const auto answer = client.ask("GET", "/upgrade");
    const auto now = std::chrono::steady_clock::now();
    const auto page = answer && answer->status == kGood ? nlohmann::json::parse(answer->body, nullptr, false)
                                                        : nlohmann::json(nlohmann::json::value_t::discarded);
    if (!page.is_object()) {
      if (now - heard_at < kPatience) continue;
      return answer ? fail("what answers has no page about upgrades") : std::unexpected(answer.error());
    }
    heard_at = now;
    const std::string state = page.value("state", "");
    if (state == "failed") return UpgradeEnd{.done = false, .text = page.value("reason", ""), .page = answer->body};
    if (state == "done") return UpgradeEnd{.done = true, .text = line_of(page), .page = answer->body};
    const std::string line = state + ": pid " + std::to_string(page.value("new_pid", uint64_t{0})) + ", " +
                             std::to_string(page.value("remaining", uint64_t{0})) + " clients to go";
    if (line != last) tell(line);
    last = line;
  }
}

}  // namespace overlord::ctl
