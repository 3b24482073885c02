#pragma once
// TLS on streams of a loop: server side (tls_accept) and client side (tls_connect), TLS 1.2 and 1.3, by OpenSSL.
//
// A context holds what all connections of one kind share: certificate, key, trusted authorities, ciphers. It never
// changes; new files mean a new context for new connections. Each worker makes its own from the same material, so that
// workers share no lock; the ticket keys are part of the material, so that a client may resume at any worker.
//
// Renegotiation and compression are off. A connection that waits holds no buffers. A half-closed connection works as
// over TCP: the peer's close_notify, or its FIN after the handshake, is on_end().
// Failures come as on_error(EPROTO); error_text() says then what TLS found wrong.

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/counter.h"
#include "net/loop.h"
#include "net/proxy_header_reader.h"

namespace overlord::net {

enum class TlsVerify : uint8_t { none, optional, required };  // whether clients must show a certificate

// What the configuration says. Files are in PEM.
struct TlsSettings {
  bool server = true;
  std::string cert_file = {};  // with the chain behind it; a client side may have none
  std::string key_file = {};
  std::string ca_file = {};                   // a client side without one trusts the system's authorities
  TlsVerify verify_client = TlsVerify::none;  // server side; needs ca_file
  bool verify_server = true;                  // client side
  bool only_tls13 = false;
  std::string ciphers = {};       // of TLS 1.2; empty: OpenSSL's choice
  std::string ciphersuites = {};  // of TLS 1.3; likewise

  bool operator==(const TlsSettings&) const = default;
};

// What of the settings is wrong, why, and what to do.
struct TlsProblem {
  enum class Part : uint8_t { cert, key, ca, ciphers, ciphersuites, other };
  Part part = Part::other;
  std::string message;
  std::string fix;
};
template <typename T>
using TlsResult = std::expected<T, TlsProblem>;

// The files' contents, read once, and the keys of session tickets: fresh with every reading.
struct TlsMaterial {
  std::string cert;
  std::string key;
  std::string ca;
  std::array<unsigned char, 80> ticket_keys{};
};
TlsResult<TlsMaterial> read_tls_files(const TlsSettings& settings);

class TlsContext;
using TlsContextPtr = std::shared_ptr<const TlsContext>;
TlsResult<TlsContextPtr> make_tls_context(const TlsSettings& settings, const TlsMaterial& material);
// Unix seconds after which the context's own certificate is not valid; 0 when it has none.
int64_t tls_valid_until(const TlsContext& context);

struct TlsCounters {
  Counter handshakes;  // completed
  Counter resumed;     // of these
  Counter failures;    // of handshakes, and of connections later on
};

// As Loop::adopt. The client has handshake_ns to complete its handshake. on_data begins behind it; what is flushed
// before waits for it. Counters outlive the stream, and so does `before`, which reads a PROXY header in front of the
// handshake; null: there is none.
void tls_accept(Loop& loop, Stream& stream, UniqueFd fd, StreamHandler& handler, const TlsContextPtr& context,
                TlsCounters& counters, uint64_t handshake_ns, ProxyHeaderReader* before = nullptr);

// As Loop::connect; on_connected() comes when the handshake is complete. server_name: a host name, sent to the server
// and looked for in its certificate, or an address, only looked for. Empty: neither. Sessions are not resumed on this
// side: connections to backends are few and live long, and there are servers that fail when they are asked to
// (memcached 1.6 with client certificates).
void tls_connect(Loop& loop, Stream& stream, const SocketAddress& address, StreamHandler& handler,
                 const TlsContextPtr& context, TlsCounters& counters, const std::string& server_name);

// The text of an errno; right inside on_error(EPROTO), what TLS found wrong.
std::string error_text(int error);

}  // namespace overlord::net
