#pragma once
// Reloader: puts a configuration in force, the first one and those that follow, and knows which one is.
//
// A reload reads the files, compares (config/diff.h), makes ready what can fail (files of TLS, listening sockets) and
// what takes long (rings), and then has every worker prepare, until what is new is connected or dial_timeout is over,
// and commit. Until then nothing has changed: a reload that fails changes nothing and says why. One at a time; a second
// one waits. Any thread may ask, and waits for the outcome.
//
// Order: what a client sends after a commit may go to another backend than what it has in flight, so it waits until
// that is answered (Session::reconfigure). The old and the new place of a key are two servers, or two connections to
// one; in neither case can the later request overtake.

#include <atomic>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/counter.h"
#include "base/error.h"
#include "config/configuration.h"
#include "config/diff.h"
#include "proxy/certificates.h"
#include "proxy/listeners.h"
#include "proxy/reload_plan.h"
#include "proxy/sentinel_watch.h"

namespace overlord::proxy {

class Worker;

struct ReloadReport {
  enum class Outcome : uint8_t { none, applied, unchanged, refused };  // none: there was no reload yet
  Outcome outcome = Outcome::none;
  std::string text = {};                   // what has changed in one line; why it was refused, a line for each problem
  std::vector<std::string> warnings = {};  // of the files, and keys that need a restart
  time_t at = 0;
};
std::string_view to_string(ReloadReport::Outcome outcome);

struct ReloadCounters {
  Counter applied;
  Counter unchanged;
  Counter refused;
};

class Reloader {
 public:
  using Workers = std::vector<std::unique_ptr<Worker>>;
  using Load = std::function<config::LoadOutcome<config::Configuration>()>;

  Reloader(config::Configuration first, Load load, const Workers& workers);

  // Before start(): listening sockets that a service manager opened.
  void inherit(net::InheritedSockets sockets) { listeners_.inherit(std::move(sockets)); }
  // Puts the first configuration in force. Before the workers start; watch() after it.
  Result<void> start();
  void watch();
  // No reload is under way when this returns, and none begins.
  void stop();
  void remove_paths() { listeners_.remove_paths(); }
  // An upgrade: reloads are refused while it is under way; sockets come from the process before, or go to the next one.
  void freeze(bool on);
  void take_over(std::vector<HandedListener> sockets) { listeners_.take_over(std::move(sockets)); }
  std::string path_of(const std::string& address);
  void leave_paths();
  // Null: there is none of that name.
  std::shared_ptr<SharedCluster> cluster(const std::string& name);

  // Any thread, but no worker.
  ReloadReport reload();
  // Puts the configuration before the last reload in force again; the files stay as they are.
  ReloadReport rollback();
  // What a reload would change, a line each; empty: nothing. The error has a line for each problem of the files.
  Result<std::string> diff() const;
  ReloadReport last() const;
  config::Configuration running() const;
  const ReloadCounters& counters() const { return counters_; }
  void look_at_certificates() { certificates_.look_now(); }

 private:
  ReloadReport load_and_apply();
  ReloadReport apply(config::Configuration next);
  Result<ReloadPlan> plan(const config::Configuration& next, const config::Diff& diff);
  ClusterChange change_of(const config::ClusterDiff& diff);
  void carry_out(ReloadPlan& plan, const config::Diff& diff);
  // Those that do not answer, by name; empty: all do.
  std::string silent_workers() const;
  bool on_all_workers(const std::function<bool(Worker&)>& work);
  void start_watch(const config::ClusterSnapshot& cluster, const std::shared_ptr<SharedCluster>& shared,
                   std::map<std::string, std::unique_ptr<SentinelWatch>>& into);
  ReloadReport finish(ReloadReport report);

  const Load load_;
  const Workers& workers_;
  Certificates certificates_;
  Listeners listeners_;
  std::map<std::string, std::shared_ptr<SharedCluster>> clusters_;  // of the running configuration, by name
  std::map<std::string, std::unique_ptr<SentinelWatch>> watches_;   // likewise
  std::mutex busy_;                                                 // one reload at a time
  bool stopped_ = false;
  bool frozen_ = false;
  mutable std::mutex state_;  // guards what follows
  config::Configuration running_;
  std::unique_ptr<config::Configuration> previous_;
  ReloadReport last_;
  ReloadCounters counters_;
};

}  // namespace overlord::proxy
