#include "proxy/redis_transaction.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "protocol/redis/command_lookup.h"
#include "protocol/redis/writer.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {

using redis::Command;
using redis::Treatment;
using routing::Answer;
using routing::Failure;
using routing::Request;
using routing::Wire;

namespace {

constexpr std::string_view kMulti = "*1\r\n$5\r\nMULTI\r\n";
constexpr std::string_view kExec = "*1\r\n$4\r\nEXEC\r\n";
constexpr size_t kKeptKey = 256;

// Most of the proxy's own commands may stand in a transaction, but for those that answer later, and those by which the
// commands behind them would be read differently.
bool answers_in_place(const Command& command) {
  constexpr std::array kOthers = {std::string_view("auth"),        std::string_view("hello"),
                                  std::string_view("client|list"), std::string_view("client|kill"),
                                  std::string_view("acl|log"),     std::string_view("client|reply")};
  return std::ranges::find(kOthers, command.name) == kOthers.end();
}

}  // namespace

// The queue

void RedisTransaction::append(std::string_view text) {
  buffers_.grow(bytes_, used_, used_ + text.size());
  std::memcpy(bytes_.data + used_, text.data(), text.size());
  used_ += text.size();
}

void RedisTransaction::begin() {
  clear();
  open_ = true;
  append(kMulti);
}

void RedisTransaction::clear() {
  open_ = aborted_ = false;
  used_ = local_bytes_ = 0;
  queued_ = 0;
  group = routing::kNoTarget;
  if (key.capacity() > kKeptKey) key.shrink_to_fit();
  key.clear();
  locals_.clear();
  shapes_.clear();
  buffers_.give(bytes_);
}

bool RedisTransaction::queue(std::string_view wire, redis::ShapeId shape) {
  if (used_ + local_bytes_ + wire.size() > kMaxQueued) return false;
  if (shape != redis::ShapeId::resp2) shapes_.push_back(shape);
  append(wire);
  ++queued_;
  return true;
}

bool RedisTransaction::queue_local(std::string_view wire, redis::ShapeId shape) {
  if (used_ + local_bytes_ + wire.size() > kMaxQueued) return false;
  locals_.push_back({size(), std::string(wire)});
  if (shape != redis::ShapeId::resp2) shapes_.push_back(shape);
  local_bytes_ += wire.size() + sizeof(Local);
  return true;
}

std::string_view RedisTransaction::wire() {
  append(kExec);
  return {bytes_.data, used_};
}

// The commands

void RedisSession::transaction(const Command& command) {
  if (transaction_ == nullptr) transaction_ = std::make_unique<RedisTransaction>(*this, turn_.buffers, moving_pool());
  const std::string_view name = command.name;
  if (name == "exec") return exec(command);
  if (name == "watch") return watch(command);
  if (name == "unwatch") return unwatch(command);
  if (name == "multi") {
    if (transaction_->open()) return plain_error("ERR MULTI calls can not be nested");
    transaction_->begin();
  } else {
    if (!transaction_->open()) return plain_error("ERR DISCARD without MULTI");
    end_transaction();
  }
  answer_static("+OK\r\n");
}

void RedisSession::end_transaction() {
  transaction_->clear();
  transaction_->watch.give_back();
  transaction_->watch.forget();
}

bool RedisSession::in_transaction() const { return transaction_ != nullptr && transaction_->open(); }

void RedisSession::unresolved(const redis::Resolved& resolved) {
  if (in_transaction() && resolved.command != nullptr && resolved.command->name == "exec") {
    end_transaction();
    return plain_error("EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command");
  }
  error(redis::resolve_error(resolved, *parser_));
}

void RedisSession::queue_command(const Command& command) {
  if (command.treatment == Treatment::transaction && command.name != "unwatch") return transaction(command);
  if (command.name == "quit" || command.name == "reset") return local(command);
  tag_ = routing::CommandTag::other();  // nothing is done yet
  if ((command.flags & redis::kNoMulti) != 0) return error("ERR Command not allowed inside a transaction");
  bool fits = true;
  switch (command.treatment) {
    case Treatment::local:
      if (!answers_in_place(command)) return refuse_queued(command);
      fits = transaction_->queue_local(parser_->wire(), reply_shape_);
      break;
    case Treatment::single:
    case Treatment::one_node:
    case Treatment::script:
    case Treatment::blocking:
    case Treatment::channel:
    case Treatment::split_mget:
    case Treatment::split_mset:
    case Treatment::split_sum:
      if (!place_queued(command)) return;
      [[fallthrough]];
    case Treatment::any_node:
    case Treatment::docs:
    case Treatment::transaction: fits = transaction_->queue(parser_->wire(), reply_shape_); break;
    case Treatment::refused: return refuse(command);
    default: return refuse_queued(command);
  }
  if (!fits) return error("ERR the transaction is larger than the proxy may hold");
  answer_static("+QUEUED\r\n");
}

void RedisSession::refuse_queued(const Command& command) {
  std::string text = "ERR '";
  text.append(command.name).append("' is not supported inside a transaction through this proxy");
  error(text);
}

// All keys of a transaction are on the node of the first, which is the node of the watched ones.
bool RedisSession::place_queued(const Command& command) {
  RedisTransaction& t = *transaction_;
  const Placed placed = place(command);
  if (placed.found <= 0) return true;  // no keys, or arguments that the node will refuse
  // Where keys have moved meanwhile EXEC looks at all of them again.
  const bool fits = placed.one && (keys_have_moved() || ((t.group == routing::kNoTarget || t.group == placed.group) &&
                                                         (!t.watch.held() || t.watched_group == placed.group)));
  if (!fits) {
    cluster_.counters().failed(Failure::cross_node);
    error("CROSSSLOT Keys in request don't hash to the same slot");
    return false;
  }
  if (placed.first.size() > cluster_.config().limits.max_key_size) {
    refuse_key();
    return false;
  }
  if (t.group == routing::kNoTarget) {
    t.group = placed.group;
    t.key = placed.first;
    if (!t.watch.held()) t.placement = cluster_.pool().placement();
  }
  return true;
}

