#include "executor/node.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "executor/cluster_memory.h"
#include "executor/files.h"
#include "executor/node_log.h"
#include "executor/recipe.h"
#include "model/nodes_conf.h"
#include "net/address.h"
#include "net/socket.h"

namespace overlord::executor {
namespace {

using model::Health;
using std::chrono::milliseconds;

constexpr uint32_t kSureProbes = 3;  // failed in a row, before silence is believed: this process may have stood still
constexpr int kLongestExponent = 16;

std::string seconds_text(Clock::duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

// Whether somebody has the port; then the error says it.
Result<void> free_port(const std::string& host, uint32_t port) {
  const auto address = net::numeric_address(host, static_cast<uint16_t>(port));
  if (!address) return fail(address.error().message);
  const auto bound = net::listen_socket(*address, false, 0);
  if (bound) return {};
  if (!bound.error().message.contains(std::strerror(EADDRINUSE))) return fail(bound.error().message);
  return fail("the port " + model::address_of(host, static_cast<uint16_t>(port)) +
              " is taken by a process that is none of this executor's");
}

}  // namespace

Node::Node(Owner& owner, std::string folder, TaskRecord record)
    : owner_(owner), folder_(std::move(folder)), record_(std::move(record)), probe_(record_.task) {}

Result<void> Node::save() const { return write_file(folder_ + "/" + std::string(kTaskFile), to_json(record_)); }

void Node::save_or_log() const {
  if (const auto saved = save(); !saved) log_error("task ", record_.task.id, ": ", saved.error().message);
}

void Node::set(Health health, std::string message) {
  if (record_.health == health && record_.message == message) return;
  const bool news = record_.health != health;
  if (news) record_.since = model::now();
  record_.health = health;
  record_.message = std::move(message);
  log_info("task ", record_.task.id, " ", to_string(health), record_.message.empty() ? "" : ": ", record_.message);
  save_or_log();
  owner_.changed(*this);
}

Result<void> Node::prepare_folder() {
  if (record_.task.wipe) {
    if (auto gone = remove_folder(folder_); !gone) return gone;
  }
  if (auto made = make_folder(folder_); !made) return made;
  record_.wiped = true;
  return {};
}

Result<void> Node::begin(Clock::time_point now) {
  if (auto ready = prepare_folder(); !ready) return ready;
  record_.health = Health::starting;
  record_.since = model::now();
  if (auto saved = save(); !saved) return saved;
  phase_ = Phase::finding;
  retry_at_ = now;
  owner_.changed(*this);
  owner_.find_server(record_.task);
  return {};
}

void Node::resume(Clock::time_point now) {
  if (is_over(record_.health)) return;
  process_ = Process::adopt(record_.process);
  if (process_) {
    log_info("task ", record_.task.id, ": its process ", record_.process.pid, " runs on");
    came_up(now);
    answered_ = record_.health == Health::running || record_.health == Health::sick;
    well_since_ = now;
    if (!record_.stop) return owner_.changed(*this);
    const auto left = std::max<model::Moment>(record_.stop_by - model::now(), 0);
    return stop(milliseconds(left), now);
  }
  if (record_.stop) return over(Health::stopped, "");
  if (record_.process.pid != 0) return ended("ended while no executor was there", now);
  phase_ = Phase::finding;
  owner_.changed(*this);
  owner_.find_server(record_.task);
}

void Node::found(Result<Server> server, Clock::time_point now) {
  if (phase_ != Phase::finding) return;
  if (!server) return missed(server.error().message, now);
  if (const auto started = start(*server); !started) return missed(started.error().message, now);
  came_up(now);
  log_info("task ", record_.task.id, ": ", server->program, " ", server->text, " started, pid ", record_.process.pid);
  set(Health::starting, "");
  owner_.changed(*this);  // the pid, if nothing else
}

Result<void> Node::write_files(const std::vector<RecipeFile>& files) {
  for (const RecipeFile& file : files) {
    const std::string path = folder_ + "/" + file.name;
    if (file.keep && exists(path)) continue;
    if (auto written = write_file(path, file.text); !written) return written;
  }
  return {};
}

Result<void> Node::start(const Server& server) {
  const model::NodeTask& task = record_.task;
  // memcached refuses to run as root unless it is told to.
  const auto recipe = recipe_of(task, folder_, server.version, ::geteuid() == 0 ? "root" : "");
  if (!recipe) return fail(recipe.error().message);
  if (auto free = free_port(task.host, task.port); !free) return free;
  if (task.type == model::CacheType::redis_cluster) {
    if (auto free = free_port(task.host, task.port + model::kBusPortOffset); !free) return free;
  }
  if (auto written = write_files(recipe->files); !written) return written;
  const auto limits = owner_.limits().prepare(task);
  if (!limits) return fail(limits.error().message);
  const Start start{.program = server.program,
                    .arguments = recipe->arguments,
                    .folder = folder_,
                    .log = folder_ + "/" + std::string(kConsoleLog),
                    .cgroup = limits->procs,
                    .descriptors = recipe->descriptors,
                    .address_space = limits->address_space};
  auto process = Process::start(start, [&](const ProcessId& id) {
    record_.process = id;
    record_.server = server.program + " " + server.text;
    return save();
  });
  if (!process) {
    record_.process = {};
    return fail(process.error().message);
  }
  process_ = std::move(*process);
  return {};
}

void Node::came_up(Clock::time_point now) {
  phase_ = Phase::up;
  probe_.drop();
  failed_probes_ = 0;
  answered_ = false;
  killed_for_.clear();
  last_sign_ = now;
  next_probe_ = now;
}

void Node::stop(milliseconds grace, Clock::time_point now) {
  if (phase_ == Phase::over) return;
  const bool again = record_.stop;
  const model::Moment by = model::now() + grace.count();
  // Asked twice, the earlier moment counts.
  record_.stop_by = again ? std::min(record_.stop_by, by) : by;
  stop_by_ = now + milliseconds(std::max<model::Moment>(record_.stop_by - model::now(), 0));
  record_.stop = true;
  save_or_log();
  if (phase_ != Phase::up) return over(Health::stopped, "");
  if (!again) log_info("task ", record_.task.id, ": is asked to end within ", grace.count(), " ms");
  process_->signal(SIGTERM);
  owner_.changed(*this);
}

void Node::over(Health health, std::string message) {
  phase_ = Phase::over;
  process_.reset();
  probe_.drop();
  record_.process = {};
  set(health, std::move(message));
}

void Node::ended(const std::string& how, Clock::time_point now) {
  process_.reset();
  probe_.drop();
  owner_.limits().remove(record_.task);
  if (record_.stop) return over(Health::stopped, "");
  std::string why = killed_for_.empty() ? "its server ended: " + how : killed_for_;
  if (how.starts_with("exit")) {
    if (const std::string words = last_words(folder_); !words.empty()) why += "; it said: " + words;
  }
  missed(why, now);
}

bool Node::loses_data() const {
  if (record_.task.type != model::CacheType::redis_cluster) return false;  // the others have no replicas
  const auto appendonly = record_.task.settings.find("appendonly");
  return appendonly == record_.task.settings.end() || appendonly->second != "yes";
}

void Node::missed(const std::string& why, Clock::time_point now) {
  record_.process = {};
  const Options& options = owner_.options();
  if (record_.in_a_row >= options.most_restarts) {
    return over(Health::failed, why + " (given up after " + std::to_string(record_.in_a_row) + " restarts in a row)");
  }
  const int exponent = std::min<int>(static_cast<int>(record_.in_a_row), kLongestExponent);
  auto pause = std::min<milliseconds>(options.first_pause * (1 << exponent), options.longest_pause);
  const bool served = record_.health == Health::running || record_.health == Health::sick;
  constexpr size_t kMostConf = 4 * 1024 * 1024;
  if (served && loses_data() && has_heirs(read_file(folder_ + "/nodes.conf", kMostConf).value_or(""))) {
    pause = std::max(pause, options.failover_pause);
  }
  ++record_.in_a_row;
  ++record_.restarts;
  phase_ = Phase::pausing;
  retry_at_ = now + pause;
  set(Health::starting, why + "; again in " + std::to_string(pause.count()) + " ms, restart " +
                            std::to_string(record_.in_a_row) + " of " + std::to_string(options.most_restarts));
}

void Node::wishes(std::vector<pollfd>& into) const {
  if (process_) into.push_back({.fd = process_->fd(), .events = POLLIN, .revents = 0});
  if (probe_.busy()) into.push_back(probe_.wish());
}

Clock::time_point Node::next_look() const {
  switch (phase_) {
    case Phase::pausing: return retry_at_;
    case Phase::up: {
      const auto next = probe_.busy() ? probe_.deadline() : next_probe_;
      return record_.stop ? std::min(next, stop_by_) : next;
    }
    default: return Clock::time_point::max();
  }
}

void Node::look(Clock::time_point now) {
  if (phase_ == Phase::pausing && now >= retry_at_) {
    phase_ = Phase::finding;
    owner_.find_server(record_.task);
  }
  if (phase_ != Phase::up) return;
  if (const auto how = process_->ended()) return ended(*how, now);
  if (record_.stop) {
    if (now < stop_by_) {
      next_probe_ = stop_by_;
      probe_.drop();
      return;
    }
    process_->kill();
    stop_by_ = now + owner_.options().probe_interval;  // until it is seen to have ended
    next_probe_ = stop_by_;
    return;
  }
  if (!probe_.busy() && now >= next_probe_) {
    probe_.begin(now, owner_.options().probe_patience);
    next_probe_ = now + owner_.options().probe_interval;
  }
  if (const auto finding = probe_.advance(now)) heed(*finding, now);
}

void Node::heed(const Finding& finding, Clock::time_point now) {
  const Options& options = owner_.options();
  switch (finding.what) {
    case Finding::What::alive:
      failed_probes_ = 0;
      last_sign_ = now;
      if (record_.health != Health::running) well_since_ = now;
      answered_ = true;
      if (record_.in_a_row > 0 && now - well_since_ >= options.well_after) {
        record_.in_a_row = 0;
        save_or_log();
      }
      return set(Health::running, finding.text);
    case Finding::What::loading:
      failed_probes_ = 0;
      last_sign_ = now;
      return set(Health::starting, finding.text);
    case Finding::What::closed:
    case Finding::What::silent:
    case Finding::What::wrong: break;
  }
  ++failed_probes_;
  last_trouble_ = finding.text;
  // A process that has just begun does not listen at once.
  if (!answered_ && finding.what == Finding::What::closed) {
    constexpr milliseconds kSoon{50};
    next_probe_ = std::min(next_probe_, now + kSoon);
  }
  judge_silence(now);
}

void Node::judge_silence(Clock::time_point now) {
  const Options& options = owner_.options();
  const auto silence = now - last_sign_;
  if (failed_probes_ < kSureProbes) return;
  const auto limit = answered_ ? options.hung_after : options.start_within;
  if (silence >= limit) {
    killed_for_ = "its server hung: " + last_trouble_ + ", for " + seconds_text(silence);
    log_warn("task ", record_.task.id, ": ", killed_for_, "; it is killed");
    process_->kill();
    last_sign_ = now;  // until it is seen to have ended
    return;
  }
  if (answered_ && silence >= options.sick_after) set(Health::sick, last_trouble_);
}

}  // namespace overlord::executor
