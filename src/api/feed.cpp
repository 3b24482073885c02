#include "api/feed.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

using std::chrono::milliseconds;
namespace keys = store::keys;

constexpr milliseconds kPatience{1000};
constexpr milliseconds kFirstPatience{10};  // until it is known that the watch holds
constexpr milliseconds kRest{500};          // before a watch that failed is begun anew

bool matters_to_proxies(std::string_view key) {
  return (key.starts_with(keys::kClusters) && !key.contains("/appids/")) ||
         (key.starts_with(keys::kInstances) && key.ends_with("/info"));
}

}  // namespace

Feed::~Feed() { stop(); }

void Feed::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "feed");
    run();
  });
}

void Feed::stop() {
  stopping_.store(true);
  {
    const std::lock_guard lock(mutex_);
    if (watch_ != nullptr) watch_->stop();
  }
  if (thread_.joinable()) thread_.join();
}

void Feed::run() {
  while (!stopping()) {
    store::Revision from = next();
    if (from == 0) {
      const auto page = store_.list(keys::kRoot, {.limit = 1});
      if (page) {
        const std::lock_guard lock(mutex_);
        begin_ = next_ = from = page->revision + 1;
        kept_.clear();
      }
    }
    if (from != 0) {
      auto watch = store_.watch(keys::kRoot, from);
      if (watch) {
        {
          const std::lock_guard lock(mutex_);
          watch_ = watch->get();
        }
        if (stopping()) (*watch)->stop();
        const bool again = follow(**watch);
        const std::lock_guard lock(mutex_);
        watch_ = nullptr;
        if (!again) next_ = 0;  // what was missed is missed: streams are told so
      } else if (watch.error().trouble == store::Trouble::compacted) {
        const std::lock_guard lock(mutex_);
        next_ = 0;
      }
    }
    healthy_.store(false);
    for (milliseconds waited{0}; waited < kRest && !stopping(); waited += milliseconds(50)) {
      std::this_thread::sleep_for(milliseconds(50));
    }
  }
}

// True: it can go on where it was.
bool Feed::follow(store::Watch& watch) {
  milliseconds patience = kFirstPatience;
  while (!stopping()) {
    const auto batch = watch.next(std::exchange(patience, kPatience));
    if (batch) {
      healthy_.store(true);
      take(*batch);
      continue;
    }
    healthy_.store(false);
    if (batch.error().trouble == store::Trouble::unavailable) {
      static LogEvery every(std::chrono::seconds(10));
      if (const auto turn = every.next()) log_warn("feed: ", batch.error().message, turn.suffix());
      std::this_thread::sleep_for(milliseconds(50));
      continue;
    }
    log_warn("feed: begins anew: ", batch.error().message);
    return batch.error().trouble != store::Trouble::compacted;
  }
  return true;
}

void Feed::take(const store::Batch& batch) {
  bool for_proxies = false;
  const std::lock_guard lock(mutex_);
  for (const store::Event& event : batch.events) {
    for_proxies = for_proxies || matters_to_proxies(event.record.key);
    if (auto made = feed_event(event)) kept_.push_back(std::move(*made));
  }
  next_ = std::max(next_, batch.next);
  while (kept_.size() > kKept) {
    begin_ = kept_.front().revision + 1;
    kept_.pop_front();
  }
  if (for_proxies) proxy_version_.fetch_add(1);
}

store::Revision Feed::next() const {
  const std::lock_guard lock(mutex_);
  return next_;
}

std::optional<std::vector<FeedEvent>> Feed::since(store::Revision from, size_t most) const {
  const std::lock_guard lock(mutex_);
  if (next_ == 0 || from < begin_) return std::nullopt;
  auto found = std::ranges::lower_bound(kept_, from, {}, &FeedEvent::revision);
  std::vector<FeedEvent> out;
  // Those of one revision stay together.
  for (; found != kept_.end() && (out.size() < most || found->revision == out.back().revision); ++found) {
    out.push_back(*found);
  }
  return out;
}

std::optional<std::vector<FeedEvent>> Feed::earlier(store::Revision from) {
  store::Revision until = 0;
  {
    const std::lock_guard lock(mutex_);
    until = begin_;
  }
  std::vector<FeedEvent> out;
  auto watch = store_.watch(keys::kRoot, from);
  if (!watch) return std::nullopt;
  for (store::Revision at = from; at < until;) {
    const auto batch = (*watch)->next(kPatience);
    if (!batch || batch->events.empty()) return std::nullopt;
    for (const store::Event& event : batch->events) {
      if (event.record.modified >= until) break;
      if (auto made = feed_event(event)) out.push_back(std::move(*made));
    }
    at = batch->next;
    if (out.size() > kKept) return std::nullopt;
  }
  return out;
}

}  // namespace overlord::api
