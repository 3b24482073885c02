#pragma once
// Finder: a thread that looks for servers, since finding one may mean to download it. What was found is remembered for as
// long as the file stays as it was, so that a node that is started again does not wait behind somebody's download.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "executor/versions.h"

namespace overlord::executor {

class Finder {
 public:
  // done: on the finder's thread, with the task's id.
  using Done = std::function<void(const std::string& id, Result<Server> server)>;

  Finder(VersionsOptions options, Done done);
  // Gives up what is being downloaded.
  ~Finder();
  Finder(const Finder&) = delete;
  Finder& operator=(const Finder&) = delete;

  // Any thread. Tasks are looked for one after the other.
  void ask(const model::NodeTask& task);
  // Any thread: what was found before, if it is there still.
  std::optional<Server> known(const model::NodeTask& task) const;

 private:
  struct Known {
    Server server;
    int64_t changed = 0;  // of the file, ns
  };
  static std::string key_of(const model::NodeTask& task);
  void work();

  const Versions versions_;
  const Done done_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<model::NodeTask> queue_;
  std::map<std::string, Known> known_;
  std::thread thread_;
};

}  // namespace overlord::executor
