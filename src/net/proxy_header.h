#pragma once
// The PROXY protocol's header, versions 1 and 2: what a load balancer writes in front of a connection that it passes
// on, to tell whose it is. Source: "The PROXY protocol", https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt.
//
// Version 1 is a line (TCP4, TCP6, UNKNOWN), version 2 a binary block (LOCAL, PROXY; INET, INET6, UNIX). Of the TLVs
// of version 2 only the checksum is looked at; the others must lie in the block and are skipped.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/address.h"

namespace overlord::net {

struct ProxyHeader {
  // False: the header tells of nobody (LOCAL, UNKNOWN, UNSPEC and what is not a stream), so the connection's own
  // addresses are true.
  bool tells = false;
  SocketAddress source;       // the client
  SocketAddress destination;  // what it reached
};

struct ParsedProxyHeader {
  enum class State : uint8_t { whole, need_more, bad };
  State state = State::need_more;
  size_t used = 0;           // bytes of a whole one
  std::string_view problem;  // with bad; static text
  ProxyHeader header;
};

constexpr size_t kMostProxyLine = 107;    // version 1 with its CR LF, by the document
constexpr size_t kMostProxyBlock = 4096;  // version 2 with its TLVs; the document allows 65551, senders use hundreds

// Looks for a header at the front of the bytes. It never needs more than kMostProxyBlock of them.
ParsedProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace overlord::net