// The ring has changed since the first key was placed. (The nodes of a Redis Cluster say so themselves.)
bool RedisSession::keys_have_moved() const {
  const RedisTransaction& t = *transaction_;
  return moving_pool() == nullptr && (t.group != routing::kNoTarget || t.watch.held()) &&
         t.placement != cluster_.pool().placement();
}

// The queue, by the ring as it is now.
bool RedisSession::still_on_one_node() {
  redis::RequestParser parser;
  redis::RequestParser* const present = std::exchange(parser_, &parser);
  int32_t group = routing::kNoTarget;
  bool one = true;
  for (std::string_view rest = transaction_->queue_so_far(); one && !rest.empty();) {
    if (parser.parse(rest) != redis::ParseStatus::complete) break;
    const redis::Resolved resolved = cluster_.learned().resolve(redis::resolve_command(parser), parser);
    const Placed placed = resolved.command == nullptr ? Placed{} : place(*resolved.command);
    if (placed.found > 0) {
      one = placed.one && (group == routing::kNoTarget || group == placed.group);
      group = placed.group;
    }
    rest.remove_prefix(parser.size());
    parser.reset();
  }
  parser_ = present;
  return one;
}

void RedisSession::exec(const Command& command) {
  RedisTransaction& t = *transaction_;
  if (!t.open()) return plain_error("ERR EXEC without MULTI");
  if (t.aborted()) {
    end_transaction();
    return plain_error("EXECABORT Transaction discarded because of previous errors.");
  }
  if (t.watch.broken()) {
    end_transaction();
    return routing::fail(new_request(Wire::none, Answer::reply), Failure::connection_lost);
  }
  const bool watching = t.watch.held();
  if (watching && in_flight()) return handle_later();
  if (keys_have_moved()) [[unlikely]] {
    if (watching) {  // what is watched may change where nobody looks: as if it had
      end_transaction();
      return answer_static("*-1\r\n");
    }
    if (!still_on_one_node()) {
      end_transaction();
      return plain_error("EXECABORT Transaction discarded because its keys are on several servers now");
    }
  }
  if (t.size() == 0 && !watching) {
    t.clear();
    return answer_static("*0\r\n");
  }
  Request& request = new_request(Wire::redis, Answer::exec);
  request.command = &command;
  Request* sent = &request;
  const bool taken_apart = !t.locals().empty() || !t.shapes().empty();
  if (taken_apart) {
    ++request.pending;  // children that are answered at once must not complete it
    sent = t.queued() > 0 || watching ? &turn_.requests.take_child(request, Wire::redis) : nullptr;
    answer_locals(request);
    if (const auto& shapes = t.shapes(); !shapes.empty()) {
      request.key_map = turn_.buffers.take(shapes.size());
      std::memcpy(request.key_map.data, shapes.data(), shapes.size());
    }
  }
  if (sent != nullptr) {
    sent->answer = Answer::exec;
    sent->command = &command;
    sent->key = t.key;
    sent->key_count = t.queued();
    sent->preludes = 1 + t.queued();
    sent->bytes = t.wire();
    if (watching) {
      t.watch.send(*sent, LeasedConnection::After::give_back);
      wait_for_answers();
    } else {
      route(*sent);
    }
  }
  if (taken_apart && --request.pending == 0) routing::finish(request);
  t.clear();
}

// The answers become children of the request, their places in the array the children's key_count.
void RedisSession::answer_locals(Request& request) {
  redis::RequestParser parser;
  redis::RequestParser* const present = std::exchange(parser_, &parser);
  for (const RedisTransaction::Local& queued : transaction_->locals()) {
    parser.parse(queued.wire);
    capture(&request);
    local(*redis::resolve_command(parser).command);
    capture(nullptr);
    request.last_child->key_count = queued.place;
    parser.reset();
  }
  parser_ = present;
}

void RedisSession::watch(const Command& command) {
  RedisTransaction& t = *transaction_;
  if (t.open()) return plain_error("ERR WATCH inside MULTI is not allowed");
  // It goes another way than what is in flight, and what follows may go another way than it.
  if (in_flight()) return handle_later();
  const Placed placed = place(command);
  Request& request = new_request(Wire::redis, Answer::reply);
  Backend* const backend = cluster_.pool().find(cluster_.root().target(placed.first));
  if (!placed.one || (t.watch.held() && (t.watched_group != placed.group || t.watch.backend() != backend))) {
    return routing::fail(request, Failure::cross_node);
  }
  if (backend == nullptr) return routing::fail(request, Failure::no_backend);
  if (!t.watch.held() && !t.watch.take(*backend, request)) return;
  t.watched_group = placed.group;
  t.placement = cluster_.pool().placement();
  request.command = &command;
  request.bytes = parser_->wire();
  t.watch.send(request, LeasedConnection::After::keep);
  wait_for_answers();
}

void RedisSession::unwatch(const Command& command) {
  RedisTransaction& t = *transaction_;
  if (!t.watch.held()) {
    t.watch.forget();
    return answer_static("+OK\r\n");
  }
  if (in_flight()) return handle_later();
  Request& request = new_request(Wire::redis, Answer::reply);
  request.command = &command;
  request.bytes = parser_->wire();
  t.watch.send(request, LeasedConnection::After::give_back);
  wait_for_answers();
}

}  // namespace overlord::proxy
