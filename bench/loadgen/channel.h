#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "loadgen/options.h"

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_session_st SSL_SESSION;

namespace loadgen {

/// What all TLS connections share. Certificates are not checked: the load is for a server that the caller has started.
class TlsContext {
 public:
  TlsContext();
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  SSL_CTX* get() const { return context_; }

 private:
  SSL_CTX* context_;
};

/// One connection to the server, plain or TLS. Owns the socket.
class Channel {
 public:
  explicit Channel(int fd) : fd_(fd) {}
  /// The handshake is made by handshake(), or by the first send.
  Channel(int fd, const TlsContext& context);
  Channel(Channel&& other) noexcept;
  Channel& operator=(Channel&& other) noexcept;
  ~Channel() { close(); }

  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  /// As recv() and send(): -1 with errno, EAGAIN where the socket has to become readable or writable first.
  ssize_t receive(char* to, size_t size);
  ssize_t send(std::string_view bytes);
  void close();
  /// Closes with a reset, so that the port is free for the next connection at once.
  void reset();

  /// 1 when it is done, 0 when the socket has to become readable first, -1 when it failed.
  int handshake();
  /// The session of an earlier connection is asked for, or none.
  void resume(SSL_SESSION* session);
  bool resumed() const;
  /// What the next connection may resume; null when the server has given nothing. The caller frees it.
  SSL_SESSION* session() const;

 private:
  int fd_ = -1;
  SSL* tls_ = nullptr;
};

void free_session(SSL_SESSION* session);

}  // namespace loadgen
