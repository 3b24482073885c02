#include "store/election.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/log.h"

namespace overlord::store {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kPause{50};  // after an error

int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

milliseconds left_until(Clock::time_point until) {
  return std::max(std::chrono::duration_cast<milliseconds>(until - Clock::now()), milliseconds(0));
}

// The key and the revision at which it was looked at.
struct Seen {
  std::optional<Record> record;
  Revision revision = 0;
};

Answer<Seen> look_at(Store& store, const std::string& key) {
  auto page = store.list(key, {.limit = 1});
  if (!page) return std::unexpected(page.error());
  Seen seen{std::nullopt, page->revision};
  // Of all that begin with it the key itself comes first.
  if (!page->records.empty() && page->records.front().key == key) seen.record = std::move(page->records.front());
  return seen;
}

}  // namespace

Candidate::Candidate(Store& store, std::string key, std::string name, std::chrono::seconds ttl)
    : store_(store), key_(std::move(key)), name_(std::move(name)), ttl_(ttl) {}

Candidate::~Candidate() { drop_lease(); }

bool Candidate::leads() const { return token_ != 0 && now_ms() < lives_until_; }

Condition Candidate::fence() const { return created_at(key_, std::max<Revision>(token_, 1)); }

bool Candidate::stopped() {
  const std::scoped_lock lock(mutex_);
  return stopped_;
}

void Candidate::stop() {
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
  if (waiting_ != nullptr) waiting_->stop();
  changed_.notify_all();
}

Answer<std::optional<Revision>> Candidate::campaign(milliseconds patience) {
  const auto until = Clock::now() + patience;
  Answer<std::optional<Revision>> last = std::nullopt;
  do {
    if (leads()) return token_.load();
    token_ = 0;
    last = try_once();
    if (last && *last) return last;
    if (!last && last.error().trouble == Trouble::refused) return last;
    Answer<Seen> seen = last ? look_at(store_, key_) : std::unexpected(last.error());
    if (seen && seen->record) {
      if (auto good = wait_for_removal(seen->revision + 1, left_until(until)); !good) {
        seen = std::unexpected(good.error());
      }
    }
    if (!seen) {
      last = std::unexpected(seen.error());
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::min(kPause, left_until(until)), [this] { return stopped_; });
    }
  } while (Clock::now() < until && !stopped());
  return last;
}

Answer<std::optional<Revision>> Candidate::try_once() {
  auto seen = look_at(store_, key_);
  if (!seen) return std::unexpected(seen.error());
  if (!seen->record) {
    if (auto good = take_lease(); !good) return std::unexpected(good.error());
    const auto made = store_.commit({{absent(key_)}, {put(key_, name_, lease_)}});
    if (!made && made.error().trouble == Trouble::expired) drop_lease();
    if (!made && made.error().trouble != Trouble::conflict && made.error().trouble != Trouble::uncertain) {
      return std::unexpected(made.error());
    }
    // Also after a conflict: an earlier try without an answer may have made it.
    seen = look_at(store_, key_);
    if (!seen) return std::unexpected(seen.error());
  }
  if (!seen->record || lease_ == 0 || seen->record->lease != lease_) return std::nullopt;
  token_ = seen->record->created;
  if (leads()) return token_.load();
  // The key is ours, but its lease may be over at any moment.
  drop_lease();
  return std::nullopt;
}

Answer<void> Candidate::wait_for_removal(Revision from, milliseconds patience) {
  const auto until = Clock::now() + patience;
  auto watch = store_.watch(key_, from);
  if (!watch) return std::unexpected(watch.error());
  const auto wait_with = [this](Watch* waiting) {
    const std::scoped_lock lock(mutex_);
    waiting_ = waiting;
    if (stopped_ && waiting != nullptr) waiting->stop();
  };
  wait_with(watch->get());
  Answer<void> outcome;
  for (bool removed = false; outcome && !removed && Clock::now() < until && !stopped();) {
    const auto batch = (*watch)->next(left_until(until));
    if (!batch) {
      outcome = std::unexpected(batch.error());
    } else {
      removed = std::ranges::any_of(batch->events, [this](const Event& event) {
        return event.kind == Event::Kind::removed && event.record.key == key_;
      });
    }
  }
  wait_with(nullptr);
  return outcome;
}

Answer<void> Candidate::take_lease() {
  if (lease_ != 0 && now_ms() < lives_until_) return {};
  drop_lease();
  const int64_t asked = now_ms();
  const auto lease = store_.grant(ttl_);
  if (!lease) return std::unexpected(lease.error());
  lease_ = lease->id;
  lives_until_ = asked + milliseconds(lease->ttl).count();
  keeper_stops_ = false;
  keeper_ = std::thread([this, id = lease_] { keep_alive(id); });
  return {};
}

Answer<void> Candidate::resign() {
  if (lease_ == 0) return {};
  {
    const std::scoped_lock lock(mutex_);
    keeper_stops_ = true;
  }
  changed_.notify_all();
  keeper_.join();
  lives_until_ = 0;
  token_ = 0;
  // Where that fails, its time will be over.
  return store_.revoke(std::exchange(lease_, 0));
}

void Candidate::keep_alive(LeaseId lease) {
  auto wait = milliseconds(ttl_) / 3;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, wait, [this] { return keeper_stops_; })) return;
    }
    const int64_t asked = now_ms();
    const auto kept = store_.keep_alive(lease);
    if (kept) {
      lives_until_ = asked + milliseconds(kept->ttl).count();
      wait = milliseconds(ttl_) / 3;
    } else if (kept.error().trouble == Trouble::expired) {
      lives_until_ = 0;
      log_warn("election ", key_, ": ", name_, " leads no more: ", kept.error().message);
      return;
    } else {
      wait = milliseconds(ttl_) / 10;
    }
  }
}

void Candidate::drop_lease() {
  const auto gone = resign();
  if (!gone) log_warn("election ", key_, ": the lease of ", name_, " ends by itself: ", gone.error().message);
}

Answer<std::optional<Leader>> leader_of(Store& store, const std::string& key) {
  auto record = store.get(key);
  if (!record) return std::unexpected(record.error());
  if (!*record) return std::nullopt;
  return Leader{std::move((*record)->value), (*record)->created};
}

Answer<void> LeaderWatch::look() {
  auto seen = look_at(store_, key_);
  if (!seen) return std::unexpected(seen.error());
  auto watch = store_.watch(key_, seen->revision + 1);
  if (!watch) return std::unexpected(watch.error());
  watch_ = std::move(*watch);
  leader_.reset();
  if (seen->record) leader_ = Leader{std::move(seen->record->value), seen->record->created};
  return {};
}

Answer<std::optional<Leader>> LeaderWatch::next(milliseconds patience) {
  if (watch_ == nullptr) {
    if (auto good = look(); !good) return std::unexpected(good.error());
    return leader_;
  }
  auto batch = watch_->next(patience);
  if (!batch) {
    if (batch.error().trouble != Trouble::unavailable) watch_.reset();
    if (batch.error().trouble != Trouble::compacted) return std::unexpected(batch.error());
    return next(patience);
  }
  for (Event& event : batch->events) {
    if (event.record.key != key_) continue;
    leader_.reset();
    if (event.kind == Event::Kind::put) leader_ = Leader{std::move(event.record.value), event.record.created};
  }
  return leader_;
}

}  // namespace overlord::store
