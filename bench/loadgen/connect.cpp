#include "loadgen/connect.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace loadgen {
namespace {

/// Connects blocking, so that a full accept queue slows the caller down instead of failing.
int connect_one(const addrinfo& to) {
  const int fd = socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, to.ai_addr, to.ai_addrlen) != 0) {
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
    const int fd = connect_one(*found);
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
