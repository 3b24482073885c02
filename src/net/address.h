#pragma once
// SocketAddress: a resolved address, ready for connect or bind. resolve(): text to addresses.

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace overlord::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  bool operator==(const SocketAddress& other) const;
};

// "127.0.0.1:6379", "[::1]:6379", "unix:/path".
std::string to_string(const SocketAddress& address);

// A numeric IPv4 or IPv6 address without brackets; no name look-up. Error when it is not one.
Result<SocketAddress> numeric_address(std::string_view host, uint16_t port);
Result<SocketAddress> unix_address(std::string_view path);

// Resolves a host name or numeric address (getaddrinfo; blocks). IPv4 first. Never empty on success.
// passive: for bind; an empty host then means every local address.
Result<std::vector<SocketAddress>> resolve(const std::string& host, uint16_t port, bool passive);

}  // namespace overlord::net
