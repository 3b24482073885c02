#include "handover/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "net/address.h"

namespace overlord::handover {
namespace {

constexpr int kBuffer = 1 << 20;  // bytes the kernel may hold; it gives what it allows

std::unexpected<Error> failed(const std::string& what) { return fail(what + ": " + std::strerror(errno)); }

}  // namespace

Channel::Channel(net::UniqueFd fd) : fd_(std::move(fd)) {
  (void)::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &kBuffer, sizeof kBuffer);
}

Result<std::pair<Channel, Channel>> Channel::pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return failed("no pair of sockets");
  return std::pair(Channel(net::UniqueFd(ends[0])), Channel(net::UniqueFd(ends[1])));
}

Result<Channel> Channel::connect(const std::string& path) {
  auto address = net::unix_address(path);
  if (!address) return std::unexpected(address.error());
  net::UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return failed("no socket");
  if (::connect(fd.get(), address->get(), address->length) != 0) {
    return failed("cannot reach a running proxy at " + path + " (its upgrade_socket)");
  }
  if (auto peer = check_peer(fd.get()); !peer) return std::unexpected(peer.error());
  return Channel(std::move(fd));
}

Result<Channel> Channel::open(const std::string& name) {
  constexpr std::string_view kDescriptor = "fd:";
  if (!name.starts_with(kDescriptor)) return connect(name);
  int number = -1;
  const auto [end, wrong] = std::from_chars(name.data() + kDescriptor.size(), name.data() + name.size(), number);
  if (wrong != std::errc{} || end != name.data() + name.size() || ::fcntl(number, F_SETFD, FD_CLOEXEC) != 0) {
    return fail(name + " is no open descriptor");
  }
  return Channel(net::UniqueFd(number));
}

Channel::Sent Channel::try_send(std::string_view bytes, int fd) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  for (;;) {
    if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return Sent::all;
    if (errno == EINTR) continue;
    // Too many descriptors that nobody has received yet: as with a full buffer, some will be.
    return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS ? Sent::later : Sent::broken;
  }
}

bool Channel::send(std::string_view bytes, int fd) {
  for (;;) {
    const Sent sent = try_send(bytes, fd);
    if (sent != Sent::later) return sent == Sent::all;
    constexpr int kLookAgain = 100;  // ms
    pollfd ready{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
    ::poll(&ready, 1, kLookAgain);
  }
}

Result<Packet> Channel::receive(std::chrono::milliseconds limit) {
  pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  for (;;) {
    const int count = ::poll(&ready, 1, static_cast<int>(limit.count()));
    if (count > 0) break;
    if (count == 0) return fail("nothing came in " + std::to_string(limit.count()) + " ms");
    if (errno != EINTR) return failed("the channel");
  }
  Packet packet;
  packet.bytes.resize(kMost);
  iovec part{packet.bytes.data(), packet.bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = -1;
  // An end that was closed with something unread is told once as a reset, in front of what it had sent before.
  for (bool reset = false;;) {
    got = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
    if (got >= 0 || (errno != EINTR && (errno != ECONNRESET || std::exchange(reset, true)))) break;
  }
  if (got < 0) return failed("the channel");
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    packet.fd.reset(fd);
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return fail("a message that is too long, or lost a descriptor");
  packet.bytes.resize(static_cast<size_t>(got));
  return packet;
}

Result<pid_t> check_peer(int fd) {
  ucred who{};
  socklen_t length = sizeof who;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return failed("whose the other end is");
  if (who.uid != ::geteuid() && who.uid != 0) {
    return fail("the other end is of user " + std::to_string(who.uid) + ", who may not do this");
  }
  return who.pid;
}

Result<net::UniqueFd> listen_for_takers(const std::string& path) {
  auto address = net::unix_address(path);
  if (!address) return std::unexpected(address.error());
  net::UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return failed("no socket");
  if (auto bound = net::bind_unix(fd.get(), *address); !bound) return std::unexpected(bound.error());
  constexpr mode_t kOwnerOnly = 0600;
  constexpr int kBacklog = 4;
  if (::chmod(path.c_str(), kOwnerOnly) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return failed("cannot listen on " + path);
  }
  return fd;
}

}  // namespace overlord::handover
