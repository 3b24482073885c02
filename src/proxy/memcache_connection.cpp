// The memcache text and meta dialect of a backend connection, with get coalescing: retrievals that wait for the same
// backend in one turn leave as one command (a group), and its items are dealt back to the requests by their keys.
//
// A group's keys are on the wire in the order of its members, and memcached answers hits in that order; so a cursor
// that only moves forward finds the member of each VALUE, and the members it passes over are misses.
//
// A node works on one command of a connection after the other, and a group costs it and us about the same for many keys
// as for one. So while a few groups are on their way the next one stays open for more keys until one of them is
// answered. A few: two, so that the node has the next one when it ends one; and where the round trip is longer, one
// more for every kPace of it, so that the wait stays that short.
//
// A node older than 1.6 does not know meta commands: it answers ERROR to ms and takes its value for commands. Once a
// handshake has told, it is asked in older ones (ClassicExchange); when a meta command is on its way before that the
// connection is given up, for its replies cannot be matched. A twemproxy passes on the version of the memcached behind it
// and closes when it is asked anything newer than itself: so a close in such a moment makes the next handshake ask `mn`.

#include <cstring>
#include <string>

#include "net/socket.h"
#include "protocol/memcache/meta_reply.h"
#include "protocol/memcache/reply_line.h"
#include "protocol/memcache/text.h"
#include "proxy/backend.h"
#include "proxy/memcache_classic.h"

namespace overlord::proxy {
namespace {

using memcache::ReplyKind;
using memcache::ReplyLine;
using routing::Request;
using routing::Wire;

constexpr uint32_t kMaxGroupKeys = 100;
constexpr size_t kGroupLine = 8 * 1024;  // bytes of one retrieval line
constexpr uint32_t kFewGroups = 2;
constexpr uint32_t kPace = 50;  // us

// The key of the connection's own request that logs in.
constexpr std::string_view kLogin = "login";

class MemcacheConnection final : public BackendConnection {
 public:
  explicit MemcacheConnection(Backend& backend) : BackendConnection(backend), classic_(turn_) {}
  ~MemcacheConnection() override { turn_.buffers.give(carry_); }

  void on_connected() override {
    BackendConnection::on_connected();
    few_groups_ = kFewGroups + net::smallest_round_trip(turn_.loop.fd(stream_)) / kPace;
  }

  void flush_turn() noexcept override {
    const bool gathers = open_ != nullptr && groups_on_way_ >= few_groups_ && backend_.cluster().coalesce_gets;
    if (!gathers || !stream_.out.empty()) BackendConnection::flush_turn();
  }

  void on_end() override {
    judge_close();
    BackendConnection::on_end();
  }
  void on_error(int error) override {
    judge_close();
    BackendConnection::on_error(error);
  }

 protected:
  void encode(Request& request) override {
    if (request.wire == Wire::memcache_value) return join_group(request);
    if (request.wire == Wire::memcache_meta) {
      if (backend_.without_meta()) [[unlikely]]
        return send_classic(request);
      ++metas_;
    }
    close_open_group();
    stream_.out.append(turn_.chunks(), request.bytes);
    push_queue(request);
  }

  void close_open_group() override {
    if (open_ == nullptr) return;
    stream_.out.append(turn_.chunks(), open_->reply_buffer.data, open_size_);
    stream_.out.append(turn_.chunks(), "\r\n", 2);
    open_ = nullptr;
    ++groups_on_way_;
  }

  bool receive(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (body_left_ > 0) {
        if (!take_body(bytes)) return false;
        continue;
      }
      ReplyLine line;
      std::string_view text = bytes;
      const bool carried = carry_size_ > 0;
      if (carried) {
        // Only the rest of the one line that was cut is added to what was kept of it.
        const char* newline = static_cast<const char*>(std::memchr(bytes.data(), '\n', bytes.size()));
        const size_t part = newline == nullptr ? bytes.size() : static_cast<size_t>(newline - bytes.data()) + 1;
        if (!add_carry(bytes.substr(0, part))) return false;
        bytes.remove_prefix(part);
        text = {carry_.data, carry_size_};
      }
      const Request* head = queue_head();
      const bool meta = head != nullptr && head->wire == Wire::memcache_meta && !head->classic;
      line = meta ? memcache::parse_meta_reply_line(text) : memcache::parse_reply_line(text);
      if (line.kind == ReplyKind::incomplete) return carried || add_carry(bytes);
      if (line.kind == ReplyKind::bad) return false;
      if (!take_line(line, text, bytes, carried)) return false;
    }
    return true;
  }

