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

/// Switches a blocking connection to RESP3. False with errno set when the server does not follow.
bool say_hello(Channel& channel) {
  constexpr std::string_view kHello = "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*1\r\n$4\r\nPING\r\n";
  if (channel.send(kHello) != static_cast<ssize_t>(kHello.size())) return false;
  // Only RESP3 has maps; the answer to the PING tells where the map ends.
  std::string got;
  while (!got.ends_with("+PONG\r\n")) {
    char buffer[4096];
    const ssize_t n = recv(channel.fd(), buffer, sizeof buffer, 0);
    if (n > 0) got.append(buffer, static_cast<size_t>(n));
    if (n <= 0 || got.front() != '%') {
      errno = EPROTO;
      return false;
    }
  }
  return true;
}

void set_blocking(int fd, bool on) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, on ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
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

Connector::Connector(const Options& options, const TlsContext& context) : options_(options), context_(context) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  if (const int code = getaddrinfo(options.host.c_str(), options.port.c_str(), &hints, &found_); code != 0) {
    error_ = options.host + ":" + options.port + ": " + gai_strerror(code);
  }
}

Connector::~Connector() {
  if (found_ != nullptr) freeaddrinfo(found_);
}

/// Connects blocking, so that a full accept queue slows the caller down instead of failing.
int Connector::dial() {
  if (found_ == nullptr) return -1;
  const int fd = socket(found_->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    failed();
    return -1;
  }
  if (::connect(fd, found_->ai_addr, found_->ai_addrlen) != 0) {
    failed();
    close(fd);
    return -1;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void Connector::failed() { error_ = options_.host + ":" + options_.port + ": " + std::strerror(errno); }

Channel Connector::connect() {
  const int fd = dial();
  if (fd < 0) return Channel(-1);
  set_blocking(fd, false);
  return options_.tls ? Channel(fd, context_) : Channel(fd);
}

Channel Connector::connect_ready() {
  Channel channel = connect();
  if (!channel.open()) return channel;
  set_blocking(channel.fd(), true);
  errno = EPROTO;
  if (channel.handshake() != 1 || (options_.protocol == Protocol::kResp3 && !say_hello(channel))) {
    failed();
    return Channel(-1);
  }
  set_blocking(channel.fd(), false);
  return channel;
}

Connected connect_all(Connector& connector, size_t count) {
  Connected result;
  result.channels.reserve(count);
  while (result.channels.size() < count) {
    Channel channel = connector.connect_ready();
    if (!channel.open()) {
      result.error = "connection " + std::to_string(result.channels.size() + 1) + " to " + connector.error();
      result.channels.clear();
      break;
    }
    result.channels.push_back(std::move(channel));
  }
  return result;
}

}  // namespace loadgen
