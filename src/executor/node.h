#pragma once
// Node: one task's life on this host, as a machine that its supervisor drives: it is told of time, of descriptors, of servers
// that were found, and it acts: starts, probes, restarts, stops. It never waits and has no thread; all by one at a time.
//
//            +-- found, started --> up: starting -> running <-> sick
//   finding -+                       |  ends by itself, or hung and killed
//      ^     +-- not found --> pausing <+
//      +--- time is over -------+  \-- too often --> over: failed        stop() --> (up: stopping) --> over: stopped
//
// What is known is in the task's file before anything is done because of it.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "executor/limits.h"
#include "executor/options.h"
#include "executor/probe.h"
#include "executor/process.h"
#include "executor/task_file.h"

namespace overlord::executor {

struct RecipeFile;

class Node {
 public:
  // What nodes ask of their supervisor.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void find_server(const model::NodeTask& task) = 0;  // found() follows, never within this call
    virtual void changed(const Node& node) = 0;                 // what its status says
    virtual const Options& options() const = 0;
    virtual const Limits& limits() const = 0;
  };

  Node(Owner& owner, std::string folder, TaskRecord record);

  // A new task. The error: it cannot be written down, and nothing has been done.
  Result<void> begin(Clock::time_point now);
  // A task of an earlier executor, whose process may run.
  void resume(Clock::time_point now);
  void found(Result<Server> server, Clock::time_point now);
  // Ends it: asks the server, and makes it after `grace`.
  void stop(std::chrono::milliseconds grace, Clock::time_point now);

  const TaskRecord& record() const { return record_; }
  const std::string& folder() const { return folder_; }

  // For the supervisor's poll: what to look at, and when to look at the latest. look() after that.
  void wishes(std::vector<pollfd>& into) const;
  Clock::time_point next_look() const;
  void look(Clock::time_point now);

 private:
  enum class Phase : uint8_t { finding, pausing, up, over };

  Result<void> start(const Server& server);
  Result<void> prepare_folder();
  Result<void> write_files(const std::vector<RecipeFile>& files);
  void came_up(Clock::time_point now);
  void ended(const std::string& how, Clock::time_point now);
  void missed(const std::string& why, Clock::time_point now);  // it does not run: again, or never
  bool loses_data() const;                                     // when its server ends
  void over(model::Health health, std::string message);
  void heed(const Finding& finding, Clock::time_point now);
  void judge_silence(Clock::time_point now);
  void set(model::Health health, std::string message);
  Result<void> save() const;
  void save_or_log() const;

  Owner& owner_;
  const std::string folder_;
  TaskRecord record_;
  Phase phase_ = Phase::over;
  std::optional<Process> process_;
  Probe probe_;
  uint32_t failed_probes_ = 0;  // in a row
  bool answered_ = false;       // since it came up
  std::string killed_for_;      // why it is being killed
  std::string last_trouble_;    // of the probe that failed last
  Clock::time_point next_probe_{};
  Clock::time_point last_sign_{};  // of life; when it came up, before the first
  Clock::time_point well_since_{};
  Clock::time_point retry_at_{};
  Clock::time_point stop_by_{};
};

}  // namespace overlord::executor