  void reset_receive() override {
    carry_size_ = 0;
    body_left_ = 0;
    body_member_ = nullptr;
    cursor_ = nullptr;
    begun_ = false;
    groups_on_way_ = 0;
    metas_ = 0;
    classic_.reset();
  }

  Request* arriving() const override { return body_member_; }
  uint64_t arriving_left() const override { return body_left_; }
  bool reply_begun() const override { return begun_ || carry_size_ > 0 || body_left_ > 0 || classic_.begun(); }

  std::string_view closed_text() const override {
    if (state() != State::connecting) return BackendConnection::closed_text();
    return "it closed the connection when it was asked its version (one that speaks binary only needs "
           "backend_protocol)";
  }

  void send_handshake() override {
    const config::ClusterConfig& cluster = backend_.cluster();
    if (!cluster.memcache_user.empty() && state() == State::connecting) [[unlikely]] {
      // A server that does not ask would store it: it is to expire at once.
      const std::string value = cluster.memcache_user + " " + cluster.memcache_password;
      Request& login = make_internal(Wire::memcache_line);
      login.key = kLogin;
      take_internal(login, "set login 0 -1 " + std::to_string(value.size()) + "\r\n" + value + "\r\n");
    }
    take_internal(make_internal(Wire::memcache_line), "version\r\n");
  }

  bool verify(const Request& request) override {
    const std::string_view reply = request.reply_view();
    if (request.key == kLogin) [[unlikely]]
      return reply == "STORED\r\n";
    if (request.wire == Wire::memcache_meta) {
      backend_.set_meta(reply == memcache::kMetaNoop ? Backend::Meta::spoken : Backend::Meta::closes);
      return true;
    }
    if (!reply.starts_with(memcache::kVersionPrefix)) return false;
    if (is_before_meta(reply.substr(memcache::kVersionPrefix.size()))) {
      backend_.set_meta(Backend::Meta::too_old);
    } else if (backend_.meta() == Backend::Meta::too_old) {
      backend_.set_meta(Backend::Meta::untold);
    } else if (backend_.meta() == Backend::Meta::doubted) {
      // Not along with the first: a twemproxy would close before it has answered that.
      ++metas_;
      take_internal(make_internal(Wire::memcache_meta), "mn\r\n");
    }
    return true;
  }

 private:
  // 1.0 to 1.5; what does not look like a version of memcached is taken at its word.
  static bool is_before_meta(std::string_view version) {
    return version.size() > 3 && version.starts_with("1.") && version[2] < '6' && version[3] == '.';
  }

  // The peer has hung up. Was that its answer to a command that it does not know?
  void judge_close() {
    const Request* head = queue_head();
    if (head == nullptr || head->classic || backend_.meta() >= Backend::Meta::spoken) return;
    const bool gat = head->wire == Wire::memcache_group && head->retrieval.starts_with("gat");
    if (head->wire != Wire::memcache_meta && !gat) return;
    const bool again = backend_.meta() == Backend::Meta::doubted;
    backend_.set_meta(again ? Backend::Meta::closes : Backend::Meta::doubted);
  }

  void send_classic(Request& request) {
    close_open_group();
    const std::string_view lines = classic_.begin(request);
    if (lines.empty()) {
      request.set_static_reply(classic_.refusal());
      request.error_reply = true;
      return routing::finish(request);
    }
    stream_.out.append(turn_.chunks(), lines);
    if (classic_.value_at() > 0) stream_.out.append(turn_.chunks(), request.bytes.substr(classic_.value_at()));
    push_queue(request);
  }

  void join_group(Request& request) {
    if (backend_.without_meta() && request.retrieval.starts_with("gat")) [[unlikely]]
      return send_classic(request);
    const size_t need = 1 + request.key.size();
    if (open_ != nullptr && (open_->retrieval != request.retrieval || open_keys_ == kMaxGroupKeys ||
                             open_size_ + need + 2 > kGroupLine || !may_share(request))) {
      close_open_group();
    }
    if (open_ == nullptr) start_group(request);
    char* at = open_->reply_buffer.data + open_size_;
    *at = ' ';
    std::memcpy(at + 1, request.key.data(), request.key.size());
    open_size_ += need;
    ++open_keys_;
    request.key = {at + 1, request.key.size()};  // the client's bytes are gone after this turn
    request.held_by_queue = true;
    request.source = this;
    request.queue_next = nullptr;
    (last_member_ == nullptr ? open_->members : last_member_->queue_next) = &request;
    last_member_ = &request;
  }

  // With coalescing off only the keys of one client's command travel together.
  bool may_share(const Request& request) const {
    return backend_.cluster().coalesce_gets || (request.parent != nullptr && last_member_->parent == request.parent);
  }

