#include "engine/local/host_book.h"

#include <algorithm>

namespace overlord::engine {
namespace {

constexpr int kOk = 200;
constexpr int kNotFound = 404;

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

bool in_ranges(const std::vector<model::PortRange>& ranges, uint16_t port) {
  return std::ranges::any_of(ranges, [&](const auto& range) { return range.first <= port && port <= range.last; });
}

}  // namespace

void HostBook::tell(const std::string& id, TaskState state, std::string message) {
  tell({.id = id, .state = state, .host = host_.address, .message = std::move(message)});
}

std::vector<uint16_t> HostBook::own_ports() const {
  std::vector<uint16_t> ports;
  for (const auto& [id, view] : tasks_) {
    if (is_over(view.status.state)) continue;
    ports.push_back(view.port);
    if (view.type == model::CacheType::redis_cluster) {
      ports.push_back(static_cast<uint16_t>(view.port + placement::kBusOffset));
    }
  }
  return ports;
}

HostStatus HostBook::status(const std::vector<uint16_t>& strangers) const {
  HostStatus status;
  status.reachable = link_ == Link::up || (link_ == Link::down && ever_up_);
  status.host = {.name = host_.address,
                 .group = host_.group,
                 .labels = host_.labels,
                 .capacity = host_.capacity,
                 .ports = host_.ports,
                 .lost = link_ == Link::lost,
                 .seen = link_ == Link::up ? model::now() : seen_};
  placement::Host& free = status.free;
  free.name = host_.address;
  free.group = host_.group;
  const auto label = [&](const char* name) {
    const auto found = host_.labels.find(name);
    return found == host_.labels.end() ? std::string() : found->second;
  };
  free.zone = label("zone");
  free.rack = label("rack");
  // What cannot be launched on is not free.
  if (link_ != Link::up) return status;
  uint64_t memory = 0;
  uint64_t cpu = 0;
  for (const auto& [id, view] : tasks_) {
    if (is_over(view.status.state)) continue;
    memory += view.spec.memory_mib;
    cpu += view.spec.cpu_milli;
  }
  free.memory_mib = host_.capacity.memory_mib - std::min<uint64_t>(memory, host_.capacity.memory_mib);
  free.cpu_milli = host_.capacity.cpu_milli - std::min<uint64_t>(cpu, host_.capacity.cpu_milli);
  for (const auto& range : host_.ports) free.ports.push_back({range.first, range.last});
  free.taken = own_ports();
  free.taken.insert(free.taken.end(), strangers.begin(), strangers.end());
  std::ranges::sort(free.taken);
  free.taken.erase(std::ranges::unique(free.taken).begin(), free.taken.end());
  return status;
}

Result<void> HostBook::launch(const model::NodeTask& task, const std::vector<uint16_t>& strangers) {
  const auto known = tasks_.find(task.id);
  if (known != tasks_.end()) {
    if (!is_over(known->second.status.state)) return {};
    return fail("task " + task.id + " is over (" + std::string(to_string(known->second.status.state)) + ")");
  }
  if (link_ != Link::up) return fail("host " + host_.address + " cannot be reached: " + trouble_);
  const HostStatus now = status(strangers);
  if (now.free.memory_mib < task.spec.memory_mib || now.free.cpu_milli < task.spec.cpu_milli) {
    return fail("host " + host_.address + " has " + std::to_string(now.free.memory_mib) + " MiB and " +
                std::to_string(now.free.cpu_milli) + " thousandths of a cpu left; task " + task.id + " needs " +
                std::to_string(task.spec.memory_mib) + " and " + std::to_string(task.spec.cpu_milli));
  }
  if (!in_ranges(host_.ports, task.port)) return fail("port " + task.address() + " is none that this host gives away");
  const bool bus = task.type == model::CacheType::redis_cluster;
  for (const uint32_t port : {uint32_t{task.port}, bus ? task.port + placement::kBusOffset : uint32_t{task.port}}) {
    if (std::ranges::binary_search(now.free.taken, static_cast<uint16_t>(port))) {
      return fail("port " + std::to_string(port) + " of host " + host_.address + " is in use");
    }
  }
  TaskView view;
  view.status = {.id = task.id, .state = TaskState::staging, .host = host_.address, .message = ""};
  view.type = task.type;
  view.spec = task.spec;
  view.port = task.port;
  tasks_[task.id] = view;
  asked_[task.id] = {.task = task};
  tell(view.status);
  return {};
}

void HostBook::kill(const std::string& id, std::chrono::milliseconds grace) {
  if (!tasks_.contains(id)) {
    if (link_ == Link::up) return tell(id, TaskState::gone, "host " + host_.address + " does not know it");
    tell(id, TaskState::lost, "host " + host_.address + " cannot be reached: " + trouble_);
  }
  const auto asked = asked_.find(id);
  if (asked != asked_.end() && !asked->second.tried) return forget(id, "was not started yet");
  const auto before = kills_.find(id);
  // Asked again with less patience: sent again.
  if (before == kills_.end() || grace < before->second.grace) kills_[id] = {.grace = grace};
}

void HostBook::reconcile(const std::string& id) {
  const auto known = tasks_.find(id);
  if (known != tasks_.end()) return tell(known->second.status);
  if (link_ == Link::up) return tell(id, TaskState::gone, "host " + host_.address + " does not know it");
  wondered_[id] = true;
  if (link_ == Link::lost) tell(id, TaskState::lost, trouble_);
}

void HostBook::see(const TaskView& view) {
  const std::string& id = view.status.id;
  asked_.erase(id);
  TaskView& mine = tasks_[id];
  const bool news = mine.status != view.status;
  mine = view;
  mine.status.host = host_.address;
  if (news) tell(mine.status);
  const auto kill = kills_.find(id);
  if (kill != kills_.end() && is_over(view.status.state)) kill->second.sent = false;  // once more: it may forget
}

void HostBook::forget(const std::string& id, std::string message) {
  const bool known = tasks_.erase(id) > 0;
  asked_.erase(id);
  const bool killed = kills_.erase(id) > 0;
  if (known || killed) tell(id, TaskState::gone, std::move(message));
}

void HostBook::connected(const TaskList& list) {
  link_ = Link::up;
  ever_up_ = true;
  trouble_.clear();
  std::map<std::string, bool> there;
  for (const TaskView& view : list.tasks) {
    there[view.status.id] = true;
    see(view);
  }
  std::vector<std::string> missing;
  for (const auto& [id, view] : tasks_) {
    if (!there.contains(id) && !asked_.contains(id)) missing.push_back(id);
  }
  for (const auto& [id, kill] : kills_) {
    if (!there.contains(id) && !tasks_.contains(id)) missing.push_back(id);
  }
  for (const std::string& id : missing) forget(id, "its executor does not know it any more");
  for (auto& [id, kill] : kills_) kill.sent = false;
  for (const auto& [id, wondered] : std::exchange(wondered_, {})) reconcile(id);
}

void HostBook::disconnected(std::string why) {
  if (link_ == Link::up) {
    seen_ = model::now();
    link_ = Link::down;
  }
  trouble_ = std::move(why);
}

void HostBook::give_up(std::string why) {
  trouble_ = std::move(why);
  if (link_ == Link::lost) return;
  link_ = Link::lost;
  std::vector<std::string> unsent;
  for (const auto& [id, asked] : asked_) {
    if (!asked.tried) unsent.push_back(id);
  }
  for (const std::string& id : unsent) forget(id, "host " + host_.address + " is lost, and was not told of it");
  asked_.clear();
  for (auto& [id, view] : tasks_) {
    if (is_over(view.status.state)) continue;
    view.status.state = TaskState::lost;
    view.status.message = trouble_;
    tell(view.status);
  }
  for (const auto& [id, wondered] : wondered_) tell(id, TaskState::lost, trouble_);
}

void HostBook::heard(const EventLine& line) {
  if (line.hello || line.task.status.id.empty()) return;
  if (!line.removed) return see(line.task);
  if (tasks_.contains(line.task.status.id)) forget(line.task.status.id, line.task.status.message);
}

std::optional<Errand> HostBook::next_errand() const {
  if (link_ != Link::up) return std::nullopt;
  for (const auto& [id, asked] : asked_) return Errand{.launch = true, .task = asked.task, .id = id};
  for (const auto& [id, kill] : kills_) {
    if (!kill.sent) return Errand{.id = id, .grace = kill.grace};
  }
  return std::nullopt;
}

void HostBook::trying(const Errand& errand) {
  const auto asked = asked_.find(errand.id);
  if (errand.launch && asked != asked_.end()) asked->second.tried = true;
}

void HostBook::answered(const Errand& errand, int status, const std::string& body) {
  const auto view = status == kOk ? task_view(body) : Result<TaskView>(fail(first_line(body)));
  if (errand.launch) {
    if (view) return see(*view);
    const auto mine = tasks_.find(errand.id);
    asked_.erase(errand.id);
    if (mine == tasks_.end()) return;
    tell(errand.id, TaskState::failed, view.error().message);
    // The executor keeps nothing of it, so neither does this book.
    tasks_.erase(mine);
    kills_.erase(errand.id);
    return;
  }
  if (status == kNotFound) return forget(errand.id, "its executor does not know it any more");
  const auto kill = kills_.find(errand.id);
  if (kill == kills_.end()) return;
  kill->second.sent = true;
  if (!view) return tell(errand.id, TaskState::sick, "cannot be stopped: " + view.error().message);
  const bool was_over = tasks_.contains(errand.id) && is_over(tasks_[errand.id].status.state);
  see(*view);
  // An answer about one that is over means that it has been forgotten there.
  if (is_over(view->status.state)) {
    const std::string message = view->status.message;
    if (!was_over) tell(view->status);
    forget(errand.id, message);
  }
}

}  // namespace overlord::engine
