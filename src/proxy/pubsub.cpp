#include "proxy/pubsub.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace overlord::proxy {

using routing::Failure;

PubSub::PubSub(Turn& turn, Pool& pool, const std::string& name, bool ring)
    : turn_(turn), pool_(pool), name_(name), ring_(ring) {}

void PubSub::find_places(TopicKind kind, std::string_view name, std::vector<int32_t>& out) const {
  out.clear();
  const bool notifications = name.starts_with("__keyspace@") || name.starts_with("__keyevent@");
  const bool everywhere =
      kind == TopicKind::pattern ? ring_ || notifications : kind == TopicKind::channel && notifications;
  if (everywhere) {
    std::vector<Backend*> owners;
    pool_.owners(owners);
    for (const Backend* backend : owners) out.push_back(backend->id());
  } else if (const int32_t target = pool_.target(name); target != routing::kNoTarget) {
    out.push_back(target);
  }
}

SubscriptionHub& PubSub::hub(int32_t backend) {
  for (auto& known : hubs_) {
    if (known->backend() == backend) return *known;
  }
  hubs_.push_back(std::make_unique<SubscriptionHub>(turn_, pool_, backend, *this));
  return *hubs_.back();
}

bool PubSub::active(const Topic& topic) {
  return !topic.places.empty() && std::ranges::all_of(topic.places, &Place::active);
}

bool PubSub::add_place(Topic& topic, TopicKind kind, std::string_view name, int32_t backend, Failure& why) {
  SubscriptionHub& there = hub(backend);
  const bool was_up = there.up();
  if (there.open(why)) {
    if (!was_up) on_hub_open(there);
    if (there.up()) there.ask(kind, name, true);
  }
  if (!there.up()) {
    if (why == Failure::none) why = Failure::backend_down;
    there.retry_later();
  }
  topic.places.push_back({&there, false});
  ++there.topics;
  return there.up();
}

void PubSub::leave_places(Topic& topic, TopicKind kind, std::string_view name) {
  for (const Place& place : topic.places) {
    --place.hub->topics;
    if (place.hub->up()) place.hub->ask(kind, name, false);
  }
  topic.places.clear();
}

PubSub::Result PubSub::subscribe(Subscriber& subscriber, TopicKind kind, std::string_view name, Failure& why) {
  Topics& all = topics(kind);
  auto found = all.find(name);
  if (found == all.end()) {
    std::vector<int32_t> places;
    find_places(kind, name, places);
    if (places.empty()) {
      why = Failure::no_backend;
      return Result::failed;
    }
    Topic fresh;
    bool open = true;
    for (const int32_t backend : places) open = add_place(fresh, kind, name, backend, why) && open;
    if (!open) {
      leave_places(fresh, kind, name);
      return Result::failed;
    }
    found = all.emplace(std::string(name), std::move(fresh)).first;
  }
  Topic& topic = found->second;
  // One that others have and that is being restored: as when the node is asked for anything else now.
  const bool restoring =
      topic.places.empty() || !std::ranges::all_of(topic.places, [](const Place& place) { return place.hub->up(); });
  if (restoring) {
    why = Failure::backend_down;
    return Result::failed;
  }
  topic.subscribers.push_back(&subscriber);
  if (active(topic)) return Result::active;
  topic.waiting.push_back(&subscriber);
  return Result::waiting;
}

void PubSub::unsubscribe(Subscriber& subscriber, TopicKind kind, std::string_view name) {
  Topics& all = topics(kind);
  const auto found = all.find(name);
  if (found == all.end()) return;
  Topic& topic = found->second;
  std::erase(topic.waiting, &subscriber);
  const auto at = std::ranges::find(topic.subscribers, &subscriber);
  if (at == topic.subscribers.end()) return;
  *at = topic.subscribers.back();
  topic.subscribers.pop_back();
  if (!topic.subscribers.empty()) return;
  leave_places(topic, kind, name);
  all.erase(found);
}

// Whoever waits for it. They may unsubscribe, so the topic may be gone when this returns.
void PubSub::tell(Topic& topic, TopicKind kind, std::string_view name, Failure failure) {
  for (Subscriber* subscriber : std::exchange(topic.waiting, {})) subscriber->on_subscribed(kind, name, failure);
}