  void start_group(const Request& first) {
    Request& carrier = turn_.requests.take(Wire::memcache_group, routing::Answer::reply, nullptr);
    carrier.held_by_owner = false;
    carrier.sent_at = first.sent_at;
    carrier.reply_buffer = turn_.buffers.take(kGroupLine);
    std::memcpy(carrier.reply_buffer.data, first.retrieval.data(), first.retrieval.size());
    open_size_ = first.retrieval.size();
    carrier.retrieval = {carrier.reply_buffer.data, open_size_};
    open_ = &carrier;
    open_keys_ = 0;
    last_member_ = nullptr;
    push_queue(carrier);
  }

  bool add_carry(std::string_view part) {
    if (carry_size_ + part.size() > memcache::kMaxReplyLine) return false;
    turn_.buffers.grow(carry_, carry_size_, carry_size_ + part.size());
    std::memcpy(carry_.data + carry_size_, part.data(), part.size());
    carry_size_ += part.size();
    return true;
  }

  // text begins with the line. When it was carried, `bytes` is what follows the line; else the line is its front.
  bool take_line(const ReplyLine& line, std::string_view text, std::string_view& bytes, bool carried) {
    Request* head = queue_head();
    if (head == nullptr) return false;
    const std::string_view whole_line = text.substr(0, line.size);
    if (!carried) bytes.remove_prefix(line.size);
    carry_size_ = 0;
    bool good = false;
    if (head->classic) [[unlikely]] {
      good = take_classic_line(*head, line, whole_line);
      if (carry_size_ == 0) turn_.buffers.give(carry_);
      return good;
    }
    switch (head->wire) {
      case Wire::memcache_group: good = take_group_line(*head, line, whole_line, bytes, carried); break;
      case Wire::memcache_stats: good = take_stats_line(*head, line, whole_line); break;
      case Wire::memcache_meta: good = take_meta_line(*head, line, whole_line, bytes, carried); break;
      default:
        good = line.kind == ReplyKind::line || line.kind == ReplyKind::error;
        if (good) finish_line(*head, line, whole_line, carried);
        good = good && (metas_ == 0 || !backend_.without_meta());
    }
    if (carry_size_ == 0) turn_.buffers.give(carry_);
    return good;
  }

  void finish_line(Request& head, const ReplyLine& line, std::string_view text, bool carried) {
    head.error_reply = line.kind == ReplyKind::error;
    if (carried) {
      if (!head.finished) turn_.requests.set_reply(head, text);
    } else {
      set_slice(head, text);
    }
    pop_head();
  }

  bool take_stats_line(Request& head, const ReplyLine& line, std::string_view text) {
    if (line.kind == ReplyKind::value) return false;
    if (line.kind == ReplyKind::stat) {
      add_piece(head, text);
      return true;
    }
    head.error_reply = line.kind == ReplyKind::error;
    add_piece(head, text);
    pop_head();
    return true;
  }

  bool take_classic_line(Request& head, const ReplyLine& line, std::string_view text) {
    switch (classic_.take(head, line, text)) {
      case ClassicExchange::Step::broken: return false;
      case ClassicExchange::Step::more: return true;
      case ClassicExchange::Step::item:
        body_member_ = &head;
        body_left_ = line.value_size + 2;
        if (classic_.discards()) return true;
        turn_.buffers.give(head.reply_buffer);
        add_piece(head, classic_.reply());
        return true;
      case ClassicExchange::Step::done: break;
    }
    const std::string_view reply = classic_.reply();
    if (!reply.empty() && !head.finished) {
      head.error_reply = memcache::binary::is_error_line(reply);
      turn_.requests.set_reply(head, reply);
    }
    pop_head();
    return true;
  }

  bool take_meta_line(Request& head, const ReplyLine& line, std::string_view text, std::string_view& bytes,
                      bool carried) {
    const bool shows_key = head.key_count > 0;
    if (shows_key) text = with_key(head, text);
    if (line.kind != ReplyKind::value) {
      if (line.kind != ReplyKind::line && line.kind != ReplyKind::error) return false;
      --metas_;
      if (line.kind == ReplyKind::line) backend_.set_meta(Backend::Meta::spoken);
      finish_line(head, line, text, carried || shows_key);
      return true;
    }
    const uint64_t body = line.value_size + 2;
    if (carried || shows_key || bytes.size() < body) {
      body_member_ = &head;
      body_left_ = body;
      add_piece(head, text);
      return true;
    }
    if (bytes[body - 2] != '\r' || bytes[body - 1] != '\n') return false;
    bytes.remove_prefix(body);
    set_slice(head, {text.data(), line.size + body});
    --metas_;
    pop_head();
    return true;
  }

