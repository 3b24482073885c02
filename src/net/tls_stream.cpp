#include "net/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/tls_internal.h"

namespace overlord::net {
namespace {

// How long a last alert may take to leave.
constexpr uint64_t kAlertLinger = 1'000'000'000;
// What a peer may make OpenSSL write without reading any of it.
constexpr size_t kMostOwnOutput = 64 * 1024;

int bio_read(BIO* bio, char* into, size_t size, size_t* got) {
  BIO_clear_retry_flags(bio);
  *got = static_cast<TlsStream*>(BIO_get_data(bio))->take_input(into, size);
  if (*got > 0) return 1;
  BIO_set_retry_read(bio);
  return 0;
}

int bio_write(BIO* bio, const char* bytes, size_t size, size_t* written) {
  BIO_clear_retry_flags(bio);
  static_cast<TlsStream*>(BIO_get_data(bio))->put_output(bytes, size);
  *written = size;
  return 1;
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* stream_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "overlord stream");
    BIO_meth_set_read_ex(made, bio_read);
    BIO_meth_set_write_ex(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    BIO_meth_set_create(made, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return made;
  }();
  return method;
}

}  // namespace

TlsStream::TlsStream(Loop& loop, Stream& owner, StreamHandler& handler, TlsContextPtr context, TlsCounters& counters)
    : loop_(loop), owner_(&owner), handler_(&handler), context_(std::move(context)), counters_(counters) {
  owner.slot = Stream::kLayered;
  owner.sending = 0;
  owner.layer = this;
  server_ = context_->server;
  deadline_.set([](void* self) { static_cast<TlsStream*>(self)->fail("the TLS handshake took too long"); }, this);
  ssl_ = SSL_new(context_->ctx);
  BIO* bio = BIO_new(stream_method());
  if (ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    broken_ = true;
    fail_later("OpenSSL has no memory: " + take_tls_error());
    return;
  }
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_, bio, bio);
}

TlsStream::~TlsStream() {
  if (ssl_ != nullptr) {
    SSL_free(ssl_);
  }
}

// Beginning

void TlsStream::accept(UniqueFd fd, uint64_t handshake_ns, ProxyHeaderReader* before) {
  if (broken_) return;
  SSL_set_accept_state(ssl_);
  before_ = before;
  if (before != nullptr) {
    before->adopt(wire_, std::move(fd), *this);
  } else {
    loop_.adopt(wire_, std::move(fd), *this);
  }
  if (handshake_ns > 0) loop_.timers().arm(deadline_, loop_.now(), handshake_ns);
}

void TlsStream::connect(const SocketAddress& address, const std::string& server_name) {
  if (broken_) return;
  SSL_set_connect_state(ssl_);
  if (!expect_server(ssl_, context_->verify_server, server_name)) {
    broken_ = true;
    return fail_later("\"" + server_name + "\" cannot be a server name: " + take_tls_error());
  }
  loop_.connect(wire_, address, *this);
}

void TlsStream::on_connected() { pump(); }

// Receiving

void TlsStream::on_data(std::span<char> bytes) {
  heard_ = true;
  if (found_ != Found::nothing || ended_) return;
  if (wire_.unsent() == 0) own_output_ = 0;
  if (held_.empty()) {
    input_ = bytes;
  } else {
    held_.append(loop_.chunks(), bytes.data(), bytes.size());
  }
  pump();
  if (owner_ == nullptr) return;
  if (found_ != Found::nothing || ended_) {
    input_ = {};
    held_.clear(loop_.chunks());
  } else if (!input_.empty()) {
    held_.append(loop_.chunks(), input_.data(), input_.size());
    input_ = {};
  }
}

size_t TlsStream::take_input(char* into, size_t size) {
  if (const Chunk* chunk = held_.front()) {
    size = std::min<size_t>(size, chunk->size());
    std::memcpy(into, chunk->data() + chunk->begin, size);
    held_.consume(loop_.chunks(), size);
    return size;
  }
  size = std::min(size, input_.size());
  if (size > 0) std::memcpy(into, input_.data(), size);
  input_ = input_.subspan(size);
  return size;
}

