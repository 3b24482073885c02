#pragma once
// What the parts of TLS share.

#include <cstdint>
#include <string>
#include <string_view>

#include "net/tls.h"

struct ssl_ctx_st;
struct ssl_st;

namespace overlord::net {

class TlsContext {
 public:
  explicit TlsContext(bool is_server, ssl_ctx_st* made) : server(is_server), ctx(made) {}
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  const bool server;
  ssl_ctx_st* const ctx;
  bool verify_server = false;
  int64_t valid_until = 0;
};

// OpenSSL's buffers (a record each) from a small store per thread instead of the heap. Before OpenSSL allocates
// anything; too late is no harm.
void use_tls_buffer_store();

// Empties OpenSSL's list of errors and says the one that matters.
std::string take_tls_error();

// Sets what a client side asks for and wants to see; see tls_connect. False: it cannot be a name.
bool expect_server(ssl_st* ssl, bool verify, const std::string& name);

// Why the last step failed, with the verdict on the certificate where that was it.
std::string tls_reason(const ssl_st* ssl);

// What error_text(EPROTO) says on this thread.
void set_tls_error(std::string text);

}  // namespace overlord::net
