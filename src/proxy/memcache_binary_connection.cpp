// The memcache binary dialect of a backend connection, for servers that take nothing else. Requests come as text and
// meta commands, whatever the client speaks, and leave as binary ones; replies are put into text again.
//
// Every request has a consecutive number as its opaque, so the reply tells whose it is. Retrievals that leave together
// are quiet but for the last one: a node says nothing about a miss, and the answer to a later request tells that it
// has passed over those before it. Nothing but a retrieval may be passed over.

#include <array>
#include <cstring>
#include <string>

#include "protocol/memcache/binary_command.h"
#include "protocol/memcache/meta_reply.h"
#include "protocol/memcache/text.h"
#include "proxy/backend.h"

namespace overlord::proxy {
namespace {

namespace binary = memcache::binary;
using binary::Form;
using binary::Header;
using binary::kHeaderSize;
using routing::Request;
using routing::Wire;

// A whole reply up to this is put into one buffer; a larger one is passed on in pieces.
constexpr uint64_t kSmallReply = 64 * 1024;
// Bodies other than values: numbers, versions, names of statistics, texts of errors.
constexpr uint32_t kMaxBody = 16 * 1024;
constexpr size_t kMaxExtras = 32;

// In Request::key_count, for what is not a meta command: its Form, or for a retrieval these.
constexpr uint32_t kQuiet = 1;
constexpr uint32_t kWithCas = 2;

// The key of the connection's own request that logs in.
constexpr std::string_view kLogin = "login";

class MemcacheBinaryConnection final : public BackendConnection {
 public:
  using BackendConnection::BackendConnection;
  ~MemcacheBinaryConnection() override { turn_.buffers.give(carry_); }

  // The message ends in CRLF, of which binary knows nothing. The last byte of the value is held back until it has come
  // and is right: a value that memcached would refuse must not be stored.
  void upload(std::string_view bytes) noexcept override {
    const size_t part = std::min<uint64_t>(bytes.size(), upload_left_ > 0 ? upload_left_ - 1 : 0);
    BackendConnection::upload(bytes.substr(0, part));
    upload_left_ -= part;
    for (const char c : bytes.substr(part)) {
      if (ending_size_ < ending_.size()) ending_[ending_size_++] = c;
    }
    if (ending_size_ < ending_.size()) return;
    ending_size_ = 0;
    if (ending_[1] == '\r' && ending_[2] == '\n') return BackendConnection::upload({ending_.data(), 1});
    refuse(*uploading_, memcache::kBadDataChunk);
    upload_aborted();
  }

 protected:
  void encode(Request& request) override {
    if (request.wire == Wire::memcache_value) return join_group(request);
    close_open_group();
    binary::translate(request.bytes, next_opaque_, command_);
    if (command_.error.empty() && !request.uploading && !value_ends_well(request.bytes)) {
      command_.error = memcache::kBadDataChunk;
    }
    if (!command_.error.empty()) return refuse(request, command_.error);
    stream_.out.append(turn_.chunks(), command_.frame.data(), command_.frame_size);
    if (command_.form == Form::meta) {
      keep_line(request);
    } else {
      request.key_count = static_cast<uint32_t>(command_.form);
    }
    push(request);
    if (request.uploading) {
      uploading_ = &request;
      upload_left_ = command_.value_size;
      ending_size_ = 0;
      return upload(request.bytes.substr(command_.value_at));
    }
    stream_.out.append(turn_.chunks(), request.bytes.substr(command_.value_at, command_.value_size));
  }

  void close_open_group() override {
    if (open_ == nullptr) return;
    binary::make_loud(frame_.data());
    send_open(0);
  }

