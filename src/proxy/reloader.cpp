#include "proxy/reloader.h"

#include <algorithm>
#include <chrono>
#include <latch>
#include <thread>
#include <utility>

#include "base/background.h"
#include "base/log.h"
#include "proxy/ask_workers.h"
#include "proxy/pool_route.h"
#include "proxy/worker.h"

namespace overlord::proxy {
namespace {

using config::ClusterDiff;
using config::Concern;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// The longest that new backends are waited for, whatever dial_timeout says, and where it says 0.
constexpr milliseconds kLongestWait{5000};
constexpr milliseconds kUsualWait{1000};
constexpr std::string_view kFrozen = "an upgrade is under way; try again when it has ended";
// A worker that does not come to a question in this time hangs: nothing is begun that needs all of them.
constexpr milliseconds kAnswerWithin{5000};
constexpr milliseconds kFirstPause{1};
constexpr milliseconds kLastPause{20};

// TLS keys matter only where the backends are spoken to in TLS.
bool new_connections(const ClusterDiff& diff) {
  const bool tls = diff.before->backend_tls_on || diff.after->backend_tls_on;
  return std::ranges::any_of(diff.keys, [&](const config::KeyChange& change) {
    return change.concern == Concern::connections && (tls || change.key.find("tls_") == std::string_view::npos);
  });
}

bool other_sentinels(const ClusterDiff& diff) {
  return diff.kind != ClusterDiff::Kind::changed || !diff.same_servers() || diff.concerns(Concern::sentinels) ||
         diff.concerns(Concern::connections);
}

milliseconds wait_for(const config::ClusterConfig& cluster) {
  return cluster.dial_timeout.count() == 0 ? kUsualWait : std::min(cluster.dial_timeout, kLongestWait);
}

void log_lines(std::string_view text) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    log_error("reload refused: ", text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

config::ClusterSnapshot without_servers(const config::ClusterConfig& cluster) {
  config::ClusterConfig empty = cluster;
  empty.servers.clear();
  return std::make_shared<const config::ClusterConfig>(std::move(empty));
}

}  // namespace

std::string_view to_string(ReloadReport::Outcome outcome) {
  switch (outcome) {
    case ReloadReport::Outcome::none: return "none";
    case ReloadReport::Outcome::applied: return "applied";
    case ReloadReport::Outcome::unchanged: return "unchanged";
    case ReloadReport::Outcome::refused: return "refused";
  }
  return {};
}

Reloader::Reloader(config::Configuration first, Load load, const Workers& workers)
    : load_(std::move(load)), workers_(workers), certificates_(workers), running_(std::move(first)) {}

Result<void> Reloader::start() {
  listeners_.set_workers(workers_.size());
  ReloadPlan first{.process = running_.process, .clusters = {}, .listeners = {}, .tls = {}};
  std::vector<Listeners::Wanted> wanted;
  for (const config::ClusterSnapshot& cluster : running_.clusters) {
    auto shared = std::make_shared<SharedCluster>(*cluster, workers_.size());
    clusters_[cluster->name] = shared;
    first.clusters.push_back({.cluster = shared, .pool = {.config = cluster}, .begins_as = cluster});
    wanted.push_back({cluster, shared});
  }
  auto tls = certificates_.read(running_.clusters);
  if (!tls) return std::unexpected(tls.error());
  certificates_.adopt();
  first.tls = std::move(*tls);
  auto listeners = listeners_.open(wanted);
  if (!listeners) return std::unexpected(listeners.error());
  listeners_.adopt(*listeners);
  first.listeners = std::move(*listeners);
  for (const auto& worker : workers_) worker->set_up(first);
  return {};
}

void Reloader::watch() {
  for (const config::ClusterSnapshot& cluster : running_.clusters) {
    start_watch(cluster, clusters_.at(cluster->name), watches_);
  }
  certificates_.watch();
}

void Reloader::stop() {
  const std::lock_guard busy(busy_);
  stopped_ = true;
  watches_.clear();
  certificates_.stop();
}

void Reloader::start_watch(const config::ClusterSnapshot& cluster, const std::shared_ptr<SharedCluster>& shared,
                           std::map<std::string, std::unique_ptr<SentinelWatch>>& into) {
  if (cluster->sentinels.empty()) return;
  const auto moved = [this, shared](const std::string& master, const std::string& host,
                                    const net::SocketAddress& address) {
    for (const auto& worker : workers_) worker->move_backend(shared, master, host, address);
  };
  auto& watch = into[cluster->name];
  watch = std::make_unique<SentinelWatch>(cluster, moved);
  watch->start();
}

ReloadReport Reloader::reload() {
  const std::lock_guard busy(busy_);
  if (stopped_ || !load_) return {.outcome = ReloadReport::Outcome::refused, .text = "the proxy is stopping"};
  if (frozen_) return {.outcome = ReloadReport::Outcome::refused, .text = std::string(kFrozen)};
  ReloadReport report;
  in_background([&] { report = load_and_apply(); });
  return finish(std::move(report));
}

ReloadReport Reloader::load_and_apply() {
  auto loaded = load_();
  std::vector<std::string> warnings;
  std::string errors;
  for (const config::Problem& problem : loaded.problems) {
    const std::string line = config::format(problem);
    if (problem.severity == config::Problem::Severity::warning) {
      warnings.push_back(line);
    } else {
      errors.append(errors.empty() ? "" : "\n").append(line);
    }
  }
  ReloadReport report;
  if (loaded.ok()) {
    report = apply(std::move(*loaded.value));
  } else {
    report.outcome = ReloadReport::Outcome::refused;
    report.text = std::move(errors);
  }
  report.warnings.insert(report.warnings.begin(), warnings.begin(), warnings.end());
  return report;
}

ReloadReport Reloader::rollback() {
  const std::lock_guard busy(busy_);
  if (stopped_) return {.outcome = ReloadReport::Outcome::refused, .text = "the proxy is stopping"};
  if (frozen_) return {.outcome = ReloadReport::Outcome::refused, .text = std::string(kFrozen)};
  if (previous_ == nullptr) {
    return finish({.outcome = ReloadReport::Outcome::refused, .text = "there was no reload that changed anything"});
  }
  ReloadReport report;
  in_background([&] { report = apply(*previous_); });
  if (report.outcome == ReloadReport::Outcome::applied) {
    report.warnings.emplace_back("the files are as they were: the next reload applies them again");
  }
  return finish(std::move(report));
}

ReloadReport Reloader::finish(ReloadReport report) {
  report.at = ::time(nullptr);
  for (const std::string& warning : report.warnings) log_warn("in a reload: ", warning);
  switch (report.outcome) {
    case ReloadReport::Outcome::applied:
      counters_.applied.add();
      log_info("reload: ", report.text);
      break;
    case ReloadReport::Outcome::unchanged:
      counters_.unchanged.add();
      log_info("reload: nothing has changed");
      break;
    default:
      counters_.refused.add();
      log_lines(report.text);
      log_error("reload refused; nothing was changed");
  }
  const std::lock_guard state(state_);
  last_ = report;
  return report;
}

ReloadReport Reloader::apply(config::Configuration next) {
  ReloadReport report;
  for (const config::KeyChange& change : config::compare(running_, next).process) {
    if (change.concern != Concern::restart) continue;
    report.warnings.push_back(std::string(change.key) + " has changed from " + change.before + " to " + change.after +
                              ", which takes effect when the proxy is started again");
  }
  next.process =
      std::make_shared<const config::ProcessConfig>(config::without_restart(*running_.process, *next.process));
  const config::Diff diff = config::compare(running_, next);
  if (diff.empty()) {
    report.outcome = ReloadReport::Outcome::unchanged;
    return report;
  }
  // What has not changed stays the same object, whatever lines it stands on now.
  for (config::ClusterSnapshot& cluster : next.clusters) {
    const auto differs = [&](const ClusterDiff& one) { return one.name == cluster->name; };
    if (std::ranges::any_of(diff.clusters, differs)) continue;
    cluster = *std::ranges::find_if(running_.clusters, [&](const auto& now) { return now->name == cluster->name; });
  }
  if (const std::string silent = silent_workers(); !silent.empty()) {
    report.outcome = ReloadReport::Outcome::refused;
    report.text = "no answer from " + silent + " within " + std::to_string(kAnswerWithin.count() / 1000) +
                  " s, and a reload needs all workers; what hangs there shows in /metrics " +
                  "(overlord_proxy_worker_up), and only a restart ends it";
    return report;
  }
  auto made = plan(next, diff);
  if (!made) {
    report.outcome = ReloadReport::Outcome::refused;
    report.text = made.error().message;
    return report;
  }
  carry_out(*made, diff);
  report.outcome = ReloadReport::Outcome::applied;
  report.text = config::summary(diff);
  const std::lock_guard state(state_);
  previous_ = std::make_unique<config::Configuration>(std::exchange(running_, std::move(next)));
  return report;
}

ClusterChange Reloader::change_of(const ClusterDiff& diff) {
  ClusterChange change;
  PoolChange& pool = change.pool;
  pool.config = diff.after;
  switch (diff.kind) {
    case ClusterDiff::Kind::removed: change.cluster = clusters_.at(diff.name); return change;
    case ClusterDiff::Kind::added:
      change.cluster = std::make_shared<SharedCluster>(*diff.after, workers_.size());
      change.begins_as = without_servers(*diff.after);
      pool.kept.assign(diff.after->servers.size(), -1);
      pool.new_servers = true;
      break;
    case ClusterDiff::Kind::changed:
      change.cluster = clusters_.at(diff.name);
      pool.kept = diff.kept;
      pool.new_connections = new_connections(diff);
      pool.new_servers = !diff.same_servers();
      break;
  }
  if (diff.after->cache_type == config::CacheType::redis_cluster) return change;
  if (pool.new_servers || diff.concerns(Concern::placement)) pool.ring = ring_of(*diff.after);
  return change;
}

Result<ReloadPlan> Reloader::plan(const config::Configuration& next, const config::Diff& diff) {
  ReloadPlan made{.process = next.process, .clusters = {}, .listeners = {}, .tls = {}};
  // A cluster that becomes another one is removed and added under the same name.
  auto clusters = clusters_;
  for (const ClusterDiff& one : diff.clusters) {
    ClusterChange change = change_of(one);
    if (one.kind == ClusterDiff::Kind::added) clusters[one.name] = change.cluster;
    made.clusters.push_back(std::move(change));
  }
  std::vector<Listeners::Wanted> wanted;
  for (const config::ClusterSnapshot& cluster : next.clusters) {
    wanted.push_back({.config = cluster, .cluster = clusters.at(cluster->name)});
  }
  auto tls = certificates_.read(next.clusters);
  if (!tls) return std::unexpected(tls.error());
  made.tls = std::move(*tls);
  auto listeners = listeners_.open(wanted);
  if (!listeners) return std::unexpected(listeners.error());
  made.listeners = std::move(*listeners);
  // From here on nothing can fail.
  certificates_.adopt();
  listeners_.adopt(made.listeners);
  std::erase_if(clusters, [&](const auto& entry) {
    return std::ranges::none_of(next.clusters, [&](const auto& cluster) { return cluster->name == entry.first; });
  });
  clusters_ = std::move(clusters);
  return made;
}

std::string Reloader::silent_workers() const {
  const auto answers = ask_workers<bool>(workers_, kAnswerWithin, [](Worker&) { return true; });
  std::string silent;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) silent.append(silent.empty() ? "worker-" : ", worker-").append(std::to_string(i));
  }
  return silent;
}

