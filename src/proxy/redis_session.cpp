#include "proxy/redis_session.h"

#include "base/log.h"
#include "protocol/redis/key_positions.h"
#include "protocol/redis/writer.h"
#include "proxy/redis_answer.h"
#include "proxy/redis_fanout.h"
#include "proxy/redis_split.h"

namespace overlord::proxy {

using redis::Command;
using redis::ParseStatus;
using redis::Treatment;
using routing::Answer;
using routing::Request;
using routing::Wire;

namespace {

// A value larger than this is passed on while it arrives instead of being kept until it is whole.
constexpr int64_t kStreamValue = 128 * 1024;

redis::RequestLimits parser_limits(const config::Limits& limits, bool guest) {
  if (guest) return redis::kGuestLimits;
  redis::RequestLimits out;
  out.max_args = limits.max_arguments;
  out.max_bulk = limits.max_value_size;
  return out;
}

// Only commands that need nothing but their key to be placed, and that the key's node answers alone.
bool may_stream(const Command& command) {
  return command.treatment == Treatment::single && command.first_key == 1 && command.key_specs.size() <= 1;
}

// Objects of one worker that no session needs now: a parser is needed only while a message is at hand, a converter while
// a reply is passed on in pieces.
template <class T, size_t kKept>
class Spares {
 public:
  std::unique_ptr<T> take() {
    if (free_.empty()) return std::make_unique<T>();
    std::unique_ptr<T> spare = std::move(free_.back());
    free_.pop_back();
    return spare;
  }
  void give(std::unique_ptr<T> spare) {
    if (free_.size() < kKept) free_.push_back(std::move(spare));
  }

