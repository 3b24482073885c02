#pragma once
// LocalEngine: the engine of one machine. Each of its hosts is an address of this machine with an overlord-executor of its
// own, a process apart that outlives this one: what runs is found again by the next LocalEngine of the same folder.
//
// A thread for each host keeps its executor running, follows its events and takes requests to it. An executor that does not
// answer is killed (its nodes run on) and started anew; when that does not help for `lost_after`, the host is lost.
//
// Folders: <folder>/<address>, with the executor's socket, lock, logs and nodes. All executors share `lib`.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "engine/local/host_book.h"
#include "http/client.h"
#include "http/client_stream.h"

namespace overlord::engine {

struct LocalOptions {
  std::vector<LocalHost> hosts;
  std::string folder;                    // absolute
  std::string program;                   // of overlord-executor
  std::string lib;                       // empty: <folder>/lib
  std::vector<std::string> arguments{};  // more of the executor's flags
  std::chrono::milliseconds lost_after{15'000};
  std::chrono::milliseconds check_interval{2000};  // between questions whether an executor is alive
  std::chrono::milliseconds patience{3000};        // for an answer of it
};

class LocalEngine : public Engine {
 public:
  // The error: the options cannot be right (no hosts, one address twice, a folder that cannot be made).
  static Result<std::unique_ptr<LocalEngine>> start(LocalOptions options);
  // Executors and nodes run on.
  ~LocalEngine() override;
  LocalEngine(const LocalEngine&) = delete;
  LocalEngine& operator=(const LocalEngine&) = delete;

  std::vector<HostStatus> hosts() override;
  void want(bool) override {}  // what is free is known at any time
  Result<void> launch(const model::NodeTask& task) override;
  Result<void> kill(const std::string& id, const std::string& host, std::chrono::milliseconds grace) override;
  void reconcile(const std::vector<TaskStatus>& known) override;
  std::vector<TaskStatus> changes(std::chrono::milliseconds patience) override;
  bool settled() override;
  std::string trouble() override;

 private:
  struct Link;

  explicit LocalEngine(LocalOptions options);
  void work(Link& link);
  bool connect(Link& link);
  bool follow(Link& link);
  bool run_errands(Link& link);
  bool alive(Link& link);
  void revive(Link& link, const std::string& why);
  void down(Link& link, const std::string& why);
  HostBook* book_of(const std::string& host);

  const LocalOptions options_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // guards the books of all links and `unknown_`
  std::condition_variable news_;
  std::vector<TaskStatus> unknown_;  // of hosts that are none of ours
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace overlord::engine
