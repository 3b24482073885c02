#include "net/inherited_sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace overlord::net {

namespace {

constexpr int kFirst = 3;
constexpr int kMost = 10'000;

int number(const char* text) {
  if (text == nullptr) return -1;
  const std::string_view digits = text;
  int value = -1;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return failure == std::errc{} && end == digits.data() + digits.size() ? value : -1;
}

int option(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, level, name, &value, &length) == 0 ? value : -1;
}

bool is_any(const SocketAddress& address, int family) {
  if (address.family() != family) return false;
  if (family == AF_INET) return reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr.s_addr == INADDR_ANY;
  return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr);
}

in_port_t port_of(const SocketAddress& address) {
  return address.family() == AF_INET ? reinterpret_cast<const sockaddr_in&>(address.storage).sin_port
                                     : reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port;
}

}  // namespace

Result<InheritedSockets> InheritedSockets::from_environment() {
  const int pid = number(::getenv("LISTEN_PID"));
  const int count = number(::getenv("LISTEN_FDS"));
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  InheritedSockets inherited;
  if (pid != ::getpid() || count <= 0 || count > kMost) return inherited;
  for (int fd = kFirst; fd < kFirst + count; ++fd) {
    Socket socket{.fd = UniqueFd(fd), .address = {}};
    socket.address.length = sizeof socket.address.storage;
    const std::string which = "LISTEN_FDS: descriptor " + std::to_string(fd);
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&socket.address.storage), &socket.address.length) != 0)
      return fail(which + " is no socket");
    if (option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM || option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1)
      return fail(which + " (" + to_string(socket.address) + ") does not listen for streams");
    (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    socket.both_families = is_any(socket.address, AF_INET6) && option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
    inherited.sockets_.push_back(std::move(socket));
  }
  return inherited;
}

UniqueFd InheritedSockets::take(const SocketAddress& address) {
  auto found =
      std::ranges::find_if(sockets_, [&](const Socket& s) { return to_string(s.address) == to_string(address); });
  if (found == sockets_.end() && is_any(address, AF_INET)) {
    found = std::ranges::find_if(
        sockets_, [&](const Socket& s) { return s.both_families && port_of(s.address) == port_of(address); });
  }
  if (found == sockets_.end()) return {};
  UniqueFd fd = std::move(found->fd);
  sockets_.erase(found);
  return fd;
}

std::vector<std::string> InheritedSockets::left() const {
  std::vector<std::string> names;
  for (const Socket& socket : sockets_) names.push_back(to_string(socket.address));
  return names;
}

}  // namespace overlord::net
