#pragma once
// ServerTls: TLS for the connections of a server, 1.2 and later, by OpenSSL. Internal to this folder.

#include <memory>
#include <string>

#include "base/error.h"

struct bufferevent;
struct event_base;
struct ssl_ctx_st;

namespace overlord::http {

class ServerTls {
 public:
  // Files in PEM, read once. The error names the file.
  static Result<std::unique_ptr<ServerTls>> make(const std::string& cert_file, const std::string& key_file);
  ~ServerTls();
  ServerTls(const ServerTls&) = delete;
  ServerTls& operator=(const ServerTls&) = delete;

  // For a connection that is being accepted; null: out of memory.
  bufferevent* accepting(event_base& base);

 private:
  explicit ServerTls(ssl_ctx_st* context) : context_(context) {}

  ssl_ctx_st* const context_;
};

}  // namespace overlord::http
