#pragma once
// PubSub: who of one worker's clients of a cluster has subscribed to what. Clients share subscriptions: each channel is
// subscribed to once for all of them, over one connection per backend (SubscriptionHub).
//
// Where: a channel is at the node that its name hashes to, as a key would be, because PUBLISH goes there too. Patterns
// are at every node of a ring, and so are the channels of keyspace notifications, which each node sends for its own
// keys. The nodes of a Redis Cluster pass messages on to each other, so one of them is enough there.

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/pool.h"
#include "proxy/subscription_hub.h"

namespace overlord::proxy {

class Subscriber {
 public:
  // A message for it, as RESP2.
  virtual void on_message(std::string_view bytes) noexcept = 0;
  // A subscription for which it was told to wait is there, or has failed.
  virtual void on_subscribed(TopicKind kind, std::string_view name, routing::Failure failure) noexcept = 0;

 protected:
  ~Subscriber() = default;
};

class PubSub final : public HubListener {
 public:
  PubSub(Turn& turn, Pool& pool, const std::string& name, bool ring);

  enum class Result : uint8_t { active, waiting, failed };
  // Once per subscriber and topic. waiting: on_subscribed follows; the subscriber gets messages from now on.
  Result subscribe(Subscriber& subscriber, TopicKind kind, std::string_view name, routing::Failure& why);
  // Also after a failure, and while waiting.
  void unsubscribe(Subscriber& subscriber, TopicKind kind, std::string_view name);

  void housekeeping();  // about once a second
  // Topics may belong to other backends, or their backends have been replaced: they move at once.
  void look_again() {
    incomplete_ = true;
    housekeeping();
  }

  // HubListener
  void on_confirmed(SubscriptionHub& hub, TopicKind kind, std::string_view name) noexcept override;
  void on_refused(SubscriptionHub& hub, TopicKind kind, std::string_view name) noexcept override;
  void on_message(TopicKind kind, std::string_view name, std::string_view bytes) noexcept override;
  void on_hub_lost(SubscriptionHub& hub) noexcept override;
  void on_hub_open(SubscriptionHub& hub) noexcept override;

 private:
  // A topic at one of its nodes.
  struct Place {
    SubscriptionHub* hub;
    bool active;
  };
  struct Topic {
    std::vector<Subscriber*> subscribers;
    std::vector<Subscriber*> waiting;
    std::vector<Place> places;
  };
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard library looks for it
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Topics = std::unordered_map<std::string, Topic, Hash, std::equal_to<>>;

  Topics& topics(TopicKind kind) { return topics_[static_cast<size_t>(kind)]; }
  void find_places(TopicKind kind, std::string_view name, std::vector<int32_t>& out) const;
  SubscriptionHub& hub(int32_t backend);
  bool add_place(Topic& topic, TopicKind kind, std::string_view name, int32_t backend, routing::Failure& why);
  void leave_places(Topic& topic, TopicKind kind, std::string_view name);
  void replace(Topic& topic, TopicKind kind, std::string_view name);
  static bool active(const Topic& topic);
  static void tell(Topic& topic, TopicKind kind, std::string_view name, routing::Failure failure);

  Turn& turn_;
  Pool& pool_;
  const std::string name_;  // of the cluster
  const bool ring_;
  std::array<Topics, kTopicKinds> topics_;
  std::vector<std::unique_ptr<SubscriptionHub>> hubs_;
  bool incomplete_ = false;  // a topic lacks a place
  uint64_t placement_ = 0;   // of the pool, when the places were last looked at
};

}  // namespace overlord::proxy
