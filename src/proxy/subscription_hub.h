#pragma once
// SubscriptionHub: what all clients of one worker have subscribed to at one backend, over one connection of its own.
//
// The backend confirms in the order of the commands, so what is expected is a queue. A connection that is lost is tried
// again, and everything is subscribed again then; what was published meanwhile is lost, as it is for a client of the
// server. A silent connection is asked with PING.
// The hub finds its backend by id each time, because a backend may go.

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "net/timer.h"
#include "proxy/backend.h"
#include "proxy/pool.h"

namespace overlord::proxy {

enum class TopicKind : uint8_t { channel, pattern, shard };
inline constexpr size_t kTopicKinds = 3;

class SubscriptionHub;

class HubListener {
 public:
  // The backend confirmed the subscription, or would not have it.
  virtual void on_confirmed(SubscriptionHub& hub, TopicKind kind, std::string_view name) noexcept = 0;
  virtual void on_refused(SubscriptionHub& hub, TopicKind kind, std::string_view name) noexcept = 0;
  // bytes: the message as the backend wrote it (RESP2); name: the channel or pattern that was subscribed to.
  virtual void on_message(TopicKind kind, std::string_view name, std::string_view bytes) noexcept = 0;
  // The connection is gone: nothing is subscribed any more.
  virtual void on_hub_lost(SubscriptionHub& hub) noexcept = 0;
  // It is there (again): whatever the hub should have is to be asked for.
  virtual void on_hub_open(SubscriptionHub& hub) noexcept = 0;

 protected:
  ~HubListener() = default;
};

class SubscriptionHub final : public LeaseHolder {
 public:
  SubscriptionHub(Turn& turn, Pool& pool, int32_t backend, HubListener& listener);
  ~SubscriptionHub();
  SubscriptionHub(const SubscriptionHub&) = delete;
  SubscriptionHub& operator=(const SubscriptionHub&) = delete;

  uint32_t topics = 0;  // the listener's: so many want to be subscribed to here

  int32_t backend() const { return backend_; }
  // Opens when there is no connection. False: there is none to be had now; `why` says so.
  bool open(routing::Failure& why);
  bool up() const { return connection_ != nullptr; }
  // Only while up.
  void ask(TopicKind kind, std::string_view name, bool subscribe);
  // Nothing is subscribed to any more.
  void close();
  // Tries again to open after a while, until it is open or closed.
  void retry_later();
  void tick();  // about once a second

  // LeaseHolder
  void on_lease_lost() noexcept override;
  bool on_push(std::string_view message) noexcept override;

 private:
  struct Expected {
    TopicKind kind;
    bool subscribe;
    std::string name;
  };

  void retry();

  Turn& turn_;
  Pool& pool_;
  const int32_t backend_;
  HubListener& listener_;
  BackendConnection* connection_ = nullptr;
  LeasePool* leases_ = nullptr;
  std::deque<Expected> expected_;
  uint64_t last_heard_ = 0;
  uint64_t asked_since_ = 0;  // an answer is missing since then; 0: none is
  uint64_t read_timeout_ = 0;
  uint32_t attempts_ = 0;
  net::Timer retry_;
};

}  // namespace overlord::proxy
