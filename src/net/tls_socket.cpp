#include "net/tls_socket.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <cstring>

#include "net/tls_internal.h"

namespace overlord::net {

Result<std::unique_ptr<TlsSocket>> TlsSocket::connect(int fd, TlsContextPtr context, const std::string& server_name) {
  ERR_clear_error();
  ssl_st* const ssl = SSL_new(context->ctx);
  if (ssl == nullptr) return fail("OpenSSL has no memory");
  std::unique_ptr<TlsSocket> made(new TlsSocket(std::move(context), ssl));
  if (SSL_set_fd(ssl, fd) != 1 || !expect_server(ssl, made->context_->verify_server, server_name)) {
    return fail("\"" + server_name + "\" cannot be a server name: " + take_tls_error());
  }
  errno = 0;
  const int result = SSL_connect(ssl);
  if (result == 1) return made;
  const int kind = SSL_get_error(ssl, result);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return fail("the TLS handshake took too long");
  if (kind == SSL_ERROR_SYSCALL && ERR_peek_error() == 0) {
    return fail(errno != 0 ? std::strerror(errno) : "the peer left in the middle of the TLS handshake");
  }
  return fail("TLS: " + tls_reason(ssl));
}

TlsSocket::~TlsSocket() { SSL_free(ssl_); }

bool TlsSocket::write(std::string_view bytes) {
  ERR_clear_error();
  while (!bytes.empty()) {
    size_t written = 0;
    if (SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written) != 1) return false;
    bytes.remove_prefix(written);
  }
  return true;
}

TlsSocket::Got TlsSocket::read(std::span<char> room, size_t& size) {
  ERR_clear_error();
  const int result = SSL_read_ex(ssl_, room.data(), room.size(), &size);
  if (result == 1) return Got::bytes;
  return SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ ? Got::nothing : Got::end;
}

bool TlsSocket::pending() const { return SSL_has_pending(ssl_) == 1; }

}  // namespace overlord::net