void PubSub::on_confirmed(SubscriptionHub& hub, TopicKind kind, std::string_view name) noexcept {
  const auto found = topics(kind).find(name);
  if (found == topics(kind).end()) return;
  Topic& topic = found->second;
  for (Place& place : topic.places) {
    if (place.hub == &hub) place.active = true;
  }
  if (active(topic)) tell(topic, kind, name, Failure::none);
}

void PubSub::on_refused(SubscriptionHub& hub, TopicKind kind, std::string_view name) noexcept {
  const auto found = topics(kind).find(name);
  if (found == topics(kind).end()) return;
  // Whoever has it already gets it back when the node is known that takes it (housekeeping).
  Topic& topic = found->second;
  std::erase_if(topic.places, [&hub](const Place& place) {
    if (place.hub == &hub) --hub.topics;
    return place.hub == &hub;
  });
  incomplete_ = true;
  tell(topic, kind, name, Failure::connection_lost);
}

void PubSub::on_message(TopicKind kind, std::string_view name, std::string_view bytes) noexcept {
  const auto found = topics(kind).find(name);
  if (found == topics(kind).end()) return;  // the last one has just left
  for (Subscriber* subscriber : found->second.subscribers) subscriber->on_message(bytes);
}

void PubSub::on_hub_lost(SubscriptionHub& hub) noexcept {
  if (hub.topics == 0) return;
  hub.retry_later();
  std::vector<std::pair<TopicKind, std::string>> disappointed;
  for (size_t kind = 0; kind < kTopicKinds; ++kind) {
    for (auto& [name, topic] : topics_[kind]) {
      for (Place& place : topic.places) {
        if (place.hub == &hub) place.active = false;
      }
      if (!topic.waiting.empty() && !active(topic)) disappointed.emplace_back(static_cast<TopicKind>(kind), name);
    }
  }
  static LogEvery every(std::chrono::seconds(1));
  if (auto turn = every.next()) {
    log_warn("cluster ", name_, ": lost the connection for ", hub.topics, " subscriptions; subscribing again",
             turn.suffix());
  }
  for (const auto& [kind, name] : disappointed) {
    const auto found = topics(kind).find(name);
    if (found != topics(kind).end()) tell(found->second, kind, name, Failure::connection_lost);
  }
}

void PubSub::on_hub_open(SubscriptionHub& hub) noexcept {
  for (size_t kind = 0; kind < kTopicKinds; ++kind) {
    for (auto& [name, topic] : topics_[kind]) {
      for (const Place& place : topic.places) {
        if (place.hub == &hub && hub.up()) hub.ask(static_cast<TopicKind>(kind), name, true);
      }
    }
  }
}

// Keys have moved: subscriptions go to where their messages are published now.
void PubSub::replace(Topic& topic, TopicKind kind, std::string_view name) {
  std::vector<int32_t> wanted;
  find_places(kind, name, wanted);
  if (wanted.empty()) return;
  std::erase_if(topic.places, [&](const Place& place) {
    if (std::ranges::find(wanted, place.hub->backend()) != wanted.end()) return false;
    --place.hub->topics;
    if (place.hub->up()) place.hub->ask(kind, name, false);
    return true;
  });
  for (const int32_t backend : wanted) {
    const auto same = [backend](const Place& place) { return place.hub->backend() == backend; };
    Failure why = Failure::none;
    if (std::ranges::find_if(topic.places, same) == topic.places.end()) add_place(topic, kind, name, backend, why);
  }
}

void PubSub::housekeeping() {
  if (hubs_.empty()) return;
  if (placement_ != pool_.placement() || std::exchange(incomplete_, false)) {
    placement_ = pool_.placement();
    for (size_t kind = 0; kind < kTopicKinds; ++kind) {
      for (auto& [name, topic] : topics_[kind]) replace(topic, static_cast<TopicKind>(kind), name);
    }
  }
  for (auto& hub : hubs_) hub->tick();
  std::erase_if(hubs_, [](const auto& hub) { return hub->topics == 0; });
}

}  // namespace overlord::proxy
