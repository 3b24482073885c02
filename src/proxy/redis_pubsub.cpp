// SUBSCRIBE and its like for one client, and what it may do while it is subscribed. Where messages come from: pubsub.h.

#include <algorithm>
#include <array>

#include "base/log.h"
#include "protocol/redis/writer.h"
#include "proxy/redis_session.h"

namespace overlord::proxy {

using redis::Command;
using routing::Answer;
using routing::Failure;
using routing::Request;
using routing::Wire;

namespace {

constexpr std::array<std::string_view, kTopicKinds> kSubscribed = {"subscribe", "psubscribe", "ssubscribe"};
constexpr std::array<std::string_view, kTopicKinds> kUnsubscribed = {"unsubscribe", "punsubscribe", "sunsubscribe"};

TopicKind kind_of(std::string_view command) {
  if (command.starts_with('p')) return TopicKind::pattern;
  return command.starts_with("ss") || command.starts_with("sun") ? TopicKind::shard : TopicKind::channel;
}

}  // namespace

RedisSubscriptions& RedisSession::subscriptions() {
  if (subscriptions_ == nullptr) subscriptions_ = std::make_unique<RedisSubscriptions>(*this);
  return *subscriptions_;
}

// One answer to SUBSCRIBE or UNSUBSCRIBE.
void RedisSession::append_subscribed(std::string& out, std::string_view word, const std::string* name, size_t count) {
  out.append(push_header(3));
  redis::append_bulk(out, word);
  if (name == nullptr) {
    out.append(protocol_ == 3 ? "_\r\n" : "$-1\r\n");
  } else {
    redis::append_bulk(out, *name);
  }
  redis::append_integer(out, static_cast<int64_t>(count));
}

std::string RedisSession::push_header(size_t elements) const {
  std::string header;
  redis::append_array_header(header, elements);
  if (protocol_ == 3) header[0] = '>';
  return header;
}

void RedisSession::subscribe(const Command& command) {
  if (in_flight()) return handle_later();
  RedisSubscriptions& mine = subscriptions();
  mine.command_kind = kind_of(command.name);
  mine.asked.clear();
  mine.missing = 0;
  Request& request = new_request(Wire::none, Answer::reply);
  request.command = &command;
  request.shape = redis::ShapeId::resp2;  // it is written as it has to be
  request.noreply = false;                // not even CLIENT REPLY OFF silences what a subscriber is told
  mine.command = &request;
  redis::ArgCursor cursor(*parser_);
  cursor.next();
  PubSub& pubsub = cluster_.pubsub();
  while (cursor.next()) {
    const std::string_view name = cursor.value();
    const auto same = [name](const RedisSubscriptions::Asked& other) { return other.name == name; };
    const bool known = mine.of(mine.command_kind).contains(name) || std::ranges::any_of(mine.asked, same);
    mine.asked.push_back({std::string(name)});
    if (known) continue;
    Failure why = Failure::none;
    switch (pubsub.subscribe(mine, mine.command_kind, name, why)) {
      case PubSub::Result::active: break;
      case PubSub::Result::waiting: ++mine.missing; break;
      case PubSub::Result::failed: mine.asked.back().failure = why; break;
    }
  }
  wait_for_answers();
  if (mine.missing == 0) answer_subscribed();
}

void RedisSubscriptions::on_subscribed(TopicKind, std::string_view name, Failure failure) noexcept {
  for (Asked& topic : asked) {
    if (topic.name == name) topic.failure = failure;
  }
  if (--missing == 0) session_.answer_subscribed();
}

void RedisSession::answer_subscribed() {
  RedisSubscriptions& mine = *subscriptions_;
  const TopicKind kind = mine.command_kind;
  std::string out;
  for (const RedisSubscriptions::Asked& topic : mine.asked) {
    if (topic.failure != Failure::none) {
      cluster_.counters().failed(topic.failure);
      cluster_.pubsub().unsubscribe(mine, kind, topic.name);
      out.append(routing::redis_error_line(topic.failure));
      continue;
    }
    mine.of(kind).insert(topic.name);
    append_subscribed(out, kSubscribed[static_cast<size_t>(kind)], &topic.name, mine.count(kind));
  }
  mine.asked.clear();
  stay(mine.total() > 0);
  Request& request = *std::exchange(mine.command, nullptr);
  turn_.requests.set_reply(request, out);
  routing::finish(request);
}

void RedisSession::unsubscribe(const Command& command) {
  if (in_flight()) return handle_later();
  RedisSubscriptions& mine = subscriptions();
  const TopicKind kind = kind_of(command.name);
  const std::string_view word = kUnsubscribed[static_cast<size_t>(kind)];
  RedisSubscriptions::Names& names = mine.of(kind);
  std::string out;
  const auto leave = [&](const std::string& name) {
    if (names.erase(name) > 0) cluster_.pubsub().unsubscribe(mine, kind, name);
    append_subscribed(out, word, &name, mine.count(kind));
  };
  if (parser_->argc() > 1) {
    redis::ArgCursor cursor(*parser_);
    cursor.next();
    while (cursor.next()) leave(std::string(cursor.value()));
  } else if (names.empty()) {
    append_subscribed(out, word, nullptr, mine.count(kind));
  } else {
    while (!names.empty()) leave(std::string(*names.begin()));
  }
  stay(mine.total() > 0);
  tell(out);
}

// As it stands, whatever CLIENT REPLY says.
void RedisSession::tell(std::string_view text) {
  const redis::ShapeId shape = std::exchange(reply_shape_, redis::ShapeId::resp2);
  const bool mute = std::exchange(mute_, false);
  answer(text);
  reply_shape_ = shape;
  mute_ = mute;
}

bool RedisSession::subscribed() const { return subscriptions_ != nullptr && subscriptions_->total() > 0; }

// What RESP2 allows a client that is subscribed.
void RedisSession::handle_subscribed(const Command& command) {
  if (command.treatment == redis::Treatment::pubsub) return pubsub(command);
  if (command.name == "quit" || command.name == "reset") return local(command);
  if (command.name == "ping") {
    if (parser_->argc() > 2) return error(redis::wrong_arity_error(command.name));
    std::string out;
    redis::append_array_header(out, 2);
    redis::append_bulk(out, "pong");
    redis::append_bulk(out, parser_->argc() == 2 ? parser_->arg(1) : "");
    return answer(out);
  }
  std::string text = "ERR Can't execute '";
  text.append(command.name);
  text.append("': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context");
  error(text);
}

void RedisSession::pubsub(const Command& command) {
  return command.name.find("unsub") == std::string_view::npos ? subscribe(command) : unsubscribe(command);
}

void RedisSession::end_subscriptions() noexcept {
  if (subscriptions_ == nullptr) return;
  RedisSubscriptions& mine = *subscriptions_;
  PubSub& pubsub = cluster_.pubsub();
  for (const RedisSubscriptions::Asked& topic : mine.asked) pubsub.unsubscribe(mine, mine.command_kind, topic.name);
  mine.asked.clear();
  mine.command = nullptr;
  for (size_t kind = 0; kind < kTopicKinds; ++kind) {
    RedisSubscriptions::Names& names = mine.of(static_cast<TopicKind>(kind));
    for (const std::string& name : names) pubsub.unsubscribe(mine, static_cast<TopicKind>(kind), name);
    names.clear();
  }
  stay(false);
}

void RedisSubscriptions::on_message(std::string_view bytes) noexcept { session_.push(bytes); }

// Every message for a subscribed client passes here: RESP2 as the backend wrote it, RESP3 as a push.
void RedisSession::push(std::string_view bytes) {
  const bool as_push = protocol_ == 3;
  const char type = as_push ? '>' : '*';
  if (unsent() + bytes.size() > std::max<uint64_t>(cluster_.config().limits.max_client_buffer, 2 * bytes.size())) {
    if (!doomed()) {
      cluster_.counters().slow_subscribers.add();
      static LogEvery every(std::chrono::seconds(1));
      if (auto turn = every.next()) {
        log_warn("cluster ", cluster_.config().name, ": closed a subscriber that reads too slowly (max_client_buffer)",
                 turn.suffix());
      }
    }
    return doom();
  }
  // In its place among the answers of the client. Pushes of RESP3 may stand between any two.
  if (!in_flight() || (as_push && !mid_reply() && subscriptions_->command == nullptr)) {
    stream_.out.append(turn_.chunks(), &type, 1);
    stream_.out.append(turn_.chunks(), bytes.substr(1));
    cluster_.counters().bytes_out.add(bytes.size());
    turn_.sessions.add(*this);
    return;
  }
  std::string& line = cluster_.scratch();
  line.assign(1, type).append(bytes.substr(1));
  tell(line);
}

}  // namespace overlord::proxy
