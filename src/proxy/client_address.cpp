// Whose connection a session's is, whoever passed it on.

#include <sys/socket.h>

#include "proxy/session.h"

namespace overlord::proxy {
namespace {

net::SocketAddress ask(int fd, int (*get)(int, sockaddr*, socklen_t*)) {
  net::SocketAddress address;
  address.length = sizeof address.storage;
  if (fd < 0 || get(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0) return {};
  return address;
}

}  // namespace

net::SocketAddress Session::remote_address() const {
  if (const net::ProxyHeader* header = told_addresses()) return header->source;
  return ask(turn_.loop.fd(stream_), ::getpeername);
}

net::SocketAddress Session::local_address() const {
  if (const net::ProxyHeader* header = told_addresses()) return header->destination;
  return ask(turn_.loop.fd(stream_), ::getsockname);
}

const net::ProxyHeader* Session::told_addresses() const {
  if (rare_ == nullptr || rare_->header == nullptr || !rare_->header->header().tells) return nullptr;
  return &rare_->header->header();
}

}  // namespace overlord::proxy
