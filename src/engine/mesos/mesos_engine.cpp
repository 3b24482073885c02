#include "engine/mesos/mesos_engine.h"

#include <algorithm>

#include "base/log.h"
#include "model/json.h"

namespace overlord::engine {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMostMessages = 1024;  // that wait to be sent
constexpr uint16_t kBusOffset = placement::kBusOffset;

// The executor's share is part of the node's own, and small beside it.
Share executor_share(const MesosOptions& options, const model::Spec& spec) {
  constexpr uint32_t kQuarter = 4;
  return {std::min<uint64_t>(options.executor.cpu_milli, spec.cpu_milli / kQuarter),
          std::min<uint64_t>(options.executor.memory_mib, spec.memory_mib / kQuarter)};
}

Need need_of(const MesosOptions& options, const model::NodeTask& task) {
  Need need{.host = task.host, .group = task.group, .executor = executor_share(options, task.spec), .port = task.port};
  need.task = {task.spec.cpu_milli - need.executor.cpu_milli, task.spec.memory_mib - need.executor.memory_mib};
  if (task.type == model::CacheType::redis_cluster) need.bus = static_cast<uint16_t>(task.port + kBusOffset);
  return need;
}

OfferBook::Used used_by(const Need& need) {
  OfferBook::Used used;
  used.share = {need.task.cpu_milli + need.executor.cpu_milli, need.task.memory_mib + need.executor.memory_mib};
  used.ports.insert(need.port);
  if (need.bus) used.ports.insert(*need.bus);
  return used;
}

mesos::TaskToRun task_to_run(const MesosOptions& options, const model::NodeTask& task, Taken taken) {
  mesos::TaskToRun run;
  run.id = task.id;
  run.name = task.address();
  run.agent_id = taken.agent_id;
  run.cluster = task.cluster;
  run.data = to_json(task);
  run.resources = std::move(taken.task);
  run.executor.id = task.address();
  run.executor.command = command_of(options);
  run.executor.url = options.executor_url;
  run.executor.resources = std::move(taken.executor);
  return run;
}

}  // namespace

MesosEngine::MesosEngine(MesosOptions options)
    : options_(std::move(options)), link_(options_, stop_), back_off_(options_.back_off), tasks_(options_.times) {
  thread_ = std::thread([this] { run(); });
}

MesosEngine::~MesosEngine() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  poke();
  thread_.join();
}

void MesosEngine::poke() {
  poked_.notify_all();
  link_.wake();
}

std::vector<HostStatus> MesosEngine::hosts() {
  const std::scoped_lock lock(mutex_);
  return offers_.hosts(tasks_.used());
}

void MesosEngine::want(bool offers) {
  {
    const std::scoped_lock lock(mutex_);
    if (wanted_ == offers) return;
    wanted_ = offers;
  }
  poke();
}

Result<void> MesosEngine::launch(const model::NodeTask& task) {
  {
    const std::scoped_lock lock(mutex_);
    if (tasks_.alive(task.id)) return {};
    if (!connected_) return fail(trouble_.empty() ? "not connected to a Mesos master" : trouble_);
    if (!id_stored_) return fail("the framework's id is not stored yet");
    if (!place_of(task.id)) return fail("a task's id begins with its address: " + task.id);
    if (task.type == model::CacheType::redis_cluster && task.port > UINT16_MAX - kBusOffset) {
      return fail("port " + std::to_string(task.port) + " leaves no room for a bus port");
    }
    const Need need = need_of(options_, task);
    auto taken = offers_.take(need);
    if (!taken) return std::unexpected(taken.error());
    tasks_.launched(task.id, task.host, taken->agent_id, used_by(need));
    Batch& batch = batches_[{taken->agent_id, taken->role}];
    if (batch.tasks.empty()) batch.since = Clock::now();
    batch.tasks.push_back(task_to_run(options_, task, std::move(*taken)));
  }
  changed_.notify_all();
  poke();
  return {};
}

Result<void> MesosEngine::kill(const std::string& id, const std::string& host, milliseconds grace) {
  {
    const std::scoped_lock lock(mutex_);
    bool waiting = false;
    for (auto& [key, batch] : batches_) {
      waiting = std::erase_if(batch.tasks, [&](const mesos::TaskToRun& task) { return task.id == id; }) > 0 || waiting;
    }
    const auto now = Clock::now();
    if (waiting) {
      tasks_.withdrawn(id, "ended before it was asked for", now);
    } else {
      tasks_.kill(id, host, grace, now);
    }
  }
  changed_.notify_all();
  poke();
  return {};
}

void MesosEngine::reconcile(const std::vector<TaskStatus>& known) {
  {
    const std::scoped_lock lock(mutex_);
    for (const TaskStatus& task : known) tasks_.ask(task, Clock::now());
  }
  changed_.notify_all();
  poke();
}

std::vector<TaskStatus> MesosEngine::changes(milliseconds patience) {
  Lock lock(mutex_);
  tasks_.acknowledge_told();
  link_.wake();
  changed_.wait_for(lock, patience, [this] { return tasks_.has_changes() || stop_; });
  return tasks_.take_changes();
}

