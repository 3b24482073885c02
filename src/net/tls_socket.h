#pragma once
// TlsSocket: TLS on a connected socket that blocks, for a thread that talks to one peer and has no loop. The socket
// belongs to the caller, who sets its time-outs (SO_RCVTIMEO, SO_SNDTIMEO): they bound every step here.

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/tls.h"

struct ssl_st;

namespace overlord::net {

class TlsSocket {
 public:
  enum class Got : uint8_t { bytes, nothing, end };  // nothing: within the socket's time-out

  // The handshake, on the client's side; server_name as for tls_connect. The error says what TLS found wrong.
  static Result<std::unique_ptr<TlsSocket>> connect(int fd, TlsContextPtr context, const std::string& server_name);
  ~TlsSocket();
  TlsSocket(const TlsSocket&) = delete;
  TlsSocket& operator=(const TlsSocket&) = delete;

  bool write(std::string_view bytes);
  // Waits for bytes and puts `size` of them into room.
  Got read(std::span<char> room, size_t& size);
  // Whether read() has something without waiting.
  bool pending() const;

 private:
  TlsSocket(TlsContextPtr context, ssl_st* ssl) : context_(std::move(context)), ssl_(ssl) {}

  TlsContextPtr context_;
  ssl_st* const ssl_;
};

}  // namespace overlord::net
