#pragma once
// InheritedSockets: listening sockets that were open when the process started (LISTEN_FDS, see sd_listen_fds(3)), as a
// service manager passes them: they take connections before the proxy runs, and while it is started again.

#include <cstddef>
#include <string>
#include <vector>

#include "net/address.h"
#include "net/socket.h"

namespace overlord::net {

class InheritedSockets {
 public:
  InheritedSockets() = default;
  // Reads and removes LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES. Before other threads run. What is no listening stream
  // socket is an error that says which descriptor it is.
  static Result<InheritedSockets> from_environment();

  bool empty() const { return sockets_.empty(); }
  // The socket that listens there, or an invalid one. One on [::] that takes IPv4 too is also found by 0.0.0.0.
  UniqueFd take(const SocketAddress& address);
  // Those that nobody took, as text.
  std::vector<std::string> left() const;

 private:
  struct Socket {
    UniqueFd fd;
    SocketAddress address;
    bool both_families = false;
  };
  std::vector<Socket> sockets_;
};

}  // namespace overlord::net
