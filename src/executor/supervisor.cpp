#include "executor/supervisor.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/log.h"
#include "base/text_escape.h"
#include "executor/recipe.h"
#include "model/nodes_conf.h"

namespace overlord::executor {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kTidy{5};
// Numbers of a later life are above those of this one, unless it makes more than a thousand events in each ms.
constexpr uint64_t kEventsPerMs = 1024;

std::string json_text(std::string_view text) {
  std::string out = "\"";
  append_json_text(out, text);
  return out + '"';
}

}  // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::start(Options options) {
  if (auto made = make_folder(options.folder); !made) return fail(made.error().message);
  std::error_code failure;
  options.folder = std::filesystem::canonical(options.folder, failure).string();
  if (failure) return fail("the folder cannot be used: " + failure.message());
  if (options.folder.find_first_of("\"\\\n\r\t ") != std::string::npos) {
    return fail("the folder " + options.folder + " has blanks, quotes or backslashes in its name");
  }
  auto lock = FileLock::take(options.folder + "/lock", false);
  if (!lock) return fail("another executor works in " + options.folder + ": " + lock.error().message);
  std::unique_ptr<Supervisor> made(new Supervisor(std::move(options), std::move(*lock)));
  if (!made->wake_.valid()) return fail("no descriptors are left");
  made->load();
  made->thread_ = std::thread([it = made.get()] {
    ::pthread_setname_np(::pthread_self(), "supervisor");
    it->run();
  });
  return made;
}

Supervisor::Supervisor(Options options, FileLock lock)
    : options_(std::move(options)),
      lock_(std::move(lock)),
      limits_(Limits::make(options_.cgroup)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      next_event_(static_cast<uint64_t>(model::now()) * kEventsPerMs) {
  finder_ = std::make_unique<Finder>(options_.versions, [this](const std::string& id, Result<Server> server) {
    {
      const std::lock_guard guard(mutex_);
      found_.push_back({id, std::move(server)});
    }
    wake();
  });
}

Supervisor::~Supervisor() {
  stopping_.store(true);
  wake();
  if (thread_.joinable()) thread_.join();
  finder_.reset();
}

void Supervisor::wake() { ::eventfd_write(wake_.get(), 1); }

std::string Supervisor::folder_of(uint16_t port) const { return options_.folder + "/" + std::to_string(port); }

void Supervisor::load() {
  const std::lock_guard guard(mutex_);
  const auto now = Clock::now();
  std::error_code failure;
  for (const auto& each : std::filesystem::directory_iterator(options_.folder, failure)) {
    const std::string name = each.path().filename().string();
    uint16_t port = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), port);
    const std::string file = each.path().string() + "/" + std::string(kTaskFile);
    if (wrong != std::errc{} || end != name.data() + name.size() || !exists(file)) continue;
    const auto text = read_file(file, kTaskFileLimit);
    auto record = text ? task_record(*text) : Result<TaskRecord>(fail(text.error().message));
    if (record && record->task.port != port) record = fail("it is of another port");
    if (!record) {
      log_error("what is in ", file,
                " cannot be used, so nobody knows whether its node runs: ", record.error().message);
      continue;
    }
    auto& node = nodes_[port];
    node = std::make_unique<Node>(static_cast<Owner&>(*this), each.path().string(), std::move(*record));
    node->resume(now);
  }
  if (failure) log_error("cannot look into ", options_.folder, ": ", failure.message());
}

Node* Supervisor::find(const std::string& id) {
  for (auto& [port, node] : nodes_) {
    if (node->record().task.id == id) return node.get();
  }
  return nullptr;
}

Supervisor::Answer Supervisor::launch(const model::NodeTask& task) {
  std::string wrong;
  for (const std::string& each : problems_of(task)) wrong += (wrong.empty() ? "" : "; ") + each;
  if (wrong.empty() && task.host != options_.host) {
    wrong = "host: this is the executor of " + options_.host + ", not of " + task.host;
  }
  if (!wrong.empty()) return {Refused::bad, wrong};
  const std::lock_guard guard(mutex_);
  if (const Node* known = find(task.id)) {
    const TaskRecord& record = known->record();
    if (!is_over(record.health) && !record.stop) return {Refused::no, status_json(record)};
    return {Refused::conflict, "task " + task.id + " is over or ends, and a task runs once: " +
                                   std::string(to_string(record.health)) + " " + record.message};
  }
  const bool bus = task.type == model::CacheType::redis_cluster;
  for (const auto& [port, node] : nodes_) {
    const TaskRecord& other = node->record();
    if (is_over(other.health)) continue;
    const bool other_bus = other.task.type == model::CacheType::redis_cluster;
    if (port == task.port || (bus && port == task.port + model::kBusPortOffset) ||
        (other_bus && port + model::kBusPortOffset == task.port)) {
      return {Refused::conflict, "the port " + task.address() + " is task " + other.task.id + "'s"};
    }
  }
  TaskRecord record;
  record.task = task;
  const auto before = nodes_.find(task.port);
  if (before != nodes_.end()) {
    const model::NodeTask& old = before->second->record().task;
    // With the data of another cluster a node would join that one, or serve what is not its own.
    if (old.cluster != task.cluster || old.type != task.type) record.task.wipe = true;
  }
  auto node = std::make_unique<Node>(static_cast<Owner&>(*this), folder_of(task.port), std::move(record));
  if (const auto begun = node->begin(Clock::now()); !begun) return {Refused::broken, begun.error().message};
  const std::string status = status_json(node->record());
  if (before != nodes_.end()) publish(before->second->record(), true);
  nodes_[task.port] = std::move(node);
  wake();
  return {Refused::no, status};
}

