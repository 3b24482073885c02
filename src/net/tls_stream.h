#pragma once
// TlsStream: the layer (layer.h) that speaks TLS. Ciphertext goes through a BIO of our own: it reads from the receive
// buffer of the loop, and writes into the chunks of the wire, so OpenSSL is never told to wait for sending.
//
// While the owner has paused, ciphertext that had come already waits in `held_`. What the BIO writes by itself (alerts,
// answers to key updates) is counted, so that a peer which provokes it and does not read cannot make it grow.

#include <span>
#include <string>

#include "net/tls.h"

struct ssl_st;

namespace overlord::net {

class TlsStream final : public StreamLayer, public StreamHandler {
 public:
  TlsStream(Loop& loop, Stream& owner, StreamHandler& handler, TlsContextPtr context, TlsCounters& counters);
  ~TlsStream() override;

  void accept(UniqueFd fd, uint64_t handshake_ns, ProxyHeaderReader* before);
  void connect(const SocketAddress& address, const std::string& server_name);

  // StreamLayer
  void flush() override;
  void pause_receive() override;
  void resume_receive() override;
  void close() override;
  void close_after_flush(uint64_t linger_ns) override;
  int fd() const override;
  size_t unsent() const override { return wire_.unsent(); }
  void on_later() override;

  // StreamHandler, of the wire
  void on_connected() override;
  void on_data(std::span<char> bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_error(int error) override;

  // The BIO's calls.
  size_t take_input(char* into, size_t size);
  void put_output(const char* bytes, size_t size);

 private:
  enum class Found : uint8_t { nothing, end, error };

  bool has_input() const { return !input_.empty() || !held_.empty(); }
  void pump();
  bool shake();
  Found read_records(std::span<char> room, size_t& filled);
  void encrypt();
  void send();
  void say_goodbye();
  std::string take_reason();
  std::string with_peer(std::string reason) const;
  void fail(std::string reason);
  void fail_later(std::string reason);
  void report(int error, std::string reason);
  void detach();

  Loop& loop_;
  Stream* owner_;
  StreamHandler* handler_;
  TlsContextPtr context_;
  TlsCounters& counters_;
  ssl_st* ssl_ = nullptr;
  Stream wire_;
  const ProxyHeaderReader* before_ = nullptr;
  std::span<const char> input_;  // of the on_data under way
  ChunkQueue held_;              // before input_
  size_t own_output_ = 0;        // bytes that OpenSSL wrote by itself since the wire was last empty
  bool server_ = false;
  bool heard_ = false;        // any byte from the peer
  bool established_ = false;  // the handshake is complete
  bool encrypting_ = false;
  bool write_waits_ = false;  // for input
  bool paused_ = false;
  bool ended_ = false;            // on_end was called
  Found found_ = Found::nothing;  // not told yet
  bool broken_ = false;           // OpenSSL must not be called any more
  std::string reason_;            // with Found::error
  Timer deadline_;
};

}  // namespace overlord::net
