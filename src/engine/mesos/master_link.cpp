#include "engine/mesos/master_link.h"

#include <algorithm>

#include "base/base64.h"
#include "base/log.h"

namespace overlord::engine {
namespace {

using std::chrono::milliseconds;

constexpr const char* kPath = "/api/v1/scheduler";
constexpr int kOk = 200;
constexpr int kAccepted = 202;
constexpr int kTemporaryRedirect = 307;
constexpr int kBadRequest = 400;
constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;
// Heartbeats that may be missing. The master's own limits to lose sight of an agent are about as long.
constexpr int kMissingHeartbeats = 3;
constexpr milliseconds kShortestSilence{1'000};
constexpr milliseconds kForEver = std::chrono::hours(24 * 365);
constexpr size_t kMostAnswer = 64 * 1024;

http::ClientOptions client_options(const MesosOptions& options, const std::atomic<bool>& cancel) {
  http::ClientOptions made;
  made.connect_timeout = options.timeout;
  made.timeout = options.timeout;
  made.max_body = kMostAnswer;
  made.cancel = &cancel;
  made.tls = options.tls;
  if (!options.secret.empty()) {
    made.headers.push_back("Authorization: Basic " + to_base64(options.framework.principal + ":" + options.secret));
  }
  return made;
}

}  // namespace

MasterLink::MasterLink(const MesosOptions& options, const std::atomic<bool>& cancel)
    : options_(options), cancel_(cancel), stream_(client_options(options, cancel), mesos::kLongestEvent) {}

void MasterLink::next_master() {
  turn_ = (turn_ + 1) % options_.masters.size();
  redirect_.clear();
}

void MasterLink::subscribe(const mesos::Framework& framework) {
  server_ = redirect_.empty() ? options_.masters[turn_] : redirect_;
  stream_id_.clear();
  master_.clear();
  subscribed_ = false;
  begun_ = true;
  heard_ = Clock::now();
  stream_.start(server_, kPath, mesos::subscribe_call(framework));
}

void MasterLink::stop() {
  stream_.stop();
  begun_ = subscribed_ = false;
  calls_.reset();
}

Result<std::vector<mesos::SchedulerEvent>> MasterLink::over(std::string why) {
  stop();
  return fail(std::move(why));
}

Result<std::vector<mesos::SchedulerEvent>> MasterLink::refused(const mesos::EventStream::Read& read) {
  if (read.status == kTemporaryRedirect) {
    const std::string location = stream_.header("location");
    const std::string to = mesos::server_of_location(location, server_);
    ++redirects_;
    if (to.empty() || redirects_ > kMostRedirects) {
      next_master();
      redirects_ = to.empty() ? 0 : redirects_;
    } else {
      redirect_ = to;
    }
    return over(server_ + " does not lead and points to " + (location.empty() ? "nobody" : location));
  }
  redirects_ = 0;
  next_master();
  std::string why = server_ + " answers SUBSCRIBE with status " + std::to_string(read.status);
  if (read.status == kUnauthorized) why += ": the principal or its secret is wrong";
  if (!read.refusal.empty()) why += ": " + read.refusal;
  return over(std::move(why));
}

Result<std::vector<mesos::SchedulerEvent>> MasterLink::read(milliseconds patience) {
  auto read = stream_.read(patience);
  const auto now = Clock::now();
  if (!read) {
    redirects_ = 0;
    next_master();
    return over(read.error().message);
  }
  if (read->heard) heard_ = now;
  if (read->status != 0 && read->status != kOk) {
    if (read->ended) return refused(*read);
    return std::vector<mesos::SchedulerEvent>{};
  }
  std::vector<mesos::SchedulerEvent> events;
  for (const std::string& text : read->events) {
    auto event = mesos::parse_scheduler_event(text);
    if (!event) {
      static LogEvery every(std::chrono::seconds(10));
      if (auto turn = every.next()) log_warn("mesos: ", event.error().message, turn.suffix());
      continue;
    }
    if (const auto* hello = std::get_if<mesos::Subscribed>(&*event)) {
      stream_id_ = stream_.header("mesos-stream-id");
      heartbeat_ = hello->heartbeat;
      master_ = server_;
      subscribed_ = true;
      redirects_ = 0;
      auto options = client_options(options_, cancel_);
      options.content_type = "application/json";
      options.headers.push_back("Mesos-Stream-Id: " + stream_id_);
      options.headers.emplace_back("Expect:");
      calls_ = std::make_unique<http::Client>(server_, options);
    }
    events.push_back(std::move(*event));
  }
  if (!events.empty()) return events;
  // The same master is asked again first: it may lead still.
  if (read->ended) return over(server_ + " has ended the stream");
  const milliseconds silence = !subscribed_ ? options_.timeout
                               : heartbeat_ == heartbeat_.zero()
                                   ? kForEver
                                   : std::max(kMissingHeartbeats * heartbeat_, kShortestSilence);
  if (now - heard_ > silence) {
    next_master();
    return over(server_ + (subscribed_ ? " has not been heard of for " : " did not answer within ") +
                std::to_string(silence.count()) + " ms");
  }
  return events;
}

MasterLink::Called MasterLink::call(const std::string& body) {
  if (!calls_) return {Fate::lost, "not subscribed"};
  const auto answer = calls_->ask("POST", kPath, body);
  if (!answer) return {Fate::lost, answer.error().message};
  if (answer->status == kAccepted || answer->status == kOk) return {};
  std::string why = "status " + std::to_string(answer->status) + ": " + answer->body;
  const bool unknown = answer->body.find("Framework cannot be found") != std::string::npos;
  // Another stream of this framework is the current one: ours ends by itself, with the reason.
  if (answer->status == kBadRequest && !unknown) return {Fate::refused, std::move(why)};
  if (answer->status == kForbidden || answer->status == kTemporaryRedirect || unknown || answer->status >= 500) {
    return {Fate::lost, std::move(why)};
  }
  return {Fate::refused, std::move(why)};
}

}  // namespace overlord::engine
