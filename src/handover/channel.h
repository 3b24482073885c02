#pragma once
// Channel: messages with descriptors between two processes of one user on one machine: a unix socket that keeps the
// bounds of messages (SOCK_SEQPACKET) and passes descriptors (SCM_RIGHTS, unix(7)).

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "net/socket.h"

namespace overlord::handover {

struct Packet {
  std::string bytes;  // empty: the other end has closed
  net::UniqueFd fd;   // invalid: none came along
};

class Channel {
 public:
  // The longest message.
  static constexpr size_t kMost = 128 * 1024;
  enum class Sent : uint8_t { all, later, broken };

  Channel() = default;
  explicit Channel(net::UniqueFd fd);

  static Result<std::pair<Channel, Channel>> pair();
  static Result<Channel> connect(const std::string& path);
  // "fd:N", a descriptor that was inherited, or the path of a socket.
  static Result<Channel> open(const std::string& name);

  bool valid() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }

  // Waits until it can be sent; false: the channel is broken.
  bool send(std::string_view bytes, int fd = -1);
  Sent try_send(std::string_view bytes, int fd = -1);
  // The next message, or an error when none came in time or the channel broke; the end is an empty one.
  Result<Packet> receive(std::chrono::milliseconds limit);

 private:
  net::UniqueFd fd_;
};

// Whether the other end may take part: the same user, or root.
Result<pid_t> check_peer(int fd);

// Listens for takers; only the same user may connect.
Result<net::UniqueFd> listen_for_takers(const std::string& path);

}  // namespace overlord::handover
