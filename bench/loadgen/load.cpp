#include "loadgen/load.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "loadgen/process_clock.h"

namespace loadgen {
namespace {

constexpr size_t kInputSize = 256 * 1024;
constexpr uint32_t kPreloadDepth = 32;
constexpr int64_t kSecond = 1'000'000'000;
/// A server that answers nothing for this long has lost the requests.
constexpr int64_t kStall = 10 * kSecond;
constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

Tally operator-(const Tally& a, const Tally& b) {
  return {a.replies - b.replies, a.hits - b.hits,   a.misses - b.misses,
          a.errors - b.errors,   a.wrong - b.wrong, a.reordered - b.reordered};
}

}  // namespace

/// One client connection: a ring of the requests that wait for replies, and the bytes that did not fit anywhere.
struct Load::Connection {
  Channel channel{-1};
  bool writable_watched = false;
  uint32_t head = 0;
  uint32_t waiting = 0;
  std::vector<Request> ring;
  std::vector<std::array<uint32_t, kMaxMulti>> multi;
  std::string unread;
  std::string unsent;

  Request& front() { return ring[head]; }
  Request& push() {
    const size_t at = (head + waiting++) % ring.size();
    Request& request = ring[at];
    request = Request{};
    if (!multi.empty()) request.multi = &multi[at];
    return request;
  }
  void pop() {
    head = head + 1 == ring.size() ? 0 : head + 1;
    --waiting;
  }
};

Load::Load(const Options& options, const Keyspace& keys, const Wire& wire, std::vector<Channel> channels)
    : options_(options),
      wire_(wire),
      usable_(usable_keys(options, keys)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      connections_(channels.size()),
      events_(1024),
      input_(std::max(kInputSize, keys.value_size() + 4096)),
      output_(wire.max_request_size() * std::max(options.pipeline, kPreloadDepth)),
      alive_(channels.size()) {
  for (size_t i = 0; i < channels.size(); ++i) {
    Connection& c = connections_[i];
    c.channel = std::move(channels[i]);
    c.ring.resize(std::max(options.pipeline, kPreloadDepth));
    if (options.multi_get > 1) c.multi.resize(c.ring.size());
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &c;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, c.channel.fd(), &event);
  }
}

Load::~Load() {
  connections_.clear();
  close(epoll_);
}

LoadResult Load::preload() {
  PreloadSource source(usable_);
  depth_ = kPreloadDepth;
  grouped_ = false;
  rate_ = 0;
  phase_end_ = kForever;
  left_ = usable_.empty() ? options_.keys : usable_.size();
  begin_window(now_ns());
  loop(source);
  return result_;
}

LoadResult Load::run() {
  MixSource source(options_, usable_);
  depth_ = options_.pipeline;
  grouped_ = options_.grouped;
  rate_ = options_.rate;
  phase_ = Phase::kWarmup;
  left_ = kUnlimited;
  const int64_t now = now_ns();
  schedule_start_ = now;
  scheduled_ = 0;
  phase_end_ = now + static_cast<int64_t>(options_.warmup_seconds * kSecond);
  advance_phase(now);
  loop(source);
  return result_;
}

void Load::loop(Source& source) {
  int64_t now = now_ns();
  last_progress_ = now;
  if (rate_ == 0) fill_all(source, now);
  while (alive_ > 0) {
    if (rate_ > 0) send_due(source, now);
    if (outstanding_ == 0 && !may_send()) break;
    const int count = wait_for_events(now);
    now = now_ns();
    advance_phase(now);
    for (int i = 0; i < count; ++i) {
      Connection& c = *static_cast<Connection*>(events_[i].data.ptr);
      if (c.channel.open() && (events_[i].events & EPOLLOUT) != 0) flush_rest(c);
      if (c.channel.open() && (events_[i].events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) on_readable(c, source);
    }
    if (count > 0)
      last_progress_ = now;
    else if (outstanding_ > 0 && now - last_progress_ > kStall)
      break;
  }
  now = now_ns();
  if (phase_ != Phase::kDrain) end_window(now);
  result_.total = tally_;
  result_.unanswered = unanswered_ + outstanding_;
  result_.lost_connections = lost_;
}

void Load::advance_phase(int64_t now) {
  if (phase_ == Phase::kWarmup && now >= phase_end_) {
    begin_window(now);
    left_ = options_.requests > 0 ? options_.requests : kUnlimited;
    phase_end_ = options_.requests > 0 ? kForever : now + static_cast<int64_t>(options_.duration_seconds * kSecond);
  } else if (phase_ == Phase::kWindow && now >= phase_end_) {
    end_window(now);
  }
}

void Load::begin_window(int64_t now) {
  phase_ = Phase::kWindow;
  window_start_ = now;
  result_ = LoadResult{};
  tally_at_start_ = tally_;
  for (const int pid : options_.watched_pids) {
    result_.watched.push_back({pid, process_cpu_ns(pid), process_ticks_ns(pid)});
  }
  result_.own_cpu_ns = own_cpu_ns();
}

void Load::end_window(int64_t now) {
  phase_ = Phase::kDrain;
  result_.own_cpu_ns = own_cpu_ns() - result_.own_cpu_ns;
  for (WatchedCpu& w : result_.watched) {
    const int64_t cpu = process_cpu_ns(w.pid);
    const int64_t ticks = process_ticks_ns(w.pid);
    w.scheduler_ns = cpu < 0 || w.scheduler_ns < 0 ? -1 : cpu - w.scheduler_ns;
    w.ticks_ns = ticks < 0 || w.ticks_ns < 0 ? -1 : ticks - w.ticks_ns;
  }
  result_.seconds = static_cast<double>(now - window_start_) / kSecond;
  result_.window = tally_ - tally_at_start_;
  if (rate_ > 0) {
    const auto wanted = static_cast<uint64_t>(static_cast<double>(now - schedule_start_) / kSecond * rate_);
    result_.unsent = wanted > scheduled_ ? wanted - scheduled_ : 0;
  }
}

int Load::wait_for_events(int64_t now) {
  int64_t until = now + kSecond;
  if (phase_ != Phase::kDrain) until = std::min(until, phase_end_);
  if (rate_ > 0 && may_send()) {
    // With every connection full the schedule waits for a reply, not for its time.
    const int64_t due = schedule_start_ + static_cast<int64_t>(static_cast<double>(scheduled_) / rate_ * kSecond);
    if (due > now) until = std::min(until, due);
  }
  const int64_t left = std::max<int64_t>(until - now, 0);
  const timespec timeout{left / kSecond, left % kSecond};
  return epoll_pwait2(epoll_, events_.data(), static_cast<int>(events_.size()), &timeout, nullptr);
}

void Load::fill_all(Source& source, int64_t now) {
  for (Connection& c : connections_) {
    if (c.channel.open()) refill(c, source, now);
  }
}

void Load::send_due(Source& source, int64_t now) {
  size_t full = 0;
  while (may_send() && full < connections_.size()) {
    const int64_t due = schedule_start_ + static_cast<int64_t>(static_cast<double>(scheduled_) / rate_ * kSecond);
    if (due > now) return;
    Connection& c = connections_[cursor_];
    cursor_ = cursor_ + 1 == connections_.size() ? 0 : cursor_ + 1;
    if (!c.channel.open() || c.waiting >= depth_) {
      ++full;
      continue;
    }
    full = 0;
    ++scheduled_;
    char* end = append_request(c, source, due, output_.data());
    send_bytes(c, {output_.data(), static_cast<size_t>(end - output_.data())});
  }
}

void Load::on_readable(Connection& c, Source& source) {
  const ssize_t n = c.channel.receive(input_.data(), input_.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    // Half a reply is a wrong one; a close between replies only loses requests.
    drop(c, !c.unread.empty() || (c.waiting > 0 && (c.front().header_seen || c.front().answered > 0)), c.unread);
    return;
  }
  const int64_t now = now_ns();
  std::string_view in(input_.data(), static_cast<size_t>(n));
  if (c.unread.empty()) {
    take_replies(c, in, now);
    if (c.channel.open() && !in.empty()) c.unread.assign(in);
  } else {
    c.unread.append(in);
    in = c.unread;
    take_replies(c, in, now);
    if (c.channel.open()) c.unread.erase(0, c.unread.size() - in.size());
  }
  if (c.channel.open() && rate_ == 0) refill(c, source, now);
}

void Load::take_replies(Connection& c, std::string_view& in, int64_t now) {
  while (!in.empty()) {
    if (c.waiting == 0) return drop(c, true, in);
    Request& request = c.front();
    const Verdict verdict = wire_.check(in, request, tally_);
    if (verdict == Verdict::kNeedMore) return;
    if (verdict == Verdict::kBroken) return drop(c, true, in);
    ++tally_.replies;
    if (phase_ == Phase::kWindow) result_.latency.record(now - request.due_ns);
    c.pop();
    --outstanding_;
  }
}

void Load::refill(Connection& c, Source& source, int64_t now) {
  if (grouped_ && c.waiting > 0) return;
  char* end = output_.data();
  while (c.waiting < depth_ && may_send()) end = append_request(c, source, now, end);
  if (end != output_.data()) send_bytes(c, {output_.data(), static_cast<size_t>(end - output_.data())});
}

char* Load::append_request(Connection& c, Source& source, int64_t due, char* to) {
  Request& request = c.push();
  request.due_ns = due;
  source.next(request);
  ++outstanding_;
  if (left_ != kUnlimited) --left_;
  return wire_.write(request, to);
}

void Load::send_bytes(Connection& c, std::string_view bytes) {
  if (c.unsent.empty()) {
    const ssize_t n = c.channel.send(bytes);
    // A reset shows up at the next read, together with what the server still sent.
    if (n >= 0) bytes.remove_prefix(static_cast<size_t>(n));
    if (bytes.empty()) return;
  }
  c.unsent.append(bytes);
  watch_writable(c, true);
}

void Load::flush_rest(Connection& c) {
  const ssize_t n = c.channel.send(c.unsent);
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) watch_writable(c, false);
    return;
  }
  c.unsent.erase(0, static_cast<size_t>(n));
  if (c.unsent.empty()) watch_writable(c, false);
}

void Load::watch_writable(Connection& c, bool on) {
  if (c.writable_watched == on) return;
  c.writable_watched = on;
  epoll_event event{};
  event.events = EPOLLIN | (on ? static_cast<uint32_t>(EPOLLOUT) : 0u);
  event.data.ptr = &c;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, c.channel.fd(), &event);
}

void Load::drop(Connection& c, bool wrong, std::string_view bytes) {
  if (wrong) {
    ++tally_.wrong;
    show_wrong(c.waiting == 0 ? "bytes nobody asked for" : "not a whole reply to this request", bytes);
  }
  outstanding_ -= c.waiting;
  unanswered_ += c.waiting;
  ++lost_;
  c.waiting = 0;
  c.channel.close();
  c.unread.clear();
  c.unsent.clear();
  --alive_;
}

}  // namespace loadgen
