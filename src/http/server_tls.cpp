#include "http/server_tls.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace overlord::http {
namespace {

std::unexpected<Error> refused(const std::string& what, const std::string& file) {
  char text[256] = "";
  ::ERR_error_string_n(::ERR_get_error(), text, sizeof text);
  ::ERR_clear_error();
  return fail("tls: " + what + " " + file + ": " + text);
}

}  // namespace

Result<std::unique_ptr<ServerTls>> ServerTls::make(const std::string& cert_file, const std::string& key_file) {
  ::ERR_clear_error();
  SSL_CTX* const context = ::SSL_CTX_new(::TLS_server_method());
  if (context == nullptr) return refused("no context for", cert_file);
  std::unique_ptr<ServerTls> tls(new ServerTls(context));
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  ::SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  if (::SSL_CTX_use_certificate_chain_file(context, cert_file.c_str()) != 1) {
    return refused("cannot use the certificate", cert_file);
  }
  if (::SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return refused("cannot use the key", key_file);
  }
  if (::SSL_CTX_check_private_key(context) != 1) return refused("the certificate is of another key than", key_file);
  return tls;
}

ServerTls::~ServerTls() { ::SSL_CTX_free(context_); }

bufferevent* ServerTls::accepting(event_base& base) {
  SSL* const ssl = ::SSL_new(context_);
  if (ssl == nullptr) return nullptr;
  bufferevent* const made =
      ::bufferevent_openssl_socket_new(&base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
  if (made == nullptr) {
    ::SSL_free(ssl);
    return nullptr;
  }
  // Clients that just close are no error.
  ::bufferevent_openssl_set_allow_dirty_shutdown(made, 1);
  return made;
}

}  // namespace overlord::http
