#include "executor_mesos/executor_client.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/log.h"
#include "model/json.h"

namespace overlord::executor_mesos {
namespace {

namespace api = mesos::executor;
using std::chrono::milliseconds;

constexpr const char* kPath = "/api/v1/executor";
constexpr int kOk = 200;
constexpr int kAccepted = 202;
constexpr int kBadRequest = 400;
// An agent that recovers says so with status 503. One that does not know us after that never will.
constexpr int kMostUnknown = 3;
constexpr size_t kLongestEvent = size_t{16} * 1024 * 1024;
constexpr size_t kMostMessages = 1024;  // that wait to be sent

http::ClientOptions client_options(const Environment& environment, const Times& times) {
  http::ClientOptions options;
  options.connect_timeout = times.timeout;
  options.timeout = times.timeout;
  options.max_body = 64 * 1024;
  if (!environment.token.empty()) options.headers.push_back("Authorization: Bearer " + environment.token);
  return options;
}

http::ClientOptions call_options(const Environment& environment, const Times& times) {
  auto options = client_options(environment, times);
  options.content_type = "application/json";
  options.headers.emplace_back("Expect:");
  return options;
}

double seconds_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

}  // namespace

ExecutorClient::ExecutorClient(Environment environment, Handlers handlers, Times times)
    : environment_(std::move(environment)),
      handlers_(std::move(handlers)),
      times_(times),
      stream_(client_options(environment_, times_), kLongestEvent),
      calls_(environment_.agent, call_options(environment_, times_)),
      book_(times_.again),
      back_off_(times_.back_off) {}

void ExecutorClient::update(TaskUpdate update) {
  mesos::Status status{.task_id = std::move(update.task_id),
                       .state = update.state,
                       .message = std::move(update.message),
                       .source = "SOURCE_EXECUTOR",
                       .executor_id = environment_.ids.executor,
                       .uuid = mesos::make_uuid(),
                       .timestamp = seconds_now(),
                       .healthy = update.healthy};
  {
    const std::scoped_lock lock(mutex_);
    new_updates_.push_back(std::move(status));
  }
  stream_.wake();
}

void ExecutorClient::message(std::string data) {
  {
    const std::scoped_lock lock(mutex_);
    if (new_messages_.size() >= kMostMessages) {
      log_warn("mesos: a message for the scheduler is dropped: too many wait");
      return;
    }
    new_messages_.push_back(std::move(data));
  }
  stream_.wake();
}

void ExecutorClient::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  stream_.wake();
}

Ended ExecutorClient::ended(End end, std::string why) const {
  return {end, std::move(why), book_.unacknowledged().size()};
}

Ended ExecutorClient::run() {
  lost_at_ = Clock::now();
  for (;;) {
    if (auto end = turn()) {
      stream_.stop();
      return *end;
    }
  }
}

void ExecutorClient::subscribe() {
  {
    const std::scoped_lock lock(mutex_);
    for (mesos::Status& status : new_updates_) book_.add(std::move(status));
    new_updates_.clear();
  }
  const auto tasks = book_.unacknowledged_tasks();
  stream_.start(environment_.agent, kPath, api::subscribe_call(environment_.ids, tasks, book_.unacknowledged()));
  begun_ = true;
  next_try_ = Clock::now() + times_.timeout;
}

std::optional<Ended> ExecutorClient::turn() {
  const auto now = Clock::now();
  if (!begun_ && now >= next_try_) subscribe();
  if (begun_) {
    auto read = stream_.read(times_.tick);
    if (!read) {
      if (auto end = disconnected(read.error().message)) return end;
    } else {
      for (const std::string& event : read->events) handle(event);
      if (read->ended) {
        unknown_ = read->status == kBadRequest ? unknown_ + 1 : 0;
        const std::string why = read->status == kOk ? "the agent has ended the stream"
                                                    : "SUBSCRIBE is answered with status " +
                                                          std::to_string(read->status) + ": " + read->refusal;
        if (auto end = disconnected(why)) return end;
      } else if (!subscribed_ && Clock::now() >= next_try_) {
        if (auto end = disconnected("the agent does not answer")) return end;
      }
    }
  } else {
    std::this_thread::sleep_for(std::min(times_.tick, std::chrono::duration_cast<milliseconds>(next_try_ - now)));
  }
  send_due();
  return over();
}