std::optional<Supervisor::Answer> Supervisor::stop(const std::string& id, milliseconds grace) {
  const std::lock_guard guard(mutex_);
  Node* const node = find(id);
  if (node == nullptr) return std::nullopt;
  if (!is_over(node->record().health)) {
    node->stop(grace, Clock::now());
    wake();
    return Answer{Refused::no, status_json(node->record())};
  }
  Answer answer{Refused::no, status_json(node->record())};
  if (::unlink((node->folder() + "/" + std::string(kTaskFile)).c_str()) != 0) {
    return Answer{Refused::broken, "cannot remove the task's file in " + node->folder()};
  }
  publish(node->record(), true);
  nodes_.erase(node->record().task.port);
  return answer;
}

void Supervisor::stop_all(milliseconds grace) {
  for (bool first = true;; first = false) {
    {
      const std::lock_guard guard(mutex_);
      bool all = true;
      for (auto& [port, node] : nodes_) {
        if (is_over(node->record().health)) continue;
        all = false;
        if (first || !node->record().stop) node->stop(grace, Clock::now());
      }
      if (all) return;
    }
    wake();
    ::usleep(20'000);
  }
}

std::string Supervisor::tasks() const {
  const std::lock_guard guard(mutex_);
  std::string out =
      "{\"host\":" + json_text(options_.host) + ",\"next\":" + std::to_string(next_event_) + ",\"tasks\":[";
  for (const auto& [port, node] : nodes_) {
    if (!out.ends_with('[')) out += ",\n";
    out += status_json(node->record());
  }
  return out + "]}\n";
}

std::string Supervisor::about() const {
  const std::lock_guard guard(mutex_);
  return "{\"host\":" + json_text(options_.host) + ",\"pid\":" + std::to_string(::getpid()) +
         ",\"folder\":" + json_text(options_.folder) + ",\"limits\":" + json_text(limits_.text()) +
         ",\"version\":" + json_text(OVERLORD_VERSION) + ",\"tasks\":" + std::to_string(nodes_.size()) + "}\n";
}

std::optional<uint64_t> Supervisor::events(uint64_t from, std::string& into) const {
  const std::lock_guard guard(mutex_);
  const uint64_t first = next_event_ - events_.size();
  if (from < first || from > next_event_) return std::nullopt;
  for (size_t i = from - first; i < events_.size(); ++i) into.append(events_[i].text).append("\n");
  return next_event_;
}

uint64_t Supervisor::next_event() const {
  const std::lock_guard guard(mutex_);
  return next_event_;
}

void Supervisor::find_server(const model::NodeTask& task) {
  if (auto known = finder_->known(task)) {
    found_.push_back({task.id, std::move(*known)});
    return wake();
  }
  finder_->ask(task);
}

void Supervisor::changed(const Node& node) { publish(node.record(), false); }

void Supervisor::publish(const TaskRecord& record, bool removed) {
  events_.push_back({next_event_, event_json(next_event_, record, removed)});
  ++next_event_;
  if (events_.size() > kMostEvents) events_.pop_front();
}

void Supervisor::take_found(Clock::time_point now) {
  for (Found& each : std::exchange(found_, {})) {
    if (Node* const node = find(each.id)) node->found(std::move(each.server), now);
  }
}

void Supervisor::tidy(Clock::time_point now) {
  if (now < next_tidy_) return;
  next_tidy_ = now + kTidy;
  for (auto at = nodes_.begin(); at != nodes_.end();) {
    const TaskRecord& record = at->second->record();
    rotate_node_logs(at->second->folder(), options_.logs);
    const bool old = is_over(record.health) && model::now() - record.since > options_.keep_over.count();
    if (!old || ::unlink((at->second->folder() + "/" + std::string(kTaskFile)).c_str()) != 0) {
      ++at;
      continue;
    }
    publish(record, true);
    at = nodes_.erase(at);
  }
}

void Supervisor::run() {
  std::vector<pollfd> wishes;
  std::unique_lock guard(mutex_);
  while (!stopping_.load()) {
    const auto now = Clock::now();
    take_found(now);
    auto next = now + kTidy;
    for (auto& [port, node] : nodes_) node->look(now);
    tidy(now);
    wishes.assign(1, {.fd = wake_.get(), .events = POLLIN, .revents = 0});
    for (auto& [port, node] : nodes_) {
      node->wishes(wishes);
      next = std::min(next, node->next_look());
    }
    guard.unlock();
    const auto wait = std::chrono::duration_cast<milliseconds>(next - Clock::now()).count() + 1;
    ::poll(wishes.data(), wishes.size(), static_cast<int>(std::clamp<int64_t>(wait, 0, milliseconds(kTidy).count())));
    eventfd_t ignored = 0;
    (void)::eventfd_read(wake_.get(), &ignored);
    guard.lock();
  }
}

}  // namespace overlord::executor
