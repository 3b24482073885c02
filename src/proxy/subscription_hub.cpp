#include "proxy/subscription_hub.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/log.h"
#include "protocol/redis/writer.h"

namespace overlord::proxy {

using routing::Failure;

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kFirstRetry = kSecond / 20;
constexpr uint64_t kLastRetry = kSecond;
// A connection that says nothing for so long is asked whether it lives.
constexpr uint64_t kSilence = 5 * kSecond;
constexpr std::string_view kPing = "*1\r\n$4\r\nPING\r\n";

constexpr std::array<std::string_view, kTopicKinds> kSubscribe = {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"};
constexpr std::array<std::string_view, kTopicKinds> kUnsubscribe = {"UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"};

// The next bulk string of a message that was framed before; empty when the next element is none.
std::string_view take_bulk(std::string_view& rest) {
  const size_t end = rest.find("\r\n");
  if (rest.empty() || rest[0] != '$' || end == std::string_view::npos) return {};
  uint64_t length = 0;
  const auto [last, failed] = std::from_chars(rest.data() + 1, rest.data() + end, length);
  if (failed != std::errc{} || last != rest.data() + end || rest.size() - end - 2 < length) return {};
  const std::string_view bulk = rest.substr(end + 2, length);
  rest.remove_prefix(std::min(rest.size(), end + 2 + length + 2));
  return bulk;
}

struct Word {
  std::string_view text;
  TopicKind kind;
  enum class Means : uint8_t { message, subscribed, unsubscribed } means;
};
constexpr Word kWords[] = {
    {"message", TopicKind::channel, Word::Means::message},
    {"pmessage", TopicKind::pattern, Word::Means::message},
    {"smessage", TopicKind::shard, Word::Means::message},
    {"subscribe", TopicKind::channel, Word::Means::subscribed},
    {"psubscribe", TopicKind::pattern, Word::Means::subscribed},
    {"ssubscribe", TopicKind::shard, Word::Means::subscribed},
    {"unsubscribe", TopicKind::channel, Word::Means::unsubscribed},
    {"punsubscribe", TopicKind::pattern, Word::Means::unsubscribed},
    {"sunsubscribe", TopicKind::shard, Word::Means::unsubscribed},
};

}  // namespace

SubscriptionHub::SubscriptionHub(Turn& turn, Pool& pool, int32_t backend, HubListener& listener)
    : turn_(turn), pool_(pool), backend_(backend), listener_(listener) {
  retry_.set([](void* self) { static_cast<SubscriptionHub*>(self)->retry(); }, this);
}

SubscriptionHub::~SubscriptionHub() { close(); }

bool SubscriptionHub::open(Failure& why) {
  if (connection_ != nullptr) return true;
  Backend* const backend = pool_.find(backend_);
  if (backend == nullptr) {
    why = Failure::no_backend;
    return false;
  }
  connection_ = backend->lease(*this, why);
  if (connection_ == nullptr) return false;
  leases_ = &backend->leases();
  read_timeout_ = backend->limits().read_timeout;
  last_heard_ = turn_.now();
  retry_.cancel();
  return true;
}

void SubscriptionHub::ask(TopicKind kind, std::string_view name, bool subscribe) {
  const size_t index = static_cast<size_t>(kind);
  std::string command;
  const std::string_view words[] = {subscribe ? kSubscribe[index] : kUnsubscribe[index], name};
  redis::append_command(command, words);
  if (asked_since_ == 0) asked_since_ = turn_.now();
  expected_.push_back({kind, subscribe, std::string(name)});
  connection_->send_raw(command);
}

void SubscriptionHub::close() {
  retry_.cancel();
  attempts_ = 0;
  asked_since_ = 0;
  expected_.clear();
  if (BackendConnection* connection = std::exchange(connection_, nullptr)) leases_->drop(*connection);
}

void SubscriptionHub::retry_later() {
  if (retry_.armed()) return;
  const uint64_t delay = std::min(kLastRetry, kFirstRetry << std::min<uint32_t>(attempts_++, 10));
  turn_.loop.timers().arm(retry_, turn_.now(), delay);
}

void SubscriptionHub::retry() {
  Failure why = Failure::none;
  if (connection_ != nullptr) return;
  if (open(why)) {
    listener_.on_hub_open(*this);
  } else {
    retry_later();
  }
}

void SubscriptionHub::tick() {
  if (connection_ == nullptr) return;
  const uint64_t now = turn_.now();
  if (asked_since_ != 0) {
    if (read_timeout_ > 0 && now - std::max(asked_since_, last_heard_) >= read_timeout_) {
      connection_->give_up("no answer to a subscription within read_timeout");
    }
  } else if (now - last_heard_ >= kSilence) {
    asked_since_ = now;
    connection_->send_raw(kPing);
  }
}

void SubscriptionHub::on_lease_lost() noexcept {
  connection_ = nullptr;
  asked_since_ = 0;
  expected_.clear();
  listener_.on_hub_lost(*this);
}

bool SubscriptionHub::on_push(std::string_view message) noexcept {
  last_heard_ = turn_.now();
  attempts_ = 0;
  if (message.starts_with('-')) {
    if (expected_.empty()) return false;
    const Expected refused = std::move(expected_.front());
    expected_.pop_front();
    asked_since_ = expected_.empty() ? 0 : last_heard_;
    static LogEvery every(std::chrono::seconds(5));
    if (auto turn = every.next()) log_warn("a subscription was refused: ", message.substr(0, 200), turn.suffix());
    bool asking = false;
    if (Backend* backend = pool_.find(backend_)) pool_.redirected(*backend, message, asking);  // for the map's sake
    if (refused.subscribe) listener_.on_refused(*this, refused.kind, refused.name);
    return true;
  }
  const size_t header = message.find('\n');
  if (header == std::string_view::npos || (message[0] != '*' && message[0] != '>')) return false;
  std::string_view rest = message.substr(header + 1);
  const std::string_view what = take_bulk(rest);
  const auto word = std::ranges::find(kWords, what, &Word::text);
  if (word == std::end(kWords)) {
    asked_since_ = expected_.empty() ? 0 : last_heard_;
    return what == "pong";
  }
  const std::string_view name = take_bulk(rest);
  if (word->means == Word::Means::message) {
    listener_.on_message(word->kind, name, message);
    return true;
  }
  const bool subscribed = word->means == Word::Means::subscribed;
  const bool asked = !expected_.empty() && expected_.front().kind == word->kind &&
                     expected_.front().subscribe == subscribed && expected_.front().name == name;
  if (!asked) {
    // The slot of a shard channel has gone to another node.
    if (subscribed || word->kind != TopicKind::shard) return false;
    listener_.on_refused(*this, word->kind, name);
    return true;
  }
  expected_.pop_front();
  asked_since_ = expected_.empty() ? 0 : last_heard_;
  if (subscribed) listener_.on_confirmed(*this, word->kind, name);
  return true;
}

}  // namespace overlord::proxy