std::optional<Ended> ExecutorClient::over() {
  const auto now = Clock::now();
  if (shutdown_at_ && now >= *shutdown_at_) return ended(End::shutdown, "the agent's patience is over");
  {
    const std::scoped_lock lock(mutex_);
    if (!stop_ || !new_updates_.empty()) return std::nullopt;
  }
  if (!end_at_) end_at_ = now + environment_.shutdown_grace;
  if (!book_.unacknowledged().empty() && now < *end_at_) return std::nullopt;
  return ended(shutdown_at_ ? End::shutdown : End::stopped, "");
}

std::optional<Ended> ExecutorClient::disconnected(const std::string& why) {
  stream_.stop();
  begun_ = false;
  const auto now = Clock::now();
  if (subscribed_) {
    subscribed_ = false;
    lost_at_ = now;
    back_off_ = times_.back_off;
    log_warn("mesos: cut off from the agent: ", why);
    if (handlers_.connected) handlers_.connected(false);
  }
  if (ever_subscribed_ && !environment_.checkpoint) return ended(End::agent_lost, why);
  if (unknown_ >= kMostUnknown || now - lost_at_ >= environment_.recovery_timeout) return ended(End::agent_lost, why);
  next_try_ = now + back_off_;
  back_off_ = std::min(2 * back_off_, std::max(environment_.back_off, times_.back_off));
  return std::nullopt;
}

void ExecutorClient::handle(const std::string& text) {
  const auto event = api::parse_event(text);
  if (!event) {
    log_warn("mesos: ", event.error().message);
    return;
  }
  std::visit([this](const auto& one) { on(one); }, *event);
}

void ExecutorClient::on(const api::Subscribed& event) {
  subscribed_ = ever_subscribed_ = true;
  // What was told in SUBSCRIBE needs no saying again soon.
  for (const mesos::Status& status : book_.unacknowledged()) book_.sent(status.uuid, Clock::now());
  log_info("mesos: subscribed to the agent on ", event.hostname);
  if (handlers_.connected) handlers_.connected(true);
}

void ExecutorClient::on(const api::Launch& event) {
  if (!book_.launched(event)) return;
  const auto task = model::from_json<model::NodeTask>(event.data);
  if (task && task->id == event.task_id) {
    if (handlers_.launch) handlers_.launch(*task);
    return;
  }
  update({.task_id = event.task_id,
          .state = mesos::State::failed,
          .message = "the task cannot be read: " + (task ? "it is " + task->id : task.error().message)});
}

void ExecutorClient::on(const api::Kill& event) {
  if (handlers_.kill) handlers_.kill(event.task_id, event.grace);
}

void ExecutorClient::on(const api::Acknowledged& event) { book_.acknowledged(event.task_id, event.uuid); }

void ExecutorClient::on(const api::Message& event) {
  if (handlers_.message) handlers_.message(event.data);
}

void ExecutorClient::on(const api::Shutdown&) {
  log_info("mesos: the agent ends this executor");
  if (handlers_.shutdown) handlers_.shutdown(environment_.shutdown_grace);
  // The end itself comes with stop(), when the nodes have ended; or with the agent's patience.
  if (!shutdown_at_) shutdown_at_ = Clock::now() + environment_.shutdown_grace;
}

void ExecutorClient::on(const api::Refused& event) { log_error("mesos: the agent says: ", event.message); }

void ExecutorClient::on(const api::Other& event) { log_debug(1, "mesos: passed over: ", event.type); }

bool ExecutorClient::send(const std::string& call) {
  const auto answer = calls_.ask("POST", kPath, call);
  if (!answer) {
    log_warn("mesos: ", answer.error().message);
    return false;
  }
  if (answer->status == kAccepted || answer->status == kOk) return true;
  log_warn("mesos: the agent answers with status ", answer->status, ": ", answer->body);
  return false;
}

void ExecutorClient::send_due() {
  std::vector<std::string> messages;
  {
    const std::scoped_lock lock(mutex_);
    for (mesos::Status& status : new_updates_) book_.add(std::move(status));
    new_updates_.clear();
    if (subscribed_) messages.swap(new_messages_);
  }
  if (!subscribed_) return;
  const auto now = Clock::now();
  for (const mesos::Status& status : book_.due(now)) {
    // Whether it got there or not: it is sent again when no acknowledgement comes.
    book_.sent(status.uuid, now);
    if (!send(api::update_call(environment_.ids, status))) return;
  }
  for (const std::string& data : messages) {
    if (!send(api::message_call(environment_.ids, data))) return;
  }
}

}  // namespace overlord::executor_mesos