// Handshake, then records, as far as there is input and the owner takes it.
void TlsStream::pump() {
  if (broken_ || (!established_ && !shake())) return;
  while (!paused_ && found_ == Found::nothing && (has_input() || SSL_has_pending(ssl_) == 1)) {
    const std::span<char> room = loop_.layers().room();
    size_t filled = 0;
    const Found found = read_records(room, filled);
    loop_.layers().use(filled);
    if (filled > 0) {
      handler_->on_data(room.first(filled));
      if (owner_ == nullptr) return;
    }
    found_ = found;
    if (filled == 0 && found == Found::nothing) break;
  }
  if (found_ == Found::nothing && own_output_ > kMostOwnOutput) {
    found_ = Found::error;
    reason_ = "the peer asks for answers and does not read them";
  }
  // A paused owner hears of nothing.
  if (found_ == Found::error && !paused_) return fail(std::move(reason_));
  if (found_ == Found::end && !paused_ && !std::exchange(ended_, true)) {
    handler_->on_end();
    if (owner_ == nullptr) return;
  }
  if (std::exchange(write_waits_, false)) return flush();
  if (!wire_.out.empty()) loop_.flush(wire_);
}

TlsStream::Found TlsStream::read_records(std::span<char> room, size_t& filled) {
  do {
    size_t got = 0;
    const int result = SSL_read_ex(ssl_, room.data() + filled, room.size() - filled, &got);
    if (result == 1) {
      filled += got;
      continue;
    }
    switch (SSL_get_error(ssl_, result)) {
      case SSL_ERROR_WANT_READ: return Found::nothing;
      case SSL_ERROR_ZERO_RETURN: return Found::end;
      default: reason_ = take_reason(); return Found::error;
    }
  } while (filled < room.size() && (has_input() || SSL_has_pending(ssl_) == 1));
  return Found::nothing;
}

// True when the handshake is complete and the owner still there.
bool TlsStream::shake() {
  const int result = SSL_do_handshake(ssl_);
  if (result != 1) {
    if (SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ) {
      loop_.flush(wire_);
      return false;
    }
    fail(take_reason());
    return false;
  }
  established_ = true;
  own_output_ = 0;
  deadline_.cancel();
  counters_.handshakes.add();
  if (SSL_session_reused(ssl_) == 1) counters_.resumed.add();
  if (paused_) loop_.pause_receive(wire_);
  if (!server_) {
    handler_->on_connected();
    if (owner_ == nullptr) return false;
  }
  flush();
  return true;
}

void TlsStream::pause_receive() {
  paused_ = true;
  if (established_) loop_.pause_receive(wire_);  // a handshake goes on
}

void TlsStream::resume_receive() {
  if (!std::exchange(paused_, false) || (!established_ && found_ == Found::nothing)) return;
  loop_.layers().run_later(*this);
}

void TlsStream::on_later() {
  if (found_ == Found::error && !paused_) return fail(std::move(reason_));
  if (paused_) return;
  pump();
  if (owner_ != nullptr && !paused_) loop_.resume_receive(wire_);
}

// Sending

void TlsStream::put_output(const char* bytes, size_t size) {
  wire_.out.append(loop_.chunks(), bytes, size);
  if (!encrypting_) own_output_ += size;
}

void TlsStream::flush() {
  if (!established_ || broken_) return;
  encrypt();
  send();
}

// The last byte of what takes several records has one of its own, on the client's side. Servers may wait for their socket
// while OpenSSL holds decrypted bytes that they have not taken (memcached 1.6.18 does, when a record
// ends one value and begins the next request). While a last record lies in the socket they come back, and of one byte
// nothing can be left.
void TlsStream::encrypt() {
  ChunkQueue& out = owner_->out;
  const bool several = !server_ && out.front() != nullptr && out.size() > out.front()->size();
  encrypting_ = true;
  while (!out.empty() && !broken_) {
    const Chunk* chunk = out.front();
    size_t written = 0;
    if (chunk->size() == 0) {
      out.consume(loop_.chunks(), 0);
      continue;
    }
    const bool last = out.size() == chunk->size() && chunk->size() > 1;
    const size_t size = several && last ? chunk->size() - 1 : chunk->size();
    if (const int result = SSL_write_ex(ssl_, chunk->data() + chunk->begin, size, &written); result == 1) {
      out.consume(loop_.chunks(), written);
    } else if (SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ) {
      write_waits_ = true;  // for the rest of a message of the handshake protocol
      break;
    } else {
      fail_later(take_reason());
    }
  }
  encrypting_ = false;
  if (out.empty() && out.front() != nullptr) out.clear(loop_.chunks());  // reserved, never written
}

