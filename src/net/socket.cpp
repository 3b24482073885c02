#include "net/socket.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace overlord::net {

namespace {

void set_option(int fd, int level, int name, int value) { (void)setsockopt(fd, level, name, &value, sizeof value); }

std::unexpected<Error> listen_failure(const SocketAddress& address, int error) {
  std::string text = "cannot listen on " + to_string(address) + ": " + std::strerror(error);
  if (error == EADDRINUSE) text += " (another process listens there)";
  return fail(std::move(text));
}

// A socket file that a dead process left behind: it is a socket, and connecting to it is refused.
bool stale_socket_file(const SocketAddress& address) {
  const char* path = reinterpret_cast<const sockaddr_un*>(&address.storage)->sun_path;
  struct stat status{};
  if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return probe.valid() && ::connect(probe.get(), address.get(), address.length) != 0 && errno == ECONNREFUSED;
}

}  // namespace

Result<void> bind_unix(int fd, const SocketAddress& address) {
  if (::bind(fd, address.get(), address.length) == 0) return {};
  if (errno != EADDRINUSE) return listen_failure(address, errno);
  if (!stale_socket_file(address)) return listen_failure(address, EADDRINUSE);
  ::unlink(reinterpret_cast<const sockaddr_un*>(&address.storage)->sun_path);
  if (::bind(fd, address.get(), address.length) != 0) return listen_failure(address, errno);
  return {};
}

Result<UniqueFd> listen_socket(const SocketAddress& address, bool reuse_port, int backlog) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return listen_failure(address, errno);
  if (address.family() == AF_UNIX) {
    if (auto bound = bind_unix(fd.get(), address); !bound) return std::unexpected(bound.error());
  } else {
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
    // "::" must not take the IPv4 port too: resolve() lists both families.
    if (address.family() == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (::bind(fd.get(), address.get(), address.length) != 0) return listen_failure(address, errno);
  }
  if (backlog > 0 && ::listen(fd.get(), backlog) != 0) return listen_failure(address, errno);
  return fd;
}

void tune_stream_socket(int fd, uint32_t keep_alive) {
  int domain = 0;
  socklen_t length = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 || domain == AF_UNIX) return;
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, keep_alive > 0 ? 1 : 0);
  if (keep_alive == 0) return;
  // By default a silent peer is noticed after about two minutes instead of the kernel's two hours.
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(keep_alive));
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(std::clamp(keep_alive / 4, 1U, 75U)));
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

void make_non_blocking(int fd) { (void)::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

std::string peer_text(int fd) {
  SocketAddress peer;
  peer.length = sizeof peer.storage;
  if (fd < 0 || getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length) != 0 ||
      peer.family() == AF_UNIX) {
    return {};
  }
  return to_string(peer);
}

int pending_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

void reset_on_close(int fd) {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

bool connected_to_itself(int fd) {
  SocketAddress local;
  SocketAddress peer;
  local.length = peer.length = sizeof(sockaddr_storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&local.storage), &local.length) != 0) return false;
  if (local.family() == AF_UNIX) return false;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length) != 0) return false;
  return local == peer;
}

uint32_t smallest_round_trip(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  if (size < offsetof(tcp_info, tcpi_min_rtt) + sizeof info.tcpi_min_rtt) return 0;  // a kernel before 4.6
  return info.tcpi_min_rtt == ~0U ? 0 : info.tcpi_min_rtt;
}

unsigned long raise_fd_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit wanted{limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) limit = wanted;
  }
  return limit.rlim_cur;
}

}  // namespace overlord::net