  std::string_view with_key(const Request& head, std::string_view line) {
    shown_.clear();
    memcache::insert_key(line, {head.key_map.data, head.key_count}, head.key_before_hit, head.key_before_miss, shown_);
    return shown_;
  }

  bool take_group_line(Request& carrier, const ReplyLine& line, std::string_view text, std::string_view& bytes,
                       bool carried) {
    if (!begun_) {
      begun_ = true;
      cursor_ = carrier.members;
    }
    switch (line.kind) {
      case ReplyKind::value: return take_value(line, text, bytes, carried);
      case ReplyKind::end: end_group(carrier, {}); return true;
      case ReplyKind::error: end_group(carrier, text); return true;
      default: return false;
    }
  }

  bool take_value(const ReplyLine& line, std::string_view text, std::string_view& bytes, bool carried) {
    Request* found = cursor_;
    while (found != nullptr && found->key != line.key) found = found->queue_next;
    if (found == nullptr) return false;  // a key that was not asked for, or out of order
    while (cursor_ != found) miss(std::exchange(cursor_, cursor_->queue_next));
    Request& member = *std::exchange(cursor_, cursor_->queue_next);
    const uint64_t body = line.value_size + 2;
    if (!carried && bytes.size() >= body) [[likely]] {
      if (bytes[body - 2] != '\r' || bytes[body - 1] != '\n') return false;
      set_slice(member, {text.data(), line.size + body});
      bytes.remove_prefix(body);
      if (!member.finished) answered(member);
      return true;
    }
    body_member_ = &member;
    body_left_ = body;
    add_piece(member, text);
    return true;
  }

  bool take_body(std::string_view& bytes) {
    const size_t part = std::min<uint64_t>(bytes.size(), body_left_);
    const std::string_view piece = bytes.substr(0, part);
    // The item must end in CRLF, wherever the pieces were cut.
    for (size_t i = 0; i < 2; ++i) {
      const uint64_t from_end = 2 - i;  // of the byte to check: CR is 2 from the end, LF 1
      if (body_left_ >= from_end && body_left_ - from_end < part &&
          piece[body_left_ - from_end] != (i == 0 ? '\r' : '\n')) {
        return false;
      }
    }
    bytes.remove_prefix(part);
    body_left_ -= part;
    if (!body_member_->classic || !classic_.discards()) add_piece(*body_member_, piece);
    if (body_left_ == 0) {
      Request& member = *std::exchange(body_member_, nullptr);
      if (member.classic) return true;  // END comes yet
      if (member.wire == Wire::memcache_meta) {
        --metas_;
        pop_head();
        return true;
      }
      resume_reply();  // nothing is left to wait for its reader with
      if (!member.finished) answered(member);
    }
    return true;
  }

  void miss(Request* member) {
    if (!member->finished) answered(*member);
  }

  // error: the line that ended the group instead of END; it is the answer to all that have none yet.
  void end_group(Request& carrier, std::string_view error) {
    for (; cursor_ != nullptr; cursor_ = cursor_->queue_next) {
      if (cursor_->finished) continue;
      if (!error.empty()) {
        turn_.requests.set_reply(*cursor_, error);
        cursor_->error_reply = true;
      }
      answered(*cursor_);
    }
    begun_ = false;
    for (Request* member = std::exchange(carrier.members, nullptr); member != nullptr;) {
      Request* next = member->queue_next;
      member->queue_next = nullptr;
      turn_.requests.release_queue(*member);
      member = next;
    }
    carrier.finished = true;
    --groups_on_way_;
    if (open_ != nullptr) turn_.backends.add(*this);
    pop_head();
  }

  // The group that is being written: its line so far is in the carrier's reply_buffer.
  Request* open_ = nullptr;
  Request* last_member_ = nullptr;
  size_t open_size_ = 0;
  uint32_t open_keys_ = 0;
  uint32_t groups_on_way_ = 0;  // closed, and not answered
  uint32_t few_groups_ = kFewGroups;
  // The group whose answer is being read.
  Request* cursor_ = nullptr;       // first member that no VALUE has been matched to or passed over
  Request* body_member_ = nullptr;  // whose item is arriving in pieces
  uint64_t body_left_ = 0;
  bool begun_ = false;
  uint32_t metas_ = 0;  // meta commands in the queue
  std::string shown_;   // a meta reply with its key put in
  ClassicExchange classic_;
  // A reply line that was cut by the end of what was received.
  Buffer carry_;
  size_t carry_size_ = 0;
};

}  // namespace

std::unique_ptr<BackendConnection> make_memcache_connection(Backend& backend) {
  return std::make_unique<MemcacheConnection>(backend);
}

}  // namespace overlord::proxy