bool Reloader::on_all_workers(const std::function<bool(Worker&)>& work) {
  struct Round {
    explicit Round(size_t workers) : left(static_cast<ptrdiff_t>(workers)) {}
    std::latch left;
    std::atomic<bool> good{true};
  };
  // Held by each of them: the last to count down may still be at it when the wait is over.
  const auto round = std::make_shared<Round>(workers_.size());
  for (const auto& worker : workers_) {
    worker->post([&work, &worker = *worker, round] {
      if (!work(worker)) round->good.store(false);
      round->left.count_down();
    });
  }
  round->left.wait();
  return round->good.load();
}

void Reloader::carry_out(ReloadPlan& plan, const config::Diff& diff) {
  // Sentinels tell the addresses of new masters while these are prepared.
  std::map<std::string, std::unique_ptr<SentinelWatch>> watches;
  auto wait = milliseconds(0);
  for (const ClusterDiff& one : diff.clusters) {
    if (one.after == nullptr) continue;
    wait = std::max(wait, wait_for(*one.after));
  }
  // The parts of new clusters are there when this returns.
  bool ready = on_all_workers([&](Worker& worker) { return worker.prepare(plan); });
  for (const ClusterDiff& one : diff.clusters) {
    if (one.after != nullptr && other_sentinels(one)) start_watch(one.after, clusters_.at(one.name), watches);
  }
  const auto deadline = Clock::now() + wait;
  for (auto pause = kFirstPause; !ready && Clock::now() < deadline; pause = std::min(pause * 2, kLastPause)) {
    std::this_thread::sleep_for(pause);
    ready = on_all_workers([&](Worker& worker) { return worker.prepare(plan); });
  }
  on_all_workers([&](Worker& worker) {
    worker.commit(plan);
    return true;
  });
  for (const ClusterDiff& one : diff.clusters) {
    if (other_sentinels(one)) watches_.erase(one.name);
  }
  watches_.merge(watches);
  certificates_.watch();
}

Result<std::string> Reloader::diff() const {
  if (!load_) return fail("there are no files to read");
  const auto loaded = load_();
  if (!loaded.ok()) {
    std::string errors;
    for (const config::Problem& problem : loaded.problems) {
      errors.append(errors.empty() ? "" : "\n").append(config::format(problem));
    }
    return fail(errors);
  }
  return config::describe(config::compare(running(), *loaded.value));
}

void Reloader::freeze(bool on) {
  const std::lock_guard busy(busy_);
  frozen_ = on;
}

std::string Reloader::path_of(const std::string& address) {
  const std::lock_guard busy(busy_);
  return listeners_.path_of(address);
}

void Reloader::leave_paths() {
  const std::lock_guard busy(busy_);
  listeners_.leave_paths();
}

std::shared_ptr<SharedCluster> Reloader::cluster(const std::string& name) {
  const std::lock_guard busy(busy_);
  const auto found = clusters_.find(name);
  return found == clusters_.end() ? nullptr : found->second;
}

ReloadReport Reloader::last() const {
  const std::lock_guard state(state_);
  return last_;
}

config::Configuration Reloader::running() const {
  const std::lock_guard state(state_);
  return running_;
}

}  // namespace overlord::proxy
