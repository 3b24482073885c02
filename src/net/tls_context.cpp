// TLS: files into contexts.

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>

#include "net/tls_internal.h"

namespace overlord::net {
namespace {

using Part = TlsProblem::Part;

constexpr std::streamsize kMostFile = 16 << 20;  // a store of all public authorities has 200 KiB

struct Release {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* cert) const { X509_free(cert); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using BioPtr = std::unique_ptr<BIO, Release>;
using CertPtr = std::unique_ptr<X509, Release>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Release>;

std::unexpected<TlsProblem> wrong(Part part, std::string message, std::string fix = {}) {
  ERR_clear_error();
  return std::unexpected(TlsProblem{part, std::move(message), std::move(fix)});
}

TlsResult<std::string> read_file(const std::string& path, Part part) {
  if (path.empty()) return std::string();
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text;
  if (in) {
    text.resize(static_cast<size_t>(kMostFile));
    in.read(text.data(), kMostFile);
    text.resize(static_cast<size_t>(in.gcount()));
  }
  if (text.empty()) {
    const char* why = errno != 0 ? std::strerror(errno) : "it is empty";
    return wrong(part, "cannot read " + path + ": " + why, "name a PEM file that the proxy's user may read");
  }
  text.shrink_to_fit();
  return text;
}

BioPtr text_bio(const std::string& text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// Whether PEM reading ended because there is no further block, which OpenSSL reports as an error too.
bool at_end_of_pem() {
  const unsigned long code = ERR_peek_last_error();
  return code == 0 || (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
}

int64_t end_of_validity(X509* cert) {
  tm time{};
  return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &time) == 1 ? ::timegm(&time) : 0;
}

TlsResult<void> use_certificates(TlsContext& context, const TlsSettings& settings, const std::string& text) {
  const BioPtr bio = text_bio(text);
  const CertPtr own(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
  if (own == nullptr) {
    return wrong(Part::cert, settings.cert_file + " holds no certificate (" + take_tls_error() + ")",
                 "it must be a PEM file that begins with -----BEGIN CERTIFICATE-----");
  }
  if (SSL_CTX_use_certificate(context.ctx, own.get()) != 1) {
    return wrong(Part::cert, settings.cert_file + " cannot be used: " + take_tls_error());
  }
  context.valid_until = end_of_validity(own.get());
  while (CertPtr next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    if (SSL_CTX_add1_chain_cert(context.ctx, next.get()) != 1) {
      return wrong(Part::cert, settings.cert_file + ": a certificate of the chain cannot be used: " + take_tls_error());
    }
  }
  if (!at_end_of_pem()) {
    return wrong(Part::cert, settings.cert_file + ": a certificate of the chain is broken: " + take_tls_error());
  }
  ERR_clear_error();
  return {};
}

TlsResult<void> use_key(TlsContext& context, const TlsSettings& settings, const std::string& text) {
  const BioPtr bio = text_bio(text);
  bool asked = false;
  const auto no_passphrase = [](char*, int, int, void* flag) {
    *static_cast<bool*>(flag) = true;
    return -1;
  };
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &asked));
  if (asked) {
    return wrong(Part::key, settings.key_file + " is encrypted with a passphrase",
                 "store the key without one, readable only for the proxy's user (openssl pkey -in OLD -out NEW)");
  }
  if (key == nullptr) {
    return wrong(Part::key, settings.key_file + " holds no private key (" + take_tls_error() + ")",
                 "it must be a PEM file with -----BEGIN PRIVATE KEY-----");
  }
  if (SSL_CTX_use_PrivateKey(context.ctx, key.get()) != 1 || SSL_CTX_check_private_key(context.ctx) != 1) {
    return wrong(Part::key,
                 settings.key_file + " does not belong to " + settings.cert_file + " (" + take_tls_error() + ")",
                 "the key must be the one that the first certificate of the file was made for");
  }
  return {};
}

TlsResult<void> trust(TlsContext& context, const TlsSettings& settings, const std::string& text) {
  X509_STORE* store = SSL_CTX_get_cert_store(context.ctx);
  const BioPtr bio = text_bio(text);
  size_t count = 0;
  while (const CertPtr cert{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    // Clients are told whose certificates we take.
    if (X509_STORE_add_cert(store, cert.get()) != 1 ||
        (context.server && SSL_CTX_add_client_CA(context.ctx, cert.get()) != 1)) {
      return wrong(Part::ca, settings.ca_file + ": a certificate cannot be used: " + take_tls_error());
    }
    ++count;
  }
  if (!at_end_of_pem()) return wrong(Part::ca, settings.ca_file + ": a certificate is broken: " + take_tls_error());
  if (count == 0) {
    return wrong(Part::ca, settings.ca_file + " holds no certificate",
                 "it must be a PEM file with the certificates of the authorities");
  }
  ERR_clear_error();
  return {};
}

TlsResult<void> use_ciphers(TlsContext& context, const TlsSettings& settings) {
  if (!settings.ciphers.empty() && SSL_CTX_set_cipher_list(context.ctx, settings.ciphers.c_str()) != 1) {
    return wrong(Part::ciphers, "\"" + settings.ciphers + "\" names no cipher that this OpenSSL has",
                 "write a list as for openssl ciphers, like ECDHE+AESGCM:ECDHE+CHACHA20");
  }
  if (!settings.ciphersuites.empty() && SSL_CTX_set_ciphersuites(context.ctx, settings.ciphersuites.c_str()) != 1) {
    return wrong(Part::ciphersuites, "\"" + settings.ciphersuites + "\" names a suite that this OpenSSL does not have",
                 "write names with colons between, like TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256");
  }
  return {};
}

TlsResult<void> use_trust(TlsContext& context, const TlsSettings& settings, const TlsMaterial& material) {
  if (!material.ca.empty()) {
    if (auto trusted = trust(context, settings, material.ca); !trusted) return trusted;
  } else if (!settings.server && settings.verify_server && SSL_CTX_set_default_verify_paths(context.ctx) != 1) {
    return wrong(Part::ca, "the system's certificate authorities cannot be read: " + take_tls_error(),
                 "name a file with the authorities to trust");
  }
  int mode = SSL_VERIFY_NONE;
  if (settings.server ? settings.verify_client != TlsVerify::none : settings.verify_server) mode = SSL_VERIFY_PEER;
  if (settings.server && settings.verify_client == TlsVerify::required) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context.ctx, mode, nullptr);
  context.verify_server = !settings.server && settings.verify_server;
  return {};
}

bool use_tickets(TlsContext& context, const TlsMaterial& material) {
  SSL_CTX* ctx = context.ctx;
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);  // tickets need none
  if (!context.server) return true;
  // A ticket of other keys is not accepted anyway; OpenSSL wants the name when client certificates are asked for.
  constexpr unsigned char name[] = "overlord";
  auto keys = material.ticket_keys;
  return SSL_CTX_set_session_id_context(ctx, name, sizeof name - 1) == 1 &&
         SSL_CTX_set_tlsext_ticket_keys(ctx, keys.data(), static_cast<long>(keys.size())) == 1;
}

}  // namespace

TlsContext::~TlsContext() { SSL_CTX_free(ctx); }

TlsResult<TlsMaterial> read_tls_files(const TlsSettings& settings) {
  use_tls_buffer_store();
  TlsMaterial material;
  auto cert = read_file(settings.cert_file, Part::cert);
  if (!cert) return std::unexpected(cert.error());
  auto key = read_file(settings.key_file, Part::key);
  if (!key) return std::unexpected(key.error());
  auto ca = read_file(settings.ca_file, Part::ca);
  if (!ca) return std::unexpected(ca.error());
  material.cert = std::move(*cert);
  material.key = std::move(*key);
  material.ca = std::move(*ca);
  if (RAND_bytes(material.ticket_keys.data(), static_cast<int>(material.ticket_keys.size())) != 1) {
    return wrong(Part::other, "no random numbers: " + take_tls_error());
  }
  return material;
}

TlsResult<TlsContextPtr> make_tls_context(const TlsSettings& settings, const TlsMaterial& material) {
  use_tls_buffer_store();
  SSL_CTX* ctx = SSL_CTX_new(settings.server ? TLS_server_method() : TLS_client_method());
  if (ctx == nullptr) return wrong(Part::other, "OpenSSL cannot be used: " + take_tls_error());
  auto context = std::make_shared<TlsContext>(settings.server, ctx);
  SSL_CTX_set_min_proto_version(ctx, settings.only_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (!material.cert.empty()) {
    if (auto used = use_certificates(*context, settings, material.cert); !used) return std::unexpected(used.error());
    if (auto used = use_key(*context, settings, material.key); !used) return std::unexpected(used.error());
  }
  if (auto used = use_trust(*context, settings, material); !used) return std::unexpected(used.error());
  if (auto used = use_ciphers(*context, settings); !used) return std::unexpected(used.error());
  if (!use_tickets(*context, material)) return wrong(Part::other, "no session tickets: " + take_tls_error());
  return context;
}

bool expect_server(ssl_st* ssl, bool verify, const std::string& name) {
  if (name.empty()) return true;
  const bool numeric = numeric_address(name, 0).has_value();
  if (!numeric && SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) return false;
  if (!verify) return true;
  return numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) == 1
                 : SSL_set1_host(ssl, name.c_str()) == 1;
}

std::string tls_reason(const ssl_st* ssl) {
  const long verified = SSL_get_verify_result(ssl);
  std::string text = take_tls_error();
  if (verified != X509_V_OK && text.find("verify failed") != std::string::npos) {
    text += std::string(" (") + X509_verify_cert_error_string(verified) + ")";
  }
  return text.empty() ? "TLS failed" : text;
}

int64_t tls_valid_until(const TlsContext& context) { return context.valid_until; }

}  // namespace overlord::net