void TlsStream::send() {
  wire_.notify_drained = wire_.notify_drained || owner_->notify_drained;
  loop_.flush(wire_);
  // The owner may ask to be told after this flush as well.
  if (wire_.unsent() > 0) wire_.notify_drained = true;
}

void TlsStream::on_drained() {
  if (!owner_->notify_drained || !owner_->out.empty()) return;
  owner_->notify_drained = false;
  handler_->on_drained();
}

// Ending

void TlsStream::on_end() {
  if (!established_) return report(heard_ ? EPROTO : ECONNRESET, "the peer left in the middle of the TLS handshake");
  if (std::exchange(ended_, true)) return;
  handler_->on_end();
}

void TlsStream::on_error(int error) { report(error, {}); }

void TlsStream::close() {
  if (established_ && !broken_ && wire_.unsent() == 0 && loop_.layers().in_turn()) {
    say_goodbye();
    loop_.flush(wire_);
  }
  loop_.close(wire_);
  detach();
}

void TlsStream::close_after_flush(uint64_t linger_ns) {
  if (established_ && !broken_) {
    encrypt();
    if (!broken_) say_goodbye();
    loop_.close_after_flush(wire_, linger_ns);
  } else {
    loop_.close(wire_);
  }
  detach();
}

void TlsStream::say_goodbye() {
  SSL_shutdown(ssl_);  // queues a close_notify; the answer is not waited for
  ERR_clear_error();
}

int TlsStream::fd() const { return loop_.fd(wire_); }

std::string TlsStream::take_reason() {
  broken_ = true;
  return tls_reason(ssl_);
}

// Lets a last alert leave.
void TlsStream::fail(std::string reason) { report(EPROTO, std::move(reason)); }

void TlsStream::fail_later(std::string reason) {
  broken_ = true;
  found_ = Found::error;
  reason_ = std::move(reason);
  loop_.layers().run_later(*this);
}

void TlsStream::report(int error, std::string reason) {
  broken_ = true;
  if (error == EPROTO) {
    counters_.failures.add();
    set_tls_error(with_peer(std::move(reason)));
  }
  loop_.close_after_flush(wire_, kAlertLinger);
  StreamHandler* handler = handler_;
  detach();
  handler->on_error(error);
}

std::string TlsStream::with_peer(std::string reason) const {
  if (!server_) return "TLS: " + reason;
  const bool told = before_ != nullptr && before_->header().tells;
  const std::string peer = told ? to_string(before_->header().source) : peer_text(loop_.fd(wire_));
  if (peer.empty()) return reason;
  return peer + ": " + std::move(reason);
}

void TlsStream::detach() {
  ChunkPool& chunks = loop_.chunks();
  owner_->out.clear(chunks);
  owner_->notify_drained = false;
  owner_->layer = nullptr;
  owner_->slot = Stream::kDetached;
  owner_ = nullptr;
  handler_ = nullptr;
  input_ = {};
  held_.clear(chunks);
  wire_.out.clear(chunks);
  deadline_.cancel();
  loop_.layers().bury(std::unique_ptr<StreamLayer>(this));
}

void tls_accept(Loop& loop, Stream& stream, UniqueFd fd, StreamHandler& handler, const TlsContextPtr& context,
                TlsCounters& counters, uint64_t handshake_ns, ProxyHeaderReader* before) {
  auto* layer = new TlsStream(loop, stream, handler, context, counters);  // belongs to the stream until it is closed
  layer->accept(std::move(fd), handshake_ns, before);
}

void tls_connect(Loop& loop, Stream& stream, const SocketAddress& address, StreamHandler& handler,
                 const TlsContextPtr& context, TlsCounters& counters, const std::string& server_name) {
  auto* layer = new TlsStream(loop, stream, handler, context, counters);
  layer->connect(address, server_name);
}

}  // namespace overlord::net