 private:
  std::vector<std::unique_ptr<T>> free_;
};

thread_local Spares<redis::RequestParser, 256> spare_parsers;
thread_local Spares<redis::Resp3Converter, 64> spare_converters;

bool is_http(const redis::RequestParser& request) {
  return redis::equals_lower(request.arg(0), "post") || redis::equals_lower(request.arg(0), "host:");
}

bool is_flush(const Command& command) { return command.name == "flushall" || command.name == "flushdb"; }

}  // namespace

RedisSession::RedisSession(Cluster& cluster, uint64_t id)
    : Session(cluster, id),
      user_(cluster.config().users.anonymous()),
      born_(static_cast<uint32_t>(turn_.now() / 1'000'000'000)) {}

RedisSession::~RedisSession() {
  if (told_ != nullptr && told_->gathering != nullptr) told_->gathering->session = nullptr;
}

Session::Step RedisSession::consume(std::string_view bytes, size_t& used) {
  auto& spares = spare_parsers;
  if (kept_parser_ == nullptr) {
    kept_parser_ = spares.take();
    kept_parser_->set_limits(parser_limits(cluster_.config().limits, user_ == nullptr));
  }
  parser_ = kept_parser_.get();
  switch (parser_->parse(bytes)) {
    case ParseStatus::incomplete:
      return parser_->pending_bulk() > kStreamValue ? consider_upload(bytes, used) : Step::need_more;
    case ParseStatus::error:
      tag_ = routing::CommandTag::other();
      note_exceeded();
      answer_and_close(parser_->error());
      return Step::stop;
    case ParseStatus::complete: {
      const ReplyMode mode = reply_mode_;
      handle();
      tag_ = {};
      if (std::exchange(later_, false)) [[unlikely]] {
        reply_mode_ = mode;  // the message will step it
        cluster_.counters().requests.sub();
        parser_->reset();
        wait_for_answers();
        return Step::need_more;
      }
      break;
    }
    case ParseStatus::skip: break;
  }
  used = parser_->size();
  parser_->reset();
  spares.give(std::move(kept_parser_));
  return Step::consumed;
}

Session::Step RedisSession::consider_upload(std::string_view bytes, size_t& used) {
  if (parser_->is_inline() || parser_->args_seen() < 2) return Step::need_more;
  const Command* command = redis::find_command(parser_->arg(0));
  if (command == nullptr || !may_stream(*command) || !redis::arity_ok(*command, parser_->args_declared()) ||
      in_transaction() || subscribed() || reply_mode_ != ReplyMode::on ||
      (protocol_ == 3 && redis::shape_needs_arguments(*command)) || !surely_permitted(*command, parser_->arg(1)) ||
      (cluster_.config().policy.restricts() && !cluster_.config().policy.refusal(*command).empty()) ||
      parser_->arg(1).size() > cluster_.config().limits.max_key_size) {
    return Step::need_more;  // judged when it is whole
  }
  if (in_flight()) {
    wait_for_answers();
    return Step::need_more;
  }
  cluster_.counters().requests.add();
  if (protocol_ == 3) reply_shape_ = redis::reply_shape(*command, *parser_);
  Request& request = new_request(Wire::redis, Answer::reply);
  request.tag = routing::CommandTag::of(*command);
  request.command = command;
  request.key = parser_->arg(1);
  request.bytes = bytes;
  upload_scanner().start(*parser_, bytes.size());
  begin_upload(request);
  parser_->reset();
  spare_parsers.give(std::move(kept_parser_));
  used = bytes.size();
  return Step::consumed;
}

Session::Step RedisSession::consume_upload(std::string_view bytes, size_t& used) {
  const auto status = scanner_->advance(bytes, used);
  continue_upload(bytes.substr(0, used));
  if (status == redis::MessageScanner::Status::done) {
    end_upload();
    scanner_.reset();
  } else if (status == redis::MessageScanner::Status::error) {
    const std::string_view line = scanner_->error();
    abort_upload();
    answer_and_close(line);
    return Step::stop;
  }
  return Step::consumed;
}

redis::MessageScanner& RedisSession::upload_scanner() {
  scanner_ = std::make_unique<redis::MessageScanner>();
  return *scanner_;
}

void RedisSession::error(std::string_view text) {
  if (transaction_ != nullptr) transaction_->abort();
  plain_error(text);
}

void RedisSession::plain_error(std::string_view text) {
  std::string& line = cluster_.scratch();
  line.clear();
  redis::append_error(line, text);
  answer(line);
}

void RedisSession::refuse(const Command& command) {
  if (command.name.starts_with("acl|")) {
    return error(
        "ERR users are made by the proxy's configuration only: change `users` or the file that `users_file` names");
  }
  std::string text = "ERR '";
  text.append(command.name);
  text.append(is_flush(command) ? "' is not allowed: flush_all_enabled is false in the proxy's configuration"
                                : "' is not supported through this proxy");
  error(text);
}

// A guest's limits are not those of the configuration.
void RedisSession::note_exceeded() {
  using Exceeded = redis::RequestParser::Exceeded;
  if (user_ == nullptr || parser_->exceeded() == Exceeded::none) return;
  cluster_.counters().hit(parser_->exceeded() == Exceeded::args ? Limit::max_arguments : Limit::max_value_size);
}

void RedisSession::refuse_key() {
  cluster_.counters().hit(Limit::max_key_size);
  error("ERR key is longer than max_key_size");
}

// CLIENT REPLY OFF and SKIP: whether the command that begins is answered.
void RedisSession::step_reply_mode() {
  mute_ = reply_mode_ != ReplyMode::skip_this;
  if (reply_mode_ == ReplyMode::skip_this) {
    reply_mode_ = ReplyMode::on;
  } else if (reply_mode_ == ReplyMode::skip_next) {
    reply_mode_ = ReplyMode::skip_this;
  }
}

// A web page can make a browser send commands in the body of a request: none may be taken.
void RedisSession::abort_http() {
  static LogEvery every(std::chrono::seconds(1));
  if (auto turn = every.next()) {
    log_warn("cluster ", cluster_.config().name, ": a client speaks HTTP, which may be an attack; closed",
             turn.suffix());
  }
  close_when_answered();
}

void RedisSession::handle() {
  cluster_.counters().requests.add();
  if (reply_mode_ != ReplyMode::on) [[unlikely]]
    step_reply_mode();
  tag_ = routing::CommandTag::other();
  redis::Resolved resolved = redis::resolve_command(*parser_);
  if (resolved.status != redis::Resolved::Status::ok) [[unlikely]] {
    if (is_http(*parser_)) return abort_http();
    resolved = cluster_.learned().resolve(resolved, *parser_);
    if (resolved.status != redis::Resolved::Status::ok) return unresolved(resolved);
  }
  const Command* command = resolved.command;
  last_command_ = command;
  tag_ = routing::CommandTag::of(*command);
  if (user_ == nullptr) [[unlikely]] {
    if ((command->flags & redis::kNoAuth) == 0) return error("NOAUTH Authentication required.");
  } else if (!user_->unrestricted()) {
    if (!permitted(*command)) return;
  }
  if (cluster_.config().policy.restricts()) [[unlikely]] {
    if (const std::string why = cluster_.config().policy.refusal(*command); !why.empty()) return error(why);
  }
  if (command->rule != redis::CallRule::none) [[unlikely]] {
    const bool any_key = command->rule == redis::CallRule::no_patterns && cluster_.one_node();
    const std::string_view why = any_key ? std::string_view{} : redis::refused_call(*command, *parser_);
    if (!why.empty()) return error(why);
  }
  if (protocol_ == 3) reply_shape_ = redis::reply_shape(*command, *parser_);
  if (subscriptions_ != nullptr && protocol_ == 2 && subscribed()) [[unlikely]]
    return handle_subscribed(*command);
  if (transaction_ != nullptr && transaction_->open()) [[unlikely]]
    return queue_command(*command);
  switch (command->treatment) {
    case Treatment::single: return route_single(*command);
    case Treatment::one_node:
      if (command->rule == redis::CallRule::may_block && redis::is_blocking_call(*command, *parser_)) {
        return block(*command);
      }
      [[fallthrough]];
    case Treatment::script: return route_one_node(*command);
    case Treatment::blocking: return block(*command);
    case Treatment::channel: return send_whole(*command, parser_->arg(1));
    case Treatment::pubsub: return pubsub(*command);
    case Treatment::split_mget:
    case Treatment::split_mset:
    case Treatment::split_sum: {
      if (command->treatment == Treatment::split_mset && parser_->argc() % 2 == 0) {
        return error(redis::wrong_arity_error(command->name));
      }
      Request& request = new_request(Wire::none, Answer::reply);
      request.command = command;
      return split_by_node(request, *command, *parser_, cluster_);
    }
    case Treatment::scan:
    case Treatment::all_keys:
    case Treatment::all_sum:
    case Treatment::all_ok:
    case Treatment::all_same:
    case Treatment::all_and:
    case Treatment::all_any:
    case Treatment::all_running:
    case Treatment::all_random:
    case Treatment::all_channels:
    case Treatment::all_counts:
    case Treatment::all_most:
    case Treatment::docs:
    case Treatment::any_node: return over_nodes(*command);
    case Treatment::slot: return ask_slot_owner(*command);
    case Treatment::all_least: return wait_for_replicas(*command);
    case Treatment::local: return local(*command);
    case Treatment::transaction: return transaction(*command);
    case Treatment::refused: return refuse(*command);
  }
}

void RedisSession::over_nodes(const Command& command) {
  const bool flush = is_flush(command);
  if (flush && !cluster_.config().flush_all_enabled) return refuse(command);
  Request& request = new_request(Wire::none, Answer::all_ok);
  request.command = &command;
  // A node that is out of the ring must not come back with what was flushed.
  if (flush) return cluster_.root().broadcast(request, Wire::redis, parser_->wire());
  cluster_.scripts().note(command, *parser_);
  send_to_nodes(request, *parser_, cluster_);
}

void RedisSession::route_single(const Command& command) {
  if (command.first_key <= 0 || command.first_key >= static_cast<int>(redis::RequestParser::kFirstArgs) ||
      command.key_specs.size() > 1) [[unlikely]] {
    return route_one_node(command);
  }
  send_whole(command, parser_->arg(static_cast<uint32_t>(command.first_key)));
}

RedisSession::Placed RedisSession::place(const Command& command) {
  struct Walk {
    routing::Route& root;
    Placed placed;
    uint32_t count = 0;
  } walk{cluster_.root(), {}};
  if (command.treatment == Treatment::channel) {
    return {.first = parser_->arg(1), .group = cluster_.root().group(parser_->arg(1)), .found = 1};
  }
  walk.placed.found = redis::visit_keys(
      command, *parser_,
      [](void* context, std::string_view key) {
        Walk& w = *static_cast<Walk*>(context);
        const int32_t group = w.root.group(key);
        if (w.count++ == 0) {
          w.placed.first = key;
          w.placed.group = group;
        } else if (group != w.placed.group) {
          w.placed.one = false;
        }
      },
      &walk);
  return walk.placed;
}

void RedisSession::route_one_node(const Command& command) {
  const Placed placed = place(command);
  if (placed.found <= 0) {
    if ((command.flags & redis::kLearned) != 0) return error("ERR the proxy finds no keys in this call to place it by");
    if (command.treatment == Treatment::script) return send_whole(command, cluster_.scripts().placement(*parser_));
    // The server words this best, and any of them says the same.
    return send_whole(command, parser_->argc() > 1 ? parser_->arg(1) : parser_->arg(0));
  }
  if (!placed.one) {
    Request& request = new_request(Wire::none, Answer::reply);
    return routing::fail(request, routing::Failure::cross_node);
  }
  send_whole(command, placed.first);
}

void RedisSession::send_whole(const Command& command, std::string_view key) {
  if (key.size() > cluster_.config().limits.max_key_size) return refuse_key();
  Request& request = new_request(Wire::redis, Answer::reply);
  request.command = &command;
  request.key = key;
  request.bytes = parser_->wire();
  if (command.treatment == Treatment::script) {
    cluster_.keys().on_request(request, turn_.now());
    return cluster_.scripts().send(request, *parser_);
  }
  route(request);
}

void RedisSession::on_leave() noexcept {
  if (transaction_ != nullptr) transaction_->watch.end();
  if (blocked_ != nullptr) blocked_->end();
  if (replica_wait_ != nullptr) replica_wait_->end();
  end_subscriptions();
}

void RedisSession::write_answer(Request& request, ChunkQueue& out) {
  if (converter_ == nullptr) [[likely]]
    return write_redis_answer(request, turn_.requests, out);
  // Its front has been passed on.
  convert_chain(*converter_, request.reply_chain, turn_.chunks(), out);
  spare_converters.give(std::move(converter_));
}

void RedisSession::write_part(Request& request, ChunkQueue& out) {
  if (request.noreply) return request.reply_chain.clear(turn_.chunks());
  if (request.shape == redis::ShapeId::resp2) return out.splice(request.reply_chain);
  if (request.reply_chain.empty()) return;
  if (converter_ == nullptr) {
    converter_ = spare_converters.take();
    converter_->start(request.shape);
  }
  convert_chain(*converter_, request.reply_chain, turn_.chunks(), out);
}

std::unique_ptr<Session> make_redis_session(Cluster& cluster, uint64_t id) {
  return std::make_unique<RedisSession>(cluster, id);
}

}  // namespace overlord::proxy
