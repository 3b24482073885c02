#include "config/address.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>

namespace overlord::config {

namespace {

constexpr std::string_view kUnixPrefix = "unix:";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The kernel's form, so that "::1" and "0:0::1" are the same listener. Empty: not an IPv6 address.
std::string canonical_ip6(std::string_view text) {
  const size_t zone = text.find('%');
  const std::string number(text.substr(0, zone));
  in6_addr raw{};
  if (inet_pton(AF_INET6, number.c_str(), &raw) != 1) return {};
  if (zone != std::string_view::npos) {
    const std::string_view name = text.substr(zone + 1);
    const bool plain =
        std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '.' || c == '-'; });
    if (name.empty() || !plain) return {};
  }
  char out[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, &raw, out, sizeof(out));
  std::string canonical(out);
  if (zone != std::string_view::npos) canonical += text.substr(zone);
  return canonical;
}

Result<std::string> parse_host(std::string_view text) {
  std::string host(text);
  if (host.empty()) return fail("the host is missing");
  if (host.size() > 253) return fail("the host is longer than 253 bytes");
  const bool numeric = std::all_of(host.begin(), host.end(), [](char c) { return is_digit(c) || c == '.'; });
  if (numeric) {
    in_addr raw{};
    if (inet_pton(AF_INET, host.c_str(), &raw) != 1) return fail("\"" + host + "\" is not an IPv4 address");
    return host;
  }
  for (char c : host)
    if (!is_alnum(c) && c != '.' && c != '-' && c != '_')
      return fail("the host holds a character that no host name has");
  return host;
}

Result<uint16_t> parse_port(std::string_view text, uint32_t lowest) {
  uint32_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size() || port > 65535 || port < lowest)
    return fail("the port must be a number from " + std::to_string(lowest) + " to 65535");
  return static_cast<uint16_t>(port);
}

Result<Address> parse_unix(std::string_view path) {
  if (path.empty()) return fail("the path of the unix socket is missing");
  if (path.find('\0') != std::string_view::npos) return fail("the path of a unix socket cannot hold a zero byte");
  constexpr size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kLongest)
    return fail("the path of a unix socket has at most " + std::to_string(kLongest) + " bytes, this has " +
                std::to_string(path.size()));
  Address address;
  address.kind = Address::Kind::unix_socket;
  address.path = path;
  return address;
}

// "[ip6]:port" or "host:port".
Result<Address> parse_tcp(std::string_view text, uint32_t lowest_port) {
  Address address;
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return fail("the ] after the IPv6 address is missing");
    address.host = canonical_ip6(text.substr(1, close - 1));
    if (address.host.empty()) return fail("what stands in [ ] is not an IPv6 address");
    if (close + 1 >= text.size() || text[close + 1] != ':') return fail("the :port after ] is missing");
    port = text.substr(close + 2);
  } else {
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return fail("the :port is missing");
    if (text.substr(0, colon).find(':') != std::string_view::npos)
      return fail("more than one colon; an IPv6 address stands in [ ]");
    auto host = parse_host(text.substr(0, colon));
    if (!host) return fail(host.error().message);
    address.host = *host;
    port = text.substr(colon + 1);
  }
  auto number = parse_port(port, lowest_port);
  if (!number) return fail(number.error().message);
  address.port = *number;
  return address;
}

}  // namespace

std::string to_string(const Address& address) {
  if (address.kind == Address::Kind::unix_socket) return std::string(kUnixPrefix) + address.path;
  if (address.kind == Address::Kind::sentinel) return "sentinel:" + address.path;
  const bool ip6 = address.host.find(':') != std::string::npos;
  return (ip6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Result<Address> parse_listen_address(std::string_view text, std::string_view proto) {
  if (text.starts_with(kUnixPrefix)) return parse_unix(text.substr(kUnixPrefix.size()));
  if (proto == "unix") return parse_unix(text);
  if (text.empty()) return fail("the address is empty");
  const bool only_port = std::all_of(text.begin(), text.end(), is_digit);
  if (only_port) return parse_tcp("0.0.0.0:" + std::string(text), 0);
  if (text.starts_with(':')) return parse_tcp("0.0.0.0" + std::string(text), 0);
  if (text.starts_with("*:")) return parse_tcp("0.0.0.0" + std::string(text.substr(1)), 0);
  return parse_tcp(text, 0);
}

Result<Address> parse_backend_address(std::string_view text) {
  if (text.starts_with('/')) return parse_unix(text);
  if (!text.starts_with(kUnixPrefix)) return parse_tcp(text, 1);
  const std::string_view path = text.substr(kUnixPrefix.size());
  if (!path.empty() && path[0] != '/') return fail("the path of a backend's unix socket must start with /");
  return parse_unix(path);
}

}  // namespace overlord::config
