#pragma once
// UniqueFd and the few socket calls that the loop and the listeners need.

#include <unistd.h>

#include <string>
#include <utility>

#include "base/error.h"
#include "net/address.h"

namespace overlord::net {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

// A listening socket, non-blocking and close-on-exec, with SO_REUSEADDR. reuse_port: several workers each bind
// their own. A unix path that exists and that nobody listens on is replaced; one that is in use is an error.
// The error names the address and the reason. backlog 0: only bound, to see whether that is possible.
Result<UniqueFd> listen_socket(const SocketAddress& address, bool reuse_port, int backlog);

// Binds a unix socket of any type as listen_socket() does: what is at the path is replaced only when it is a socket that
// nobody listens on.
Result<void> bind_unix(int fd, const SocketAddress& address);

// Seconds of silence after which the kernel asks whether the other end is still there. Four questions without an
// answer break the connection.
inline constexpr uint32_t kKeepAliveSeconds = 60;

// TCP_NODELAY and keep-alive for a listening socket, whose accepted ones inherit both, or a connected one; nothing for
// a unix socket. keep_alive: seconds; 0: off.
void tune_stream_socket(int fd, uint32_t keep_alive = kKeepAliveSeconds);

void make_non_blocking(int fd);

// The address of the other end as text; empty when it has none (a unix socket, nothing connected).
std::string peer_text(int fd);

// Takes the error that waits in a socket (SO_ERROR); 0 when there is none.
int pending_error(int fd);

// Closing this socket resets the connection: what it has not delivered yet is given up. Else the kernel goes on sending
// for seconds after the close, and a peer that was out of reach may get it after what later connections sent.
void reset_on_close(int fd);

// Whether a TCP connection's two ends are one socket: connecting to a free local port in the range of ephemeral
// ports can succeed that way when nobody listens there.
bool connected_to_itself(int fd);

// The smallest round trip that the kernel has seen on a TCP connection, us; 0 when it has none, as for a unix socket.
uint32_t smallest_round_trip(int fd);

// Raises the soft limit of open descriptors to the hard one; returns the limit in force.
unsigned long raise_fd_limit();

}  // namespace overlord::net
