#include "store/etcd_watch.h"

#include <algorithm>
#include <utility>

namespace overlord::store::etcd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{20};
constexpr milliseconds kLongestPause{1000};
constexpr int kOk = 200;

}  // namespace

EtcdWatch::EtcdWatch(std::shared_ptr<EtcdTransport> transport, std::string prefix, Revision from)
    : transport_(std::move(transport)),
      prefix_(std::move(prefix)),
      stream_(transport_->client_options()),
      next_(from) {}

void EtcdWatch::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  stop_changed_.notify_all();
  stream_.wake();
}

bool EtcdWatch::stopped() {
  const std::scoped_lock lock(mutex_);
  return stopped_;
}

void EtcdWatch::pause(Clock::time_point until) {
  pause_ = std::clamp(2 * pause_, kFirstPause, kLongestPause);
  std::unique_lock lock(mutex_);
  stop_changed_.wait_until(lock, std::min(until, Clock::now() + pause_), [this] { return stopped_; });
}

Answer<Batch> EtcdWatch::next(milliseconds patience) {
  const auto until = Clock::now() + patience;
  for (;;) {
    if (stopped()) return Batch{{}, next_};
    Answer<void> good;
    if (!connected_) good = connect();
    const auto left = std::max(std::chrono::duration_cast<milliseconds>(until - Clock::now()), milliseconds(0));
    if (good) good = receive(left);
    if (!ready_.empty()) return Batch{std::exchange(ready_, {}), next_};
    if (!good) {
      if (good.error().trouble != Trouble::unavailable || Clock::now() >= until) return std::unexpected(good.error());
      pause(until);
    } else if (Clock::now() >= until) {
      return Batch{{}, next_};
    }
  }
}

std::unexpected<Error> EtcdWatch::broken(std::string message) {
  stream_.stop();
  connected_ = false;
  transport_->avoid(member_);
  return fail(Trouble::unavailable, std::move(message));
}

Answer<void> EtcdWatch::connect() {
  // etcd itself says that a revision is forgotten only when it lies before the compaction, but a removal at just that
  // revision may be forgotten too (etcd_store.h). A state from before the first change must still be there.
  const auto known = transport_->call("/v3/kv/range", list_request(prefix_, prefix_end(prefix_), 1, next_ - 1, true),
                                      EtcdTransport::Kind::repeatable);
  // Refused is a revision of the future, which may be waited for; or what the watch will be told too.
  if (!known && known.error().trouble != Trouble::refused) return std::unexpected(known.error());
  const auto headers = transport_->headers();
  if (!headers) return std::unexpected(headers.error());
  member_ = transport_->preferred();
  received_.clear();
  searched_ = 0;
  held_.clear();
  stream_.start(transport_->member(member_), "POST", "/v3/watch", watch_request(prefix_, next_), *headers);
  connected_ = true;
  created_ = false;
  heard_ = Clock::now();
  return {};
}

Answer<void> EtcdWatch::receive(milliseconds patience) {
  const auto silent_at = std::max(
      std::chrono::duration_cast<milliseconds>(heard_ + transport_->silence() - Clock::now()), milliseconds(0));
  auto piece = stream_.read(std::min(patience, silent_at));
  if (!piece) return broken(piece.error().message);
  if (!piece->bytes.empty()) {
    heard_ = Clock::now();
    received_ += piece->bytes;
    if (piece->status == kOk) {
      if (auto good = take_lines(); !good) return good;
    } else if (received_.size() > kMaxAnswer) {
      return broken("watch: an answer without end");
    }
  }
  if (piece->ended) {
    const auto refusal = parse_refusal(received_);
    auto over = broken("watch: " + transport_->member(member_) + " has ended it");
    if (!refusal) return over;
    return std::unexpected(transport_->judge(*refusal, EtcdTransport::Kind::repeatable));
  }
  if (Clock::now() - heard_ >= transport_->silence()) {
    if (!created_ || !transport_->answers(member_)) {
      return broken("watch: " + transport_->member(member_) + " does not answer");
    }
    heard_ = Clock::now();
  }
  return {};
}

Answer<void> EtcdWatch::take_lines() {
  size_t begin = 0;
  for (;;) {
    const size_t end = received_.find('\n', std::max(begin, searched_));
    if (end == std::string::npos) break;
    const std::string line = received_.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    if (auto good = take_line(line); !good) return good;
  }
  received_.erase(0, begin);
  searched_ = received_.size();
  if (received_.size() > kMaxAnswer)
    return broken("watch: a message of more than " + std::to_string(kMaxAnswer) + " bytes");
  return {};
}

Answer<void> EtcdWatch::take_line(std::string_view line) {
  auto answer = parse_watch(line);
  if (!answer) {
    const auto refusal = parse_refusal(line);
    auto over = broken("watch: a message of " + transport_->member(member_) + " cannot be read");
    if (!refusal) return over;
    return std::unexpected(transport_->judge(*refusal, EtcdTransport::Kind::repeatable));
  }
  if (answer->canceled) {
    auto over = broken("watch: canceled: " + answer->reason);
    if (answer->compacted > 0) {
      return fail(Trouble::compacted, "changes since revision " + std::to_string(next_) +
                                          " are forgotten; those since " + std::to_string(answer->compacted + 1) +
                                          " are known");
    }
    // So etcd says it of a watch that the user may not have, and of a login that this member does not know any more.
    if (answer->reason.find("permission denied") == std::string::npos) return over;
    if (std::exchange(denied_, true)) over.error().trouble = Trouble::refused;
    transport_->forget_token();
    return over;
  }
  if (answer->created) {
    created_ = true;
    denied_ = false;
    pause_ = milliseconds(0);
  }
  take_events(std::move(answer->events), answer->fragment);
  return {};
}

void EtcdWatch::take_events(std::vector<Event> events, bool may_go_on) {
  for (Event& event : events) {
    if (event.record.modified >= next_) held_.push_back(std::move(event));
  }
  auto whole = held_.end();
  if (may_go_on && !held_.empty()) {
    whole = std::ranges::find(held_, held_.back().record.modified, [](const Event& e) { return e.record.modified; });
  }
  if (whole == held_.begin()) return;
  next_ = std::prev(whole)->record.modified + 1;
  ready_.insert(ready_.end(), std::make_move_iterator(held_.begin()), std::make_move_iterator(whole));
  held_.erase(held_.begin(), whole);
}

}  // namespace overlord::store::etcd