  bool receive(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (value_left_ > 0) {
        take_value(bytes);
        continue;
      }
      const bool carried = carry_size_ > 0;
      if (carried && carry_size_ < kHeaderSize && !add_carry(bytes, kHeaderSize)) return true;
      const std::string_view front = carried ? std::string_view(carry_.data, carry_size_) : bytes;
      if (front.front() != static_cast<char>(binary::kReplyMagic)) return false;  // text, and maybe no 24 bytes of it
      if (front.size() < kHeaderSize) {
        add_carry(bytes, kHeaderSize);
        return true;
      }
      const Header header = binary::read_header(front.data());
      if (!pass_over_misses(header)) return false;
      // Of a value only what stands in front of it must be there.
      const bool has_value = shows_value(*queue_head(), header);
      const size_t size = kHeaderSize + (has_value ? header.extras_size + header.key_size : header.body_size);
      if (!carried && bytes.size() >= size) [[likely]] {
        const std::string_view frame = bytes.substr(0, size);
        bytes.remove_prefix(size);
        if (!take_reply(header, frame, has_value, bytes)) return false;
        continue;
      }
      if (!add_carry(bytes, size)) return true;
      carry_size_ = 0;
      const bool good = take_reply(header, {carry_.data, size}, has_value, bytes);
      turn_.buffers.give(carry_);
      if (!good) return false;
    }
    return true;
  }

  void reset_receive() override {
    carry_size_ = 0;
    value_left_ = 0;
    discards_ = false;
    upload_left_ = 0;
    ending_size_ = 0;
    head_opaque_ = next_opaque_;
  }

  Request* arriving() const override { return value_left_ > 0 && !discards_ ? queue_head() : nullptr; }
  uint64_t arriving_left() const override { return value_left_; }
  bool reply_begun() const override { return carry_size_ > 0 || value_left_ > 0; }

  void send_handshake() override {
    close_open_group();
    if (!backend_.cluster().memcache_user.empty() && state() == State::connecting) log_in();
    Request& request = make_internal(Wire::memcache_line);
    binary::translate("version\r\n", next_opaque_++, command_);
    request.key_count = static_cast<uint32_t>(Form::version);
    take_internal(request, {command_.frame.data(), command_.frame_size});
  }

  bool verify(const Request& request) override {
    if (request.key == kLogin) return request.reply_view() == "STORED\r\n";
    return request.reply_view().starts_with(memcache::kVersionPrefix);
  }

 private:
  // SASL PLAIN: an empty identity, the name and the password, a zero byte before each (RFC 4616).
  void log_in() {
    constexpr std::string_view mechanism = "PLAIN";
    const config::ClusterConfig& cluster = backend_.cluster();
    const std::string secret = '\0' + cluster.memcache_user + '\0' + cluster.memcache_password;
    Header header;
    header.opcode = binary::Opcode::sasl_auth;
    header.key_size = mechanism.size();
    header.body_size = static_cast<uint32_t>(mechanism.size() + secret.size());
    header.opaque = next_opaque_++;
    std::string frame(kHeaderSize, '\0');
    binary::write_header(header, frame.data());
    Request& request = make_internal(Wire::memcache_line);
    request.key = kLogin;
    request.key_count = static_cast<uint32_t>(Form::set);
    take_internal(request, frame.append(mechanism).append(secret));
  }

  void push(Request& request) {
    ++next_opaque_;
    push_queue(request);
  }

  void pop() {
    ++head_opaque_;
    pop_head();
  }

  // Answers without the backend.
  static void refuse(Request& request, std::string_view line) {
    if (request.finished) return;
    request.set_static_reply(line);
    request.error_reply = true;
    routing::finish(request);
  }

  bool value_ends_well(std::string_view bytes) const {
    if (command_.value_at == 0) return true;
    return bytes.substr(command_.value_at + command_.value_size) == memcache::kCrlf;
  }

  // Retrievals

  void join_group(Request& request) {
    if (open_ != nullptr) {
      if (backend_.cluster().coalesce_gets || (request.parent != nullptr && open_->parent == request.parent)) {
        send_open(kQuiet);
      } else {
        close_open_group();
      }
    }
    frame_size_ = binary::write_retrieval(request.retrieval, request.key, next_opaque_, true, frame_.data());
    request.key_count = request.retrieval.starts_with("gets") || request.retrieval.starts_with("gats") ? kWithCas : 0;
    push(request);
    open_ = &request;
  }

  void send_open(uint32_t mark) {
    open_->key_count |= mark;
    open_ = nullptr;
    stream_.out.append(turn_.chunks(), frame_.data(), frame_size_);
  }

  // Meta commands