bool MesosEngine::settled() {
  const std::scoped_lock lock(mutex_);
  return connected_ && settled_;
}

std::string MesosEngine::trouble() {
  const std::scoped_lock lock(mutex_);
  return trouble_;
}

Result<void> MesosEngine::message(const std::string& task_id, const std::string& executor_id, const std::string& data) {
  {
    const std::scoped_lock lock(mutex_);
    if (!connected_) return fail("not connected to a Mesos master");
    const std::string agent = tasks_.agent_of(task_id);
    if (agent.empty()) return fail("the agent of " + task_id + " is not known");
    if (messages_.size() >= kMostMessages) return fail("too many messages wait to be sent");
    messages_.push_back(mesos::message_call(framework_id_, agent, executor_id, data));
  }
  poke();
  return {};
}

void MesosEngine::run() {
  while (!stop_) {
    if (!link_.begun() && !begin()) continue;
    turn();
  }
  link_.stop();
}

void MesosEngine::pause(milliseconds time) {
  Lock lock(mutex_);
  poked_.wait_for(lock, time, [this] { return stop_.load(); });
}

Result<std::string> MesosEngine::framework_id() {
  if (registered_anew_) return std::string();
  {
    const std::scoped_lock lock(mutex_);
    if (!framework_id_.empty()) return framework_id_;
  }
  return options_.load_framework_id();
}

bool MesosEngine::begin() {
  {
    const std::scoped_lock lock(mutex_);
    if (taken_over_) back_off_ = options_.longest_back_off;
  }
  if (taken_over_) {
    pause(back_off_);
    return false;
  }
  const auto id = framework_id();
  if (!id) {
    disconnected("the framework's id cannot be read: " + id.error().message);
    return false;
  }
  mesos::Framework framework = options_.framework;
  framework.id = *id;
  {
    const std::scoped_lock lock(mutex_);
    framework_id_ = *id;
    id_stored_ = !id->empty();
  }
  refusal_.clear();
  link_.subscribe(framework);
  return true;
}

void MesosEngine::disconnected(const std::string& why) {
  link_.stop();
  bool was = false;
  {
    const std::scoped_lock lock(mutex_);
    was = connected_;
    connected_ = settled_ = false;
    if (!taken_over_) {
      trouble_ = refusal_.empty() ? "not connected to a Mesos master: " + why : "the Mesos master refuses: " + refusal_;
    }
    offers_.clear();
    messages_.clear();
    while (!batches_.empty()) withdraw(batches_.begin()->first, "not asked for: the connection to Mesos was lost");
  }
  changed_.notify_all();
  if (stop_ || taken_over_) return;
  log_warn("mesos: ", why);
  if (link_.retry_at_once()) return;
  if (was) back_off_ = options_.back_off;
  pause(back_off_);
  back_off_ = std::min(2 * back_off_, options_.longest_back_off);
}

// With the lock held.
void MesosEngine::withdraw(const Key& key, const std::string& why) {
  const auto found = batches_.find(key);
  if (found == batches_.end()) return;
  for (const mesos::TaskToRun& task : found->second.tasks) tasks_.withdrawn(task.id, why, Clock::now());
  batches_.erase(found);
}

milliseconds MesosEngine::patience() {
  const std::scoped_lock lock(mutex_);
  milliseconds longest = options_.tick;
  const auto now = Clock::now();
  for (const auto& [key, batch] : batches_) {
    const auto left = std::chrono::duration_cast<milliseconds>(batch.since + options_.gather - now);
    longest = std::clamp(left, milliseconds(1), longest);
  }
  return longest;
}

void MesosEngine::turn() {
  auto events = link_.read(patience());
  if (!events) return disconnected(events.error().message);
  if (!events->empty()) {
    {
      const std::scoped_lock lock(mutex_);
      for (mesos::SchedulerEvent& event : *events) handle(event);
    }
    changed_.notify_all();
    for (const mesos::SchedulerEvent& event : *events) {
      const auto* message = std::get_if<mesos::Message>(&event);
      if (message != nullptr && options_.on_message) options_.on_message(message->executor_id, message->data);
    }
  }
  keep_id();
  for (const std::string& call : calls_due()) {
    const auto called = link_.call(call);
    if (called.fate == MasterLink::Fate::taken) continue;
    if (called.fate == MasterLink::Fate::lost) return disconnected("a call failed: " + called.why);
    log_error("mesos: a call was refused: ", called.why, ": ", call.substr(0, 500));
  }
}

// What the store takes is done without the lock: it may take its time.
void MesosEngine::keep_id() {
  std::string id;
  {
    const std::scoped_lock lock(mutex_);
    if (!connected_ || id_stored_ || Clock::now() < store_again_) return;
    id = framework_id_;
  }
  const auto stored = options_.store_framework_id(id);
  const std::scoped_lock lock(mutex_);
  if (stored) {
    id_stored_ = true;
    registered_anew_ = false;
    trouble_.clear();
    return;
  }
  store_again_ = Clock::now() + std::chrono::seconds(1);
  trouble_ = "the framework's id cannot be stored: " + stored.error().message;
  log_error("mesos: ", trouble_);
}

}  // namespace overlord::engine
