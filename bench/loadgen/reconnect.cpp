#include "loadgen/reconnect.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

#include "loadgen/process_clock.h"

namespace loadgen {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kStall = 10 * kSecond;
constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

Options reads_only(const Options& options) {
  Options out = options;
  out.set_ratio = 0;
  return out;
}

}  // namespace

/// One connection after the other.
struct Reconnect::Place {
  Channel channel{-1};
  SSL_SESSION* session = nullptr;
  bool served = false;  // an earlier connection was
  bool greeted = false;
  Request request;
  std::string unread;
};

Reconnect::Reconnect(const Options& options, const Keyspace& keys, const Wire& wire, Connector& connector)
    : options_(options),
      wire_(wire),
      connector_(connector),
      usable_(usable_keys(options, keys)),
      source_(reads_only(options), usable_),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      places_(options.connections),
      buffer_(wire.max_request_size() + 256 * 1024) {}

Reconnect::~Reconnect() {
  for (const Place& place : places_) free_session(place.session);
  ::close(epoll_);
}

LoadResult Reconnect::run() {
  const int64_t start = now_ns();
  const int64_t window = start + static_cast<int64_t>(options_.warmup_seconds * kSecond);
  int64_t end_of_window = std::numeric_limits<int64_t>::max();
  int64_t window_start = 0;
  int64_t last_progress = start;
  Tally before;
  left_ = kUnlimited;
  for (Place& place : places_) {
    if (!begin(place)) end(place, true);
  }
  for (int64_t now = start;; now = now_ns()) {
    if (!measuring_ && !draining_ && now >= window) {
      measuring_ = true;
      window_start = now;
      before = tally_;
      left_ = options_.requests > 0 ? options_.requests : kUnlimited;
      if (options_.requests == 0) end_of_window = now + static_cast<int64_t>(options_.duration_seconds * kSecond);
      for (const int pid : options_.watched_pids) {
        result_.watched.push_back({pid, process_cpu_ns(pid), process_ticks_ns(pid)});
      }
      result_.own_cpu_ns = own_cpu_ns();
    }
    if (measuring_ && (now >= end_of_window || left_ == 0)) {
      measuring_ = false;
      draining_ = true;
      for (WatchedCpu& w : result_.watched) {
        w.scheduler_ns = process_cpu_ns(w.pid) - w.scheduler_ns;
        w.ticks_ns = process_ticks_ns(w.pid) - w.ticks_ns;
      }
      result_.own_cpu_ns = own_cpu_ns() - result_.own_cpu_ns;
      result_.seconds = static_cast<double>(now - window_start) / kSecond;
      result_.window.replies = tally_.replies - before.replies;
      result_.window.hits = tally_.hits - before.hits;
      result_.window.misses = tally_.misses - before.misses;
      result_.window.errors = tally_.errors - before.errors;
    }
    if (std::none_of(places_.begin(), places_.end(), [](const Place& p) { return p.channel.open(); })) break;
    std::array<epoll_event, 64> events;
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 10);
    for (int i = 0; i < count; ++i) advance(*static_cast<Place*>(events[static_cast<size_t>(i)].data.ptr));
    if (count > 0) last_progress = now;
    if (now - last_progress > kStall) break;
  }
  for (Place& place : places_) result_.unanswered += place.channel.open() ? 1 : 0;
  result_.total = tally_;
  result_.lost_connections = lost_;
  return std::move(result_);
}

/// The connection is made at once, as the server is on this machine or near; its handshake is not waited for.
bool Reconnect::begin(Place& place) {
  place.channel = connector_.connect();
  if (!place.channel.open()) return false;
  if (options_.tls && options_.resume) place.channel.resume(place.session);
  place.greeted = false;
  place.unread.clear();
  place.request = Request{};
  place.request.due_ns = now_ns();
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &place;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, place.channel.fd(), &event);
  return greet(place);
}

bool Reconnect::greet(Place& place) {
  const int answer = place.channel.handshake();
  if (answer < 0) return false;
  if (answer == 0) return true;
  place.greeted = true;
  const bool must_resume = options_.resume && place.served;
  if (options_.tls && place.channel.resumed() != must_resume) ++tally_.errors;
  ask(place);
  return true;
}

void Reconnect::ask(Place& place) {
  const int64_t due = place.request.due_ns;
  source_.next(place.request);
  place.request.due_ns = due;
  const char* end = wire_.write(place.request, buffer_.data());
  place.channel.send({buffer_.data(), static_cast<size_t>(end - buffer_.data())});
}

void Reconnect::advance(Place& place) {
  if (!place.channel.open()) return;
  if (!place.greeted) {
    if (!greet(place)) end(place, true);
    return;
  }
  if (!read_reply(place)) end(place, true);
}

/// False when the connection was lost.
bool Reconnect::read_reply(Place& place) {
  const ssize_t n = place.channel.receive(buffer_.data(), buffer_.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n <= 0) {
    if (!place.unread.empty()) ++tally_.wrong;
    return false;
  }
  place.unread.append(buffer_.data(), static_cast<size_t>(n));
  std::string_view in = place.unread;
  const Verdict verdict = wire_.check(in, place.request, tally_);
  if (verdict == Verdict::kNeedMore) return true;
  if (verdict == Verdict::kBroken || !in.empty()) {
    ++tally_.wrong;
    show_wrong("not a whole reply to this request", place.unread);
    return false;
  }
  ++tally_.replies;
  if (measuring_) result_.latency.record(now_ns() - place.request.due_ns);
  if (left_ != kUnlimited && left_ > 0) --left_;
  end(place, false);
  return true;
}

void Reconnect::end(Place& place, bool lost) {
  if (lost) ++lost_;
  place.served = place.served || !lost;
  if (options_.tls && options_.resume && !lost) {
    if (SSL_SESSION* session = place.channel.session(); session != nullptr) {
      free_session(place.session);
      place.session = session;
    }
  }
  if (place.channel.open()) place.channel.reset();
  if (draining_ || left_ == 0 || lost) return;
  if (!begin(place)) {
    ++lost_;
    place.channel.close();
  }
}

}  // namespace loadgen
