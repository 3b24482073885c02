#pragma once
// Address: where to listen or where a backend is, as text says it. No look-up of names happens here.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace overlord::config {

struct Address {
  enum class Kind { tcp, unix_socket, sentinel };

  Kind kind = Kind::tcp;
  std::string host;   // tcp: IPv4, IPv6 without brackets, or a name; a listener's wildcard is "0.0.0.0" or "::"
  uint16_t port = 0;  // tcp; 0 lets the kernel choose (listeners only)
  std::string path;   // unix_socket; sentinel: the name of a master, whose address Sentinels know

  bool operator==(const Address&) const = default;
};

// "127.0.0.1:6379", "[::1]:6379", "cache.local:6379", "unix:/run/cache.sock".
std::string to_string(const Address& address);

// A listener: "ip:port", "name:port", ":port", "port", "[::]:port", "unix:/path"; with proto "unix" also a
// bare path. A port alone means every IPv4 address, as it did in the Go program. proto: "tcp" or "unix".
Result<Address> parse_listen_address(std::string_view text, std::string_view proto);

// A backend: "host:port", "[ip6]:port", "unix:/path" or "/path". The port is 1 to 65535.
Result<Address> parse_backend_address(std::string_view text);

}  // namespace overlord::config
