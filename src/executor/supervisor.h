#pragma once
// Supervisor: all tasks of one host. A thread of its own drives their nodes; whoever calls the functions here only
// takes its turn between two of its looks.
//
// Its folder has one for each node, by port, and a lock: one executor at a time. When it ends its nodes run on, and the
// next one finds them again; what was being stopped then ends then.

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "executor/files.h"
#include "executor/finder.h"
#include "executor/node.h"

namespace overlord::executor {

class Supervisor : private Node::Owner {
 public:
  // Reads what earlier executors left, and begins. The error: the folder cannot be used, or another executor does.
  static Result<std::unique_ptr<Supervisor>> start(Options options);
  // Nodes run on.
  ~Supervisor() override;
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  enum class Refused : uint8_t { no, bad, conflict, broken };  // the caller's fault, the state's, this host's
  struct Answer {
    Refused refused = Refused::no;
    std::string text;  // the task's status as JSON, or what is wrong
  };
  // Has a task run. Again for one that is known and not over: nothing changes.
  Answer launch(const model::NodeTask& task);
  // Has it ended; the status follows as events. One that is over is forgotten. Nothing: it is not known.
  std::optional<Answer> stop(const std::string& id, std::chrono::milliseconds grace);
  // All of them as JSON: {"host":..,"next":N,"tasks":[..]}; events from `next` on are what comes after.
  std::string tasks() const;
  std::string about() const;  // JSON: host, pid, folder, limits, tasks

  // Events from a number on, one JSON a line, appended; returns the next number. Nothing when some of these are not
  // there any more, or never were.
  std::optional<uint64_t> events(uint64_t from, std::string& into) const;
  uint64_t next_event() const;
  // Ends every task, and waits until all are over.
  void stop_all(std::chrono::milliseconds grace);

  static constexpr size_t kMostEvents = 4096;

 private:
  explicit Supervisor(Options options, FileLock lock);

  // Node::Owner; with the lock held.
  void find_server(const model::NodeTask& task) override;
  void changed(const Node& node) override;
  const Options& options() const override { return options_; }
  const Limits& limits() const override { return limits_; }

  void load();
  void run();
  void take_found(Clock::time_point now);
  void tidy(Clock::time_point now);
  void publish(const TaskRecord& record, bool removed);
  void wake();
  std::string folder_of(uint16_t port) const;
  Node* find(const std::string& id);

  const Options options_;
  const FileLock lock_;
  const Limits limits_;
  net::UniqueFd wake_;
  std::atomic<bool> stopping_{false};

  struct Found {
    std::string id;
    Result<Server> server;
  };
  mutable std::mutex mutex_;  // guards what follows; the thread holds it, but for when it waits
  std::map<uint16_t, std::unique_ptr<Node>> nodes_;
  std::vector<Found> found_;
  std::deque<TaskEvent> events_;
  uint64_t next_event_ = 0;
  Clock::time_point next_tidy_{};

  std::thread thread_;
  std::unique_ptr<Finder> finder_;  // ends before what it tells of its findings
};

}  // namespace overlord::executor
