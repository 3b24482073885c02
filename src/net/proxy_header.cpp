#include "net/proxy_header.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace overlord::net {
namespace {

using State = ParsedProxyHeader::State;

constexpr std::string_view kLineStart = "PROXY ";
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kFixedPart = 16;  // of version 2: signature, version and command, family, length
constexpr size_t kChecksumSize = 4;
constexpr uint8_t kChecksumType = 0x03;
constexpr size_t kPathSize = 108;

ParsedProxyHeader bad(std::string_view problem) {
  return {.state = State::bad, .used = 0, .problem = problem, .header = {}};
}

uint8_t byte_at(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }
size_t number_at(std::string_view bytes, size_t at) { return size_t{byte_at(bytes, at)} << 8 | byte_at(bytes, at + 1); }

// Version 1

std::optional<uint16_t> port_of(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  uint32_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = 10 * value + static_cast<uint32_t>(c - '0');
  }
  if (value > UINT16_MAX) return std::nullopt;
  return static_cast<uint16_t>(value);
}

bool line_address(std::string_view host, std::string_view port, int family, SocketAddress& out) {
  const auto number = port_of(port);
  if (!number || host.find('%') != std::string_view::npos) return false;
  const auto address = numeric_address(host, *number);
  if (!address || address->family() != family) return false;
  out = *address;
  return true;
}

ParsedProxyHeader parse_line(std::string_view bytes) {
  const size_t end = bytes.substr(0, kMostProxyLine).find('\n');
  if (end == std::string_view::npos) {
    if (bytes.size() >= kMostProxyLine) return bad("its line does not end");
    return {};
  }
  if (bytes[end - 1] != '\r') return bad("its line does not end with CR LF");
  ParsedProxyHeader found{.state = State::whole, .used = end + 1, .problem = {}, .header = {}};
  std::string_view rest = bytes.substr(kLineStart.size(), end - 1 - kLineStart.size());
  if (rest == "UNKNOWN" || rest.starts_with("UNKNOWN ")) return found;
  std::array<std::string_view, 5> words;
  for (size_t i = 0; i < words.size(); ++i) {
    const size_t space = i + 1 < words.size() ? rest.find(' ') : rest.size();
    if (space == std::string_view::npos) return bad("its line lacks a part");
    words[i] = rest.substr(0, space);
    rest.remove_prefix(std::min(rest.size(), space + 1));
  }
  const int family = words[0] == "TCP4" ? AF_INET : words[0] == "TCP6" ? AF_INET6 : AF_UNSPEC;
  if (family == AF_UNSPEC) return bad("its protocol is none of TCP4, TCP6, UNKNOWN");
  ProxyHeader& header = found.header;
  header.tells = line_address(words[1], words[3], family, header.source) &&
                 line_address(words[2], words[4], family, header.destination);
  if (!header.tells) return bad("its line has a wrong address");
  return found;
}

// Version 2

// CRC-32C (Castagnoli), reflected; the four bytes at `hole` count as zero.
uint32_t checksum(std::string_view bytes, size_t hole) {
  constexpr uint32_t polynomial = 0x82F63B78;
  uint32_t sum = UINT32_MAX;
  for (size_t i = 0; i < bytes.size(); ++i) {
    sum ^= i - hole < kChecksumSize ? 0 : byte_at(bytes, i);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ ((sum & 1) != 0 ? polynomial : 0);
  }
  return ~sum;
}

// The TLVs from `at` to the end; empty when they are good.
std::string_view check_tlvs(std::string_view block, size_t at) {
  while (at < block.size()) {
    if (block.size() - at < 3) return "a TLV of it is cut off";
    const uint8_t type = byte_at(block, at);
    const size_t size = number_at(block, at + 1);
    at += 3;
    if (block.size() - at < size) return "a TLV of it is cut off";
    if (type == kChecksumType) {
      if (size != kChecksumSize) return "its checksum has a wrong size";
      const auto told = static_cast<uint32_t>(number_at(block, at) << 16 | number_at(block, at + 2));
      if (told != checksum(block, at)) return "its checksum is wrong";
    }
    at += size;
  }
  return {};
}

