#include "loadgen/channel.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace loadgen {
namespace {

/// What SSL_read, SSL_write and SSL_connect have answered, in terms of the system calls.
ssize_t as_system(SSL* tls, int answer) {
  switch (SSL_get_error(tls, answer)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL:
      if (errno == 0) return 0;
      return -1;
    default: errno = EPROTO; return -1;
  }
}

}  // namespace

TlsContext::TlsContext() : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context_, 1);
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Channel::Channel(int fd, const TlsContext& context) : fd_(fd), tls_(SSL_new(context.get())) {
  SSL_set_fd(tls_, fd);
  SSL_set_connect_state(tls_);
}

Channel::Channel(Channel&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), tls_(std::exchange(other.tls_, nullptr)) {}

Channel& Channel::operator=(Channel&& other) noexcept {
  close();
  fd_ = std::exchange(other.fd_, -1);
  tls_ = std::exchange(other.tls_, nullptr);
  return *this;
}

ssize_t Channel::receive(char* to, size_t size) {
  if (tls_ == nullptr) return recv(fd_, to, size, 0);
  // Everything there is: what OpenSSL holds back would not make the socket readable.
  size_t got = 0;
  while (got < size) {
    errno = 0;
    const int n = SSL_read(tls_, to + got, static_cast<int>(size - got));
    if (n <= 0) return got > 0 ? static_cast<ssize_t>(got) : as_system(tls_, n);
    got += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(got);
}

ssize_t Channel::send(std::string_view bytes) {
  if (tls_ == nullptr) return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  size_t sent = 0;
  while (sent < bytes.size()) {
    errno = 0;
    const int n = SSL_write(tls_, bytes.data() + sent, static_cast<int>(bytes.size() - sent));
    if (n <= 0) return sent > 0 ? static_cast<ssize_t>(sent) : as_system(tls_, n);
    sent += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(sent);
}

void Channel::close() {
  // Else OpenSSL takes the session for broken and resumes it no more.
  if (tls_ != nullptr) SSL_set_shutdown(tls_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(std::exchange(tls_, nullptr));
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Channel::reset() {
  const linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

int Channel::handshake() {
  if (tls_ == nullptr) return 1;
  errno = 0;
  const int answer = SSL_do_handshake(tls_);
  if (answer == 1) return 1;
  return as_system(tls_, answer) < 0 && errno == EAGAIN ? 0 : -1;
}

void Channel::resume(SSL_SESSION* session) {
  if (session != nullptr) SSL_set_session(tls_, session);
}

bool Channel::resumed() const { return tls_ != nullptr && SSL_session_reused(tls_) == 1; }

SSL_SESSION* Channel::session() const {
  SSL_SESSION* session = tls_ == nullptr ? nullptr : SSL_get1_session(tls_);
  if (session != nullptr && SSL_SESSION_is_resumable(session) == 0) free_session(std::exchange(session, nullptr));
  return session;
}

void free_session(SSL_SESSION* session) { SSL_SESSION_free(session); }

}  // namespace loadgen
