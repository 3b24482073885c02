#pragma once
// Feed: what changes in the store, for those who look on: events of web pages and command lines, and proxies that wait for
// a new configuration. One thread watches the store; the newest events are kept in memory, older ones come from the store
// itself as long as it has them.
//
// An event has the revision of its transaction; several may share one. Secrets are in none of them.

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "http/server.h"
#include "store/store.h"

namespace overlord::api {

struct FeedEvent {
  store::Revision revision = 0;
  std::string type{};  // "cluster", "job", ...; empty: not for anybody's eyes, but streams may end by it
  std::string name{};
  bool removed = false;
  std::string data{};  // JSON of what can be shown; empty: nothing
  std::string key{};
  std::string cluster{};  // that it is about; empty: none
};

// Nothing: nobody is to see it.
std::optional<FeedEvent> feed_event(const store::Event& event);

class Feed {
 public:
  static constexpr size_t kKept = 20'000;  // events

  explicit Feed(store::Store& store) : store_(store) {}
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  void start();
  void stop();

  // Whether the store is being watched now.
  bool healthy() const { return healthy_.load(); }
  // Grows with each change that may matter to proxies.
  uint64_t proxy_version() const { return proxy_version_.load(); }

  // Events from that revision on, as many as `most`; nothing: some of them are not kept here any more. 0: none.
  std::optional<std::vector<FeedEvent>> since(store::Revision from, size_t most) const;
  // Where the next event will be at the earliest.
  store::Revision next() const;
  // From the store: events from that revision up to those that are kept here; nothing: it has forgotten them, or they are
  // more than kKept.
  std::optional<std::vector<FeedEvent>> earlier(store::Revision from);

 private:
  void run();
  // False: the watch is over.
  bool follow(store::Watch& watch);
  void take(const store::Batch& batch);
  bool stopping() const { return stopping_.load(); }

  store::Store& store_;
  std::atomic<bool> healthy_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> proxy_version_{1};

  mutable std::mutex mutex_;  // guards what follows
  std::deque<FeedEvent> kept_;
  store::Revision begin_ = 0;  // all events from here on are kept
  store::Revision next_ = 0;
  store::Watch* watch_ = nullptr;

  std::thread thread_;
};

// What a client asks to see.
struct FeedFilter {
  std::vector<std::string> types{};  // empty: all
  std::string cluster{};             // empty: all
};

// Server-sent events, from a revision on. Ends when the token or the user that asked for it changes, and after an hour:
// clients come back with the header Last-Event-ID.
std::shared_ptr<http::Stream> event_stream(Feed& feed, store::Revision from, std::vector<FeedEvent> first,
                                           FeedFilter filter, std::string token_key, std::string user_key,
                                           std::atomic<int64_t>& streams);

}  // namespace overlord::api