  // The command says how its reply is to look. Behind its size, in the buffer that the reply will take over.
  void keep_line(Request& request) {
    const auto size = static_cast<uint16_t>(command_.meta_line.size());
    request.reply_buffer = turn_.buffers.take(sizeof size + size + 1);
    char* at = request.reply_buffer.data;
    std::memcpy(at, &size, sizeof size);
    at[sizeof size] = command_.meta_value ? 'v' : '-';
    std::memcpy(at + sizeof size + 1, command_.meta_line.data(), size);
  }

  static bool wants_value(const Request& request) { return request.reply_buffer.data[sizeof(uint16_t)] == 'v'; }

  static std::string_view kept_line(const Request& request) {
    uint16_t size = 0;
    std::memcpy(&size, request.reply_buffer.data, sizeof size);
    return {request.reply_buffer.data + sizeof size + 1, size};
  }

  // Replies

  // Takes bytes until the carry has `wanted`; false when there are not enough.
  bool add_carry(std::string_view& bytes, size_t wanted) {
    const size_t part = std::min(bytes.size(), wanted - carry_size_);
    turn_.buffers.grow(carry_, carry_size_, carry_size_ + part);
    std::memcpy(carry_.data + carry_size_, bytes.data(), part);
    carry_size_ += part;
    bytes.remove_prefix(part);
    return carry_size_ == wanted;
  }

  // Whether bytes behind the key are a value that is not gathered in front of being looked at.
  static bool shows_value(const Request& request, const Header& header) {
    if (header.status != 0) return false;
    if (request.wire == Wire::memcache_value) return true;
    if (request.wire != Wire::memcache_meta) return false;
    return header.opcode == binary::Opcode::get || header.opcode == binary::Opcode::gat;
  }

  // After this the reply is that of the head of the queue.
  bool pass_over_misses(const Header& header) {
    const uint32_t before = header.opaque - head_opaque_;
    if (before >= queue_size()) return false;
    const uint64_t front = uint64_t{header.extras_size} + header.key_size;
    if (front > header.body_size || header.extras_size > kMaxExtras || header.key_size > memcache::kMaxKey)
      return false;
    for (uint32_t i = 0; i < before; ++i) {
      const Request& head = *queue_head();
      if (head.wire != Wire::memcache_value || (head.key_count & kQuiet) == 0) return false;
      pop();
    }
    const uint64_t value = header.body_size - front;
    return shows_value(*queue_head(), header) ? value <= memcache::kMaxReplyValue : header.body_size <= kMaxBody;
  }

  bool take_reply(const Header& header, std::string_view frame, bool has_value, std::string_view& bytes) {
    const size_t front = header.extras_size + header.key_size;
    const binary::Reply reply{.header = header,
                              .extras = frame.substr(kHeaderSize, header.extras_size),
                              .key = frame.substr(kHeaderSize + header.extras_size, header.key_size),
                              .body = frame.substr(kHeaderSize + front),
                              .value_size = has_value ? header.body_size - front : 0};
    Request& head = *queue_head();
    line_.clear();
    switch (head.wire) {
      case Wire::memcache_value: return take_item(head, reply, bytes);
      case Wire::memcache_stats: return take_stat(head, reply);
      case Wire::memcache_meta: return take_meta(head, reply, has_value, bytes);
      default:
        if (!binary::append_line_reply(static_cast<Form>(head.key_count), reply, line_)) return false;
        finish_line(head);
        return true;
    }
  }

  void finish_line(Request& head) {
    head.error_reply = binary::is_error_line(line_);
    if (!head.finished) turn_.requests.set_reply(head, line_);
    pop();
  }

  bool take_item(Request& head, const binary::Reply& reply, std::string_view& bytes) {
    if (reply.good()) {
      if (!binary::append_value_line(reply, (head.key_count & kWithCas) != 0, line_)) return false;
      begin_value(head, reply.value_size, bytes);
    } else if (reply.header.status == static_cast<uint16_t>(binary::Status::not_found)) {
      pop();
    } else {
      binary::append_error(reply.header.status, reply.body, line_);
      finish_line(head);
    }
    return true;
  }

