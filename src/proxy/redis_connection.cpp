// The redis dialect of a backend connection: one RESP reply per request.

#include "base/log.h"
#include "protocol/redis/reply_scanner.h"
#include "protocol/redis/writer.h"
#include "proxy/backend.h"

namespace overlord::proxy {
namespace {

using redis::ReplyScanner;
using routing::Request;
using routing::Wire;

// A published message above this is dropped.
constexpr size_t kMaxMessage = 64 * 1024 * 1024;

class RedisConnection final : public BackendConnection {
 public:
  using BackendConnection::BackendConnection;

 protected:
  void encode(Request& request) override {
    if (request.asking) [[unlikely]]
      take_internal(make_internal(Wire::redis), "*1\r\n$6\r\nASKING\r\n");
    stream_.out.append(turn_.chunks(), request.bytes);
    push_queue(request);
  }

  bool receive(std::string_view bytes) override {
    while (!bytes.empty()) {
      Request* head = queue_head();
      if (head == nullptr) [[unlikely]] {
        if (!receive_push(bytes)) return false;
        continue;
      }
      const bool begun = scanner_.started();
      size_t consumed = 0;
      const auto status = scanner_.advance(bytes, consumed);
      if (status == ReplyScanner::Status::error) return false;
      const std::string_view piece = bytes.substr(0, consumed);
      bytes.remove_prefix(consumed);
      if (scanner_.is_push()) {
        // Nobody behind a shared connection asked for pushes.
        if (status == ReplyScanner::Status::done) scanner_.reset();
        continue;
      }
      if (head->preludes > 0 || head->queue_error) [[unlikely]] {
        if (!take_prelude(*head, piece, status == ReplyScanner::Status::done)) return false;
        continue;
      }
      if (status == ReplyScanner::Status::more) {
        add_piece(*head, piece);
        continue;
      }
      head->error_reply = scanner_.type() == '-';
      scanner_.reset();
      if (begun) {
        add_piece(*head, piece);
      } else {
        set_slice(*head, piece);
      }
      pop_head();
    }
    return true;
  }

  void reset_receive() override {
    scanner_.reset();
    gathering_error_ = oversized_ = false;
    message_ = {};
  }
  Request* arriving() const override { return queue_head(); }
  uint64_t arriving_left() const override { return scanner_.bulk_left(); }
  bool reply_begun() const override { return scanner_.started(); }

  void send_handshake() override {
    const std::string& password = backend_.cluster().redis_auth;
    if (!password.empty() && state() == State::connecting) {
      std::string auth;
      const std::string_view words[] = {"AUTH", password};
      redis::append_command(auth, words);
      take_internal(make_internal(Wire::redis), auth);
    }
    // A replica serves reads only after this; to a master it means nothing.
    if (reads_replicas() && state() == State::connecting) {
      take_internal(make_internal(Wire::redis), "*1\r\n$8\r\nREADONLY\r\n");
    }
    take_internal(make_internal(Wire::redis), must_be_master() ? "*1\r\n$4\r\nROLE\r\n" : "*1\r\n$4\r\nPING\r\n");
    if (state() == State::connecting && backend_.ask_version()) {
      Request& ask = make_internal(Wire::redis);
      ask.key = kAskVersion;
      take_internal(ask, "*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n");
    }
  }

  // What nobody asked for: messages for a holder that has subscribed to something. Takes it off the front of bytes.
  bool receive_push(std::string_view& bytes) {
    if (holder() == nullptr) return false;
    size_t consumed = 0;
    const auto status = scanner_.advance(bytes, consumed);
    if (status == ReplyScanner::Status::error) return false;
    const std::string_view piece = bytes.substr(0, consumed);
    bytes.remove_prefix(consumed);
    const bool whole = status == ReplyScanner::Status::done;
    if (whole && message_.empty() && !oversized_) {
      scanner_.reset();
      return holder()->on_push(piece);
    }
    oversized_ = oversized_ || message_.size() + piece.size() > kMaxMessage;
    if (oversized_) {
      message_.clear();
    } else {
      message_.append(piece);
    }
    if (!whole) return true;
    scanner_.reset();
    const std::string message = std::exchange(message_, {});
    if (!std::exchange(oversized_, false)) return holder()->on_push(message);
    static LogEvery every(std::chrono::seconds(1));
    if (auto turn = every.next()) log_warn("backend ", backend_.name(), ": dropped a huge message", turn.suffix());
    return true;
  }

  // The answers before a transaction's own are dropped, but for the first error among them: it becomes the reply in
  // place of EXECABORT, which does not say why.
  bool take_prelude(Request& head, std::string_view piece, bool done) {
    const bool error = scanner_.type() == '-';
    const bool first = error && head.preludes > 0 && (!head.queue_error || gathering_error_);
    if (first) {
      head.queue_error = head.error_reply = true;
      gathering_error_ = !done;
      if (!head.finished) head.reply_chain.append(turn_.chunks(), piece);
    }
    if (!done) return true;
    scanner_.reset();
    if (head.preludes > 0) {
      --head.preludes;
      return true;
    }
    const bool transaction = head.answer == routing::Answer::exec;
    pop_head();
    return error || !transaction;  // nothing else can follow a command that was not queued
  }

  bool verify(const Request& request) override {
    const std::string_view answer = request.reply_view();
    if (must_be_master() && answer.starts_with("*")) return answer.find("\r\nmaster\r\n") != std::string_view::npos;
    if (request.key == kAskVersion) {
      learn_version(answer);
      return true;  // one that does not say it may serve all the same
    }
    // A server that is loading its data is alive; its own answer goes to the clients.
    return answer.starts_with("+") || answer.starts_with("-LOADING") || answer.starts_with("-MASTERDOWN");
  }

 private:
  // Sentinels may name a server that has just been made a replica: writes must not reach it.
  bool must_be_master() const { return backend_.server().address.kind == config::Address::Kind::sentinel; }
  static constexpr std::string_view kAskVersion = "version";  // marks the request

  void learn_version(std::string_view info) const {
    constexpr std::string_view kField = "\nredis_version:";
    const size_t at = info.find(kField);
    if (at == std::string_view::npos) return;
    const std::string_view text = info.substr(at + kField.size());
    const std::string_view version = text.substr(0, text.find_first_not_of("0123456789."));
    if (!version.empty() && version.size() <= kMaxVersion) backend_.learn_version(version);
  }
  static constexpr size_t kMaxVersion = 32;

  bool reads_replicas() const {
    const config::ClusterConfig& cluster = backend_.cluster();
    return cluster.cache_type == config::CacheType::redis_cluster && cluster.read_from != config::ReadFrom::master;
  }

  ReplyScanner scanner_;
  std::string message_;           // the front of a push that comes in pieces
  bool oversized_ = false;        // more than is kept of it
  bool gathering_error_ = false;  // the error of a transaction's command has come in part
};

}  // namespace

std::unique_ptr<BackendConnection> make_redis_connection(Backend& backend) {
  return std::make_unique<RedisConnection>(backend);
}

}  // namespace overlord::proxy
