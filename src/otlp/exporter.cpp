#include "otlp/exporter.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace overlord::otlp {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPeriod{100};    // between looks at the source
constexpr milliseconds kPatience{500};  // a batch that is not full waits for so long
constexpr milliseconds kFirstPause{500};
constexpr milliseconds kLongestPause{30'000};
constexpr milliseconds kTimeout{5000};
constexpr milliseconds kLastTimeout{1000};
constexpr int kOk = 200;
constexpr int kFirstAfterOk = 300;

bool may_go_well_later(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

http::ClientOptions options_with(milliseconds timeout, const std::atomic<bool>* cancel) {
  return {.connect_timeout = timeout,
          .timeout = timeout,
          .max_body = 64 * 1024,
          .content_type = "application/json",
          .cancel = cancel};
}

}  // namespace

Exporter::Exporter(const std::string& endpoint, Resource resource, Source source)
    : endpoint_(endpoint), resource_(std::move(resource)), source_(std::move(source)), next_send_(Clock::now()) {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "otlp");
    work();
  });
}

void Exporter::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  cancelled_.store(true);
  wake_.notify_one();
  thread_.join();
}

TraceCounts Exporter::counts() const {
  return {.sent = sent_.load(std::memory_order_relaxed),
          .rejected = rejected_.load(std::memory_order_relaxed),
          .dropped = given_up_.load(std::memory_order_relaxed) + lost_before_.load(std::memory_order_relaxed)};
}

void Exporter::work() {
  http::Client client(endpoint_, options_with(kTimeout, &cancelled_));
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kPeriod, [this] { return stopping_; })) {
    lock.unlock();
    const bool nothing = waiting_.empty() && batch_.empty();
    collect();
    const auto now = Clock::now();
    if (nothing && !waiting_.empty()) next_send_ = now + kPatience;
    const bool full = tries_ == 0 && waiting_.size() >= kBatch;
    if (full || (now >= next_send_ && !(waiting_.empty() && batch_.empty()))) send(client);
    lock.lock();
  }
  lock.unlock();
  collect();
  http::Client last(endpoint_, options_with(kLastTimeout, nullptr));
  const auto deadline = Clock::now() + kLastTimeout;
  tries_ = kMostTries;  // there is no later
  while (!(waiting_.empty() && batch_.empty()) && Clock::now() < deadline && !failing_) send(last);
}

void Exporter::collect() {
  uint64_t too_many = 0;
  const uint64_t lost = source_([&](const slowlog::Entry& entry) {
    if (waiting_.size() < kMostWaiting) {
      waiting_.push_back(entry);
    } else {
      ++too_many;
    }
  });
  lost_before_.store(lost, std::memory_order_relaxed);
  given_up_.fetch_add(too_many, std::memory_order_relaxed);
}

void Exporter::send(http::Client& client) {
  if (batch_.empty()) {
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kBatch));
    batch_.assign(waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
  }
  const auto answer = client.ask("POST", "/v1/traces", traces_body(resource_, batch_, [this] { return random_(); }));
  if (!answer) return later({}, answer.error().message);
  const std::string why = "HTTP " + std::to_string(answer->status);
  if (may_go_well_later(answer->status)) return later(answer->retry_after, why);
  if (answer->status < kOk || answer->status >= kFirstAfterOk) {
    return give_up(why + " " + answer->body.substr(0, 200), rejected_);
  }
  const PartialSuccess partial = partial_success(answer->body);
  if (partial.rejected > 0) {
    static LogEvery every(std::chrono::seconds(10));
    if (auto turn = every.next()) {
      log_warn("otlp: the collector rejected ", partial.rejected, " spans: ", partial.message, turn.suffix());
    }
  }
  if (std::exchange(failing_, false)) log_info("otlp: ", endpoint_, " takes traces again");
  sent_.fetch_add(batch_.size(), std::memory_order_relaxed);
  batch_.clear();
  tries_ = 0;
  next_send_ = Clock::now() + kPatience;
}

void Exporter::later(milliseconds least, const std::string& why) {
  if (++tries_ >= kMostTries) return give_up(why, given_up_);
  if (!std::exchange(failing_, true)) log_warn("otlp: ", endpoint_, " takes no traces: ", why, "; trying again");
  const milliseconds pause = std::min(kFirstPause * (1 << std::min(tries_ - 1, 10)), kLongestPause);
  const milliseconds jitter(std::uniform_int_distribution<int64_t>(0, pause.count() / 2)(random_));
  next_send_ = Clock::now() + std::max(pause + jitter, std::min(least, 4 * kLongestPause));
}

void Exporter::give_up(const std::string& why, std::atomic<uint64_t>& counted) {
  static LogEvery every(std::chrono::seconds(10));
  if (auto turn = every.next()) {
    log_warn("otlp: gave up ", batch_.size(), " requests: ", why, turn.suffix());
  }
  failing_ = true;
  counted.fetch_add(batch_.size(), std::memory_order_relaxed);
  batch_.clear();
  tries_ = 0;
  next_send_ = Clock::now() + kFirstPause;
}

}  // namespace overlord::otlp