// The addresses of a family, source before destination, then both ports. Bytes are in network order on both sides.
template <typename Raw, typename Host>
SocketAddress inet_address(std::string_view host, std::string_view port, int family, Host Raw::* host_field,
                           in_port_t Raw::* port_field) {
  SocketAddress out;
  Raw raw{};
  std::memcpy(&(raw.*host_field), host.data(), host.size());
  std::memcpy(&(raw.*port_field), port.data(), port.size());
  std::memcpy(&out.storage, &raw, sizeof raw);
  out.storage.ss_family = static_cast<sa_family_t>(family);
  out.length = sizeof raw;
  return out;
}

SocketAddress path_address(std::string_view path) {
  SocketAddress out;
  sockaddr_un raw{};
  raw.sun_family = AF_UNIX;
  std::memcpy(raw.sun_path, path.data(), kPathSize);
  std::memcpy(&out.storage, &raw, sizeof raw);
  out.length = sizeof raw;
  return out;
}

// Of a stream; 0: the family has none that this parser knows.
size_t addresses_size(uint8_t family) {
  switch (family) {
    case 0x11: return 12;
    case 0x21: return 36;
    case 0x31: return 2 * kPathSize;
    default: return 0;
  }
}

void read_addresses(uint8_t family, std::string_view bytes, ProxyHeader& header) {
  header.tells = true;
  if (family == 0x31) {
    header.source = path_address(bytes.substr(0, kPathSize));
    header.destination = path_address(bytes.substr(kPathSize));
    return;
  }
  const size_t host = family == 0x11 ? 4 : 16;
  const auto make = [&](size_t host_at, size_t port_at) {
    const std::string_view where = bytes.substr(host_at, host);
    const std::string_view port = bytes.substr(port_at, 2);
    return family == 0x11 ? inet_address(where, port, AF_INET, &sockaddr_in::sin_addr, &sockaddr_in::sin_port)
                          : inet_address(where, port, AF_INET6, &sockaddr_in6::sin6_addr, &sockaddr_in6::sin6_port);
  };
  header.source = make(0, 2 * host);
  header.destination = make(host, 2 * host + 2);
}

ParsedProxyHeader parse_block(std::string_view bytes) {
  if (bytes.size() < kFixedPart) return {};
  const uint8_t command = byte_at(bytes, 12);
  const uint8_t family = byte_at(bytes, 13);
  if (command >> 4 != 2) return bad("its version is unknown");
  if ((command & 15) > 1) return bad("its command is unknown");
  if (family >> 4 > 3 || (family & 15) > 2) return bad("its family is unknown");
  const size_t size = kFixedPart + number_at(bytes, 14);
  if (size > kMostProxyBlock) return bad("it is too long");
  if (bytes.size() < size) return {};
  ParsedProxyHeader found{.state = State::whole, .used = size, .problem = {}, .header = {}};
  const size_t addresses = addresses_size(family);
  if ((command & 15) == 0 || addresses == 0) return found;
  const std::string_view block = bytes.substr(0, size);
  if (size < kFixedPart + addresses) return bad("its addresses are cut off");
  if (const std::string_view problem = check_tlvs(block, kFixedPart + addresses); !problem.empty()) return bad(problem);
  read_addresses(family, block.substr(kFixedPart, addresses), found.header);
  return found;
}

bool begins_as(std::string_view bytes, std::string_view start) {
  const size_t size = std::min(bytes.size(), start.size());
  return bytes.substr(0, size) == start.substr(0, size);
}

}  // namespace

ParsedProxyHeader parse_proxy_header(std::string_view bytes) {
  const bool line = begins_as(bytes, kLineStart);
  const bool block = begins_as(bytes, kSignature);
  if (!line && !block) return bad("the first bytes are none");
  if (bytes.size() < kLineStart.size()) return {};
  return line ? parse_line(bytes) : parse_block(bytes);
}

}  // namespace overlord::net
