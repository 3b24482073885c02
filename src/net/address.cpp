#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

namespace overlord::net {

namespace {

template <typename Raw>
SocketAddress from_raw(const Raw& raw, size_t length = sizeof(Raw)) {
  SocketAddress address;
  std::memcpy(&address.storage, &raw, length);
  address.length = static_cast<socklen_t>(length);
  return address;
}

std::string inet_text(int family, const void* raw) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, raw, text, sizeof text);
  return text;
}

}  // namespace

bool SocketAddress::operator==(const SocketAddress& other) const {
  return length == other.length && std::memcmp(&storage, &other.storage, length) == 0;
}

std::string to_string(const SocketAddress& address) {
  switch (address.family()) {
    case AF_INET: {
      const auto* in = reinterpret_cast<const sockaddr_in*>(&address.storage);
      return inet_text(AF_INET, &in->sin_addr) + ":" + std::to_string(ntohs(in->sin_port));
    }
    case AF_INET6: {
      const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
      std::string host = inet_text(AF_INET6, &in6->sin6_addr);
      if (in6->sin6_scope_id != 0) {
        char name[IF_NAMESIZE] = "";
        host += "%";
        host += if_indextoname(in6->sin6_scope_id, name) != nullptr ? std::string(name)
                                                                    : std::to_string(in6->sin6_scope_id);
      }
      return "[" + host + "]:" + std::to_string(ntohs(in6->sin6_port));
    }
    case AF_UNIX: {
      const auto* un = reinterpret_cast<const sockaddr_un*>(&address.storage);
      const size_t room = address.length - std::min<size_t>(address.length, offsetof(sockaddr_un, sun_path));
      return "unix:" + std::string(un->sun_path, strnlen(un->sun_path, room));
    }
    default: return "(no address)";
  }
}

Result<SocketAddress> numeric_address(std::string_view host, uint16_t port) {
  const std::string text(host);
  sockaddr_in in{};
  if (inet_pton(AF_INET, text.c_str(), &in.sin_addr) == 1 && text.find('\0') == std::string::npos) {
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    return from_raw(in);
  }
  sockaddr_in6 in6{};
  const size_t percent = text.find('%');
  const std::string plain = text.substr(0, percent);
  if (inet_pton(AF_INET6, plain.c_str(), &in6.sin6_addr) == 1 && text.find('\0') == std::string::npos) {
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    if (percent != std::string::npos) {
      in6.sin6_scope_id = if_nametoindex(text.c_str() + percent + 1);
      if (in6.sin6_scope_id == 0) return fail("'" + text + "': there is no such network interface");
    }
    return from_raw(in6);
  }
  return fail("'" + text + "' is not a numeric IPv4 or IPv6 address");
}

Result<SocketAddress> unix_address(std::string_view path) {
  sockaddr_un un{};
  if (path.empty()) return fail("the path of a unix socket must not be empty");
  if (path.find('\0') != std::string_view::npos) return fail("the path of a unix socket contains a zero byte");
  if (path.size() >= sizeof un.sun_path) {
    return fail("'" + std::string(path) + "': the path of a unix socket has at most " +
                std::to_string(sizeof un.sun_path - 1) + " bytes, this one has " + std::to_string(path.size()));
  }
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  return from_raw(un, offsetof(sockaddr_un, sun_path) + path.size() + 1);
}

Result<std::vector<SocketAddress>> resolve(const std::string& host, uint16_t port, bool passive) {
  if (host.empty() && !passive) return fail("the host name is empty");
  if (auto numeric = numeric_address(host, port)) return std::vector<SocketAddress>{*numeric};

  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
  addrinfo* raw = nullptr;
  const std::string service = std::to_string(port);
  const int code = getaddrinfo(host.empty() ? nullptr : host.c_str(), service.c_str(), &hints, &raw);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(raw, freeaddrinfo);
  if (code != 0) {
    const std::string reason = code == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(code);
    return fail("cannot resolve '" + host + "': " + reason);
  }
  std::vector<SocketAddress> out;
  for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    SocketAddress address;
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.length = one->ai_addrlen;
    if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  if (out.empty()) return fail("cannot resolve '" + host + "': it has no IPv4 or IPv6 address");
  std::stable_partition(out.begin(), out.end(), [](const SocketAddress& a) { return a.family() == AF_INET; });
  return out;
}

}  // namespace overlord::net
