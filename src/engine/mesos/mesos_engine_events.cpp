// What the master says, and what is due to be said to it. With the lock held, but for what is said otherwise.
#include <algorithm>
#include <span>

#include "base/log.h"
#include "engine/mesos/mesos_engine.h"

namespace overlord::engine {
namespace {

constexpr size_t kMostQuestions = 1'000;  // in one call
constexpr std::chrono::seconds kLongestUnsettled{30};

bool says(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

void MesosEngine::handle(mesos::SchedulerEvent& event) {
  std::visit([this](const auto& one) { on(one); }, event);
}

void MesosEngine::on(const mesos::Subscribed& event) {
  const auto now = Clock::now();
  if (event.framework_id != framework_id_) id_stored_ = false;
  framework_id_ = event.framework_id;
  connected_ = true;
  settled_ = false;
  connected_at_ = reconciled_at_ = now;
  store_again_ = now;
  revived_ = true;  // a framework that subscribes is offered what there is
  back_off_ = options_.back_off;
  trouble_ = id_stored_ ? "" : "the framework's id is not stored yet";
  offers_.clear();
  tasks_.connected(now);
  messages_.push_back(mesos::reconcile_call(framework_id_, {}));
  log_info("mesos: subscribed to ", link_.master(), " as framework ", framework_id_);
}

void MesosEngine::on(const mesos::Offers& event) {
  for (const mesos::Offer& offer : event.offers) offers_.add(offer, Clock::now());
}

void MesosEngine::on(const mesos::Rescind& event) {
  const auto gone = offers_.remove(event.offer_id);
  if (gone.promised) withdraw({gone.agent_id, gone.role}, "not asked for: its offer was taken back");
}

void MesosEngine::on(const mesos::Update& event) {
  const mesos::Status& status = event.status;
  tasks_.updated(status, Clock::now());
  const auto place = place_of(status.task_id);
  // What an agent or its executor says shows that the agent lives; what the master says of it may not.
  const bool alive = status.source != "SOURCE_MASTER" || status.reason == "REASON_AGENT_REREGISTERED" ||
                     status.state == mesos::State::running;
  if (place && alive) offers_.agent_heard(status.agent_id, place->host);
}

void MesosEngine::on(const mesos::Message& event) {
  log_debug(1, "mesos: a message of ", event.executor_id, ", ", event.data.size(), " bytes");
}

void MesosEngine::on(const mesos::Failure& event) {
  if (!event.executor_id.empty()) {
    log_info("mesos: the executor ", event.executor_id, " has ended with status ", event.status);
    return;
  }
  log_warn("mesos: the agent ", event.agent_id, " is lost");
  offers_.agent_failed(event.agent_id);
  tasks_.agent_failed(event.agent_id, Clock::now());
}

void MesosEngine::on(const mesos::Refused& event) {
  log_error("mesos: the master says: ", event.message);
  connected_ = settled_ = false;
  refusal_ = event.message;
  if (says(event.message, "Framework failed over")) {
    taken_over_ = true;
    trouble_ = "another scheduler has taken over this framework; this one keeps away until it is started again";
    return;
  }
  if (!says(event.message, "Framework has been removed")) return;
  // Its tasks are ended by Mesos. Whatever is left of them the agents say when they are asked.
  registered_anew_ = true;
  framework_id_.clear();
  id_stored_ = false;
}

void MesosEngine::on(const mesos::Other& event) { log_debug(1, "mesos: passed over: ", event.type); }

// Without the lock.
std::vector<std::string> MesosEngine::calls_due() {
  std::vector<std::string> calls;
  const std::scoped_lock lock(mutex_);
  if (!connected_) return calls;
  const auto now = Clock::now();
  for (std::string& message : messages_) calls.push_back(std::move(message));
  messages_.clear();
  for (const mesos::Status& status : tasks_.take_acknowledgements()) {
    calls.push_back(mesos::acknowledge_call(framework_id_, status));
  }
  for (const auto& [task, grace] : tasks_.kills(now)) calls.push_back(mesos::kill_call(framework_id_, task, grace));
  launches_due(now, calls);
  offers_due(now, calls);
  questions_due(now, calls);
  tasks_.forget_old(now);
  const auto since = now - connected_at_;
  if (!settled_ && since >= options_.look && (!tasks_.asks() || since >= kLongestUnsettled)) settled_ = true;
  return calls;
}

void MesosEngine::launches_due(Clock::time_point now, std::vector<std::string>& calls) {
  for (auto at = batches_.begin(); at != batches_.end();) {
    const auto& [key, batch] = *at;
    if (now - batch.since < options_.gather) {
      ++at;
      continue;
    }
    const auto offer_ids = offers_.use(key.first, key.second);
    // What is left of the offers is wanted back at once, if anything is.
    calls.push_back(mesos::accept_call(framework_id_, offer_ids, batch.tasks, key.second,
                                       wanted_ ? std::chrono::milliseconds(0) : options_.refuse));
    for (const mesos::TaskToRun& task : batch.tasks) {
      tasks_.asked_for(task.id);
      log_info("mesos: launching ", task.id);
    }
    at = batches_.erase(at);
  }
}

void MesosEngine::offers_due(Clock::time_point now, std::vector<std::string>& calls) {
  if (wanted_ && !revived_) {
    calls.push_back(mesos::revive_call(framework_id_));
    revived_ = true;
  }
  // After subscribing, offers tell what agents there are, though nothing may be wanted of them.
  const bool looking = now - connected_at_ < options_.look;
  if (!wanted_ && revived_ && !looking) {
    calls.push_back(mesos::suppress_call(framework_id_));
    revived_ = false;
  }
  if (!wanted_ && looking) return;
  const auto ids = offers_.expire(wanted_ ? now - options_.hold : now);
  if (!ids.empty()) {
    calls.push_back(mesos::decline_call(framework_id_, ids, wanted_ ? options_.refuse : options_.unwanted));
  }
}

void MesosEngine::questions_due(Clock::time_point now, std::vector<std::string>& calls) {
  if (now - reconciled_at_ >= options_.reconcile) {
    reconciled_at_ = now;
    tasks_.ask_all(now);
    calls.push_back(mesos::reconcile_call(framework_id_, {}));
  }
  const auto due = tasks_.questions(offers_, now);
  for (size_t at = 0; at < due.size(); at += kMostQuestions) {
    const std::span part(due.data() + at, std::min(kMostQuestions, due.size() - at));
    calls.push_back(mesos::reconcile_call(framework_id_, part));
  }
}

}  // namespace overlord::engine
