#include "loadgen/connect.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace loadgen {
namespace {

/// Switches the connection to RESP3. False with errno set when the server does not follow.
bool say_hello(int fd) {
  constexpr std::string_view kHello = "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*1\r\n$4\r\nPING\r\n";
  if (send(fd, kHello.data(), kHello.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(kHello.size())) return false;
  // Only RESP3 has maps; the answer to the PING tells where the map ends.
  std::string got;
  while (!got.ends_with("+PONG\r\n")) {
    char buffer[4096];
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n > 0) got.append(buffer, static_cast<size_t>(n));
    if (n <= 0 || got.front() != '%') {
      errno = EPROTO;
      return false;
    }
  }
  return true;
}

/// Connects blocking, so that a full accept queue slows the caller down instead of failing.
int connect_one(const addrinfo& to, const Options& options) {
  const int fd = socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, to.ai_addr, to.ai_addrlen) != 0 || (options.protocol == Protocol::kResp3 && !say_hello(fd))) {
    const int saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

}  // namespace

void raise_file_limit(size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  rlimit raised{wanted, std::max<rlim_t>(limit.rlim_max, wanted)};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  raised = {limit.rlim_max, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &raised);
}

Connected connect_all(const Options& options, size_t count) {
  Connected result;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(options.host.c_str(), options.port.c_str(), &hints, &found); code != 0) {
    result.error = options.host + ":" + options.port + ": " + gai_strerror(code);
    return result;
  }
  result.sockets.reserve(count);
  while (result.sockets.size() < count) {
    const int fd = connect_one(*found, options);
    if (fd < 0) {
      result.error = "connection " + std::to_string(result.sockets.size() + 1) + " to " + options.host + ":" +
                     options.port + ": " + std::strerror(errno);
      for (const int open_fd : result.sockets) close(open_fd);
      result.sockets.clear();
      break;
    }
    result.sockets.push_back(fd);
  }
  freeaddrinfo(found);
  return result;
}

}  // namespace loadgen