  bool take_meta(Request& head, const binary::Reply& reply, bool has_value, std::string_view& bytes) {
    // One that has timed out has let go of its line. Nobody wants its reply.
    const bool known = static_cast<bool>(head.reply_buffer);
    discards_ = has_value && (!known || !wants_value(head));
    if (known) {
      if (!binary::append_meta_reply(kept_line(head), reply, line_)) return false;
      if (head.key_count > 0) show_key(head);
    }
    if (has_value && !discards_) {
      begin_value(head, reply.value_size, bytes);
      return true;
    }
    if (reply.value_size == 0) {
      discards_ = false;
      finish_line(head);
      return true;
    }
    if (!head.finished) turn_.requests.set_reply(head, line_);
    value_left_ = reply.value_size;
    return true;
  }

  // The key that the command did not ask to see: see routing::Request::key_map.
  void show_key(const Request& head) {
    shown_.assign(line_);
    line_.clear();
    memcache::insert_key(shown_, {head.key_map.data, head.key_count}, head.key_before_hit, head.key_before_miss, line_);
  }

  bool take_stat(Request& head, const binary::Reply& reply) {
    if (reply.good() && !reply.key.empty()) {
      if (!binary::append_stat_line(reply, line_)) return false;
      add_piece(head, line_);
      return true;
    }
    const bool reset = static_cast<Form>(head.key_count) == Form::stats_reset;
    head.error_reply = !reply.good();
    if (reply.good()) {
      line_.assign(reset ? memcache::kReset : memcache::kEnd);
    } else if (reply.header.status == static_cast<uint16_t>(binary::Status::not_found)) {
      line_.assign(memcache::kError);
    } else {
      binary::append_error(reply.header.status, reply.body, line_);
    }
    add_piece(head, line_);
    pop();
    return true;
  }

  // line_ has been made; the value and its CRLF follow it.
  void begin_value(Request& head, uint64_t size, std::string_view& bytes) {
    const uint64_t whole = line_.size() + size + memcache::kCrlf.size();
    if (bytes.size() >= size && whole <= kSmallReply) [[likely]] {
      if (!head.finished) {
        turn_.buffers.give(head.reply_buffer);
        head.reply_buffer = turn_.buffers.take(whole);
        char* at = head.reply_buffer.data;
        std::memcpy(at, line_.data(), line_.size());
        std::memcpy(at + line_.size(), bytes.data(), size);
        std::memcpy(at + line_.size() + size, memcache::kCrlf.data(), memcache::kCrlf.size());
        head.set_static_reply({at, whole});
      }
      bytes.remove_prefix(size);
      return pop();
    }
    turn_.buffers.give(head.reply_buffer);
    add_piece(head, line_);
    value_left_ = size;
    if (size == 0) end_value();
  }

  void take_value(std::string_view& bytes) {
    const size_t part = std::min<uint64_t>(bytes.size(), value_left_);
    if (!discards_) add_piece(*queue_head(), bytes.substr(0, part));
    bytes.remove_prefix(part);
    value_left_ -= part;
    if (value_left_ == 0) end_value();
  }

  void end_value() {
    if (discards_) {
      discards_ = false;
    } else {
      add_piece(*queue_head(), memcache::kCrlf);
    }
    pop();
  }

  uint32_t next_opaque_ = 0;
  uint32_t head_opaque_ = 0;  // of the head of the queue
  // The retrieval that is not in `out` yet: whether it is the last one decides how it asks.
  Request* open_ = nullptr;
  size_t frame_size_ = 0;
  std::array<char, binary::kMaxRetrieval> frame_;
  binary::Command command_;  // the one being sent
  // The upload: bytes of the value that have not left, and from its last one on what came behind them.
  Request* uploading_ = nullptr;
  uint64_t upload_left_ = 0;
  size_t ending_size_ = 0;
  std::array<char, 3> ending_{};
  // The reply that is being read.
  uint64_t value_left_ = 0;
  bool discards_ = false;  // nobody asked for the value
  Buffer carry_;           // the front of a reply that was cut by the end of what was received
  size_t carry_size_ = 0;
  std::string line_;
  std::string shown_;
};

}  // namespace

std::unique_ptr<BackendConnection> make_memcache_binary_connection(Backend& backend) {
  return std::make_unique<MemcacheBinaryConnection>(backend);
}

}  // namespace overlord::proxy
