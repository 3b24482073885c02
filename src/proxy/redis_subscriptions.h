#pragma once
// RedisSubscriptions: what one redis client has subscribed to, and the subscribing command that has not been answered.

#include <array>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/pubsub.h"

namespace overlord::proxy {

class RedisSession;

class RedisSubscriptions final : public Subscriber {
 public:
  explicit RedisSubscriptions(RedisSession& session) : session_(session) {}

  using Names = std::set<std::string, std::less<>>;

  // A channel of a command that waits for its confirmation.
  struct Asked {
    std::string name;
    routing::Failure failure = routing::Failure::none;
  };

  Names& of(TopicKind kind) { return names_[static_cast<size_t>(kind)]; }
  // What the server counts in its answers: channels and patterns together, shard channels by themselves.
  size_t count(TopicKind kind) const {
    return kind == TopicKind::shard ? names_[2].size() : names_[0].size() + names_[1].size();
  }
  size_t total() const { return names_[0].size() + names_[1].size() + names_[2].size(); }

  routing::Request* command = nullptr;  // null: none waits
  TopicKind command_kind = TopicKind::channel;
  std::vector<Asked> asked;
  size_t missing = 0;  // confirmations

  // Subscriber
  void on_message(std::string_view bytes) noexcept override;
  void on_subscribed(TopicKind kind, std::string_view name, routing::Failure failure) noexcept override;

 private:
  RedisSession& session_;
  std::array<Names, kTopicKinds> names_;
};

}  // namespace overlord::proxy
