#include "net/service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>

namespace overlord::net {

namespace {

// The value of a variable, which is removed; empty when it is not there.
std::string take_variable(const char* name) {
  const char* value = ::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "/path", or "@name" for a name outside the file system (its first byte is then 0).
std::optional<SocketAddress> notify_address(std::string_view text) {
  SocketAddress address;
  auto& name = reinterpret_cast<sockaddr_un&>(address.storage);
  if (text.size() < 2 || text.size() >= sizeof name.sun_path || (text[0] != '/' && text[0] != '@')) return std::nullopt;
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, text.data(), text.size());
  const bool is_abstract = text[0] == '@';
  if (is_abstract) name.sun_path[0] = '\0';
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (is_abstract ? 0 : 1));
  return address;
}

}  // namespace

Result<ServiceNotify> ServiceNotify::from_environment() {
  const std::string where = take_variable("NOTIFY_SOCKET");
  const std::string usec = take_variable("WATCHDOG_USEC");
  const std::string pid = take_variable("WATCHDOG_PID");
  const bool for_us = pid.empty() || number(pid) == static_cast<uint64_t>(::getpid());
  return to(where, for_us ? number(usec).value_or(0) * 1000 : 0);
}

Result<ServiceNotify> ServiceNotify::to(const std::string& where, uint64_t watchdog_ns) {
  ServiceNotify notify;
  if (where.empty()) return notify;
  const auto address = notify_address(where);
  if (!address) return fail("NOTIFY_SOCKET=" + where + ": neither a path nor an abstract name");
  notify.address_ = *address;
  notify.where_ = where;
  notify.fd_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!notify.fd_.valid()) return fail(std::string("NOTIFY_SOCKET: ") + std::strerror(errno));
  notify.watchdog_ns_ = watchdog_ns;
  return notify;
}

void ServiceNotify::send(std::string_view state) const {
  if (!fd_.valid()) return;
  (void)!::sendto(fd_.get(), state.data(), state.size(), MSG_NOSIGNAL, address_.get(), address_.length);
}

std::string reloading_state() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return "RELOADING=1\nMONOTONIC_USEC=" +
         std::to_string(static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000);
}

}  // namespace overlord::net
