#include "proxy/service.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"

namespace overlord::proxy {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kStatusTick = 10 * kSecond;

}  // namespace

Service::~Service() {
  if (stopper_.joinable()) stopper_.join();
}

void Service::ready() { notify_.send("READY=1\n" + status()); }

void Service::tell_main_pid(pid_t pid) {
  notify_.send("MAINPID=" + std::to_string(pid) + "\nSTATUS=an upgrade; pid " + std::to_string(pid) + " serves");
  silent_.store(pid != ::getpid());
}

uint64_t Service::tick_ns() const {
  if (!notify_.wanted()) return 0;
  const uint64_t watchdog = notify_.watchdog_ns();
  // An answer is looked at one tick after it was asked for.
  return watchdog == 0 ? kStatusTick : std::clamp(watchdog / 4, uint64_t{1'000'000}, kStatusTick);
}

void Service::tick() {
  if (silent_.load()) return;
  if (stopping() || proxy_.pulse()) {
    if (std::exchange(hung_, false)) log_warn("all workers turn again");
    return notify_.send("WATCHDOG=1\n" + status());
  }
  if (std::exchange(hung_, true)) return;
  log_error("a worker does not turn; the service manager is not told that all is well");
}

std::string Service::status() const { return "STATUS=serving " + std::to_string(proxy_.clients()) + " clients"; }

void Service::stop(uint64_t grace_ns, int done_signal) {
  if (stopping()) return;
  if (!silent_.load()) notify_.send("STOPPING=1\nSTATUS=stopping; " + std::to_string(proxy_.clients()) + " clients");
  stopper_ = std::thread([this, grace_ns, done_signal] {
    proxy_.stop(grace_ns);
    ::kill(::getpid(), done_signal);
  });
}

}  // namespace overlord::proxy
