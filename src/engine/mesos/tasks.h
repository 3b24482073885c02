#pragma once
// TaskBook: what is known of each task, what of it was not told yet, and what is to be asked, killed and acknowledged.
// No I/O, no clock of its own.
//
// Updates may come twice, late, and after others of the same task. What an executor or agent says of the end of a task
// is final; a "lost" is not, since a master that has just begun, or lost sight of an agent, says it of tasks that live.

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/mesos/offers.h"
#include "mesos/scheduler_calls.h"

namespace overlord::engine {

// The address that a task's id begins with: "10.0.0.1:6379-cluster-0"; nothing: it is none of ours.
std::optional<model::HostPort> place_of(std::string_view task_id);
TaskState state_of(const mesos::Status& status);

struct TaskTimes {
  std::chrono::milliseconds ask_first{1'000};  // between questions about a task, doubled each time
  std::chrono::milliseconds ask_longest{60'000};
  std::chrono::milliseconds kill_first{5'000};
  std::chrono::milliseconds kill_longest{60'000};
  std::chrono::milliseconds silence{30'000};  // a task that nobody has said a word of for so long is lost
  std::chrono::minutes keep{15};              // what has ended is remembered for so long
};

class TaskBook {
 public:
  explicit TaskBook(TaskTimes times) : times_(times) {}

  // Whether it is staging or runs, as far as is known.
  bool alive(const std::string& id) const;
  void launched(const std::string& id, const std::string& host, const std::string& agent_id,
                const OfferBook::Used& used);
  // The call that asks for it goes out now. Before that a question would find that nobody knows it.
  void asked_for(const std::string& id);
  // It was never asked for after all.
  void withdrawn(const std::string& id, const std::string& why, Clock::time_point now);
  void updated(const mesos::Status& status, Clock::time_point now);
  void agent_failed(const std::string& agent_id, Clock::time_point now);
  void kill(const std::string& id, const std::string& host, std::chrono::milliseconds grace, Clock::time_point now);
  void ask(const TaskStatus& task, Clock::time_point now);
  // A new connection: all that has not ended is to be asked about and kills are to be said again; what was handed over
  // and not acknowledged will come again.
  void connected(Clock::time_point now);
  void ask_all(Clock::time_point now);

  struct KillNow {
    mesos::TaskAt task;
    std::chrono::milliseconds grace;
  };
  std::vector<KillNow> kills(Clock::time_point now);
  // Where an agent is not known, `offers` may know the one of the host.
  std::vector<mesos::TaskAt> questions(const OfferBook& offers, Clock::time_point now);
  bool asks() const;  // whether there are questions without an answer

  bool has_changes() const { return changed_ > 0; }
  // What was not told yet. What it is about is acknowledged after the next call of acknowledge_told().
  std::vector<TaskStatus> take_changes();
  void acknowledge_told();
  std::vector<mesos::Status> take_acknowledgements();
  std::map<std::string, OfferBook::Used> used() const;
  // Of an executor or of what it is known of.
  std::string agent_of(const std::string& id) const;
  void forget_old(Clock::time_point now);
  size_t size() const { return tasks_.size(); }

 private:
  struct Repeat {
    Clock::time_point next;
    std::chrono::milliseconds pause;
    Clock::time_point since;
  };
  struct Task {
    TaskStatus status;
    std::string agent_id;
    OfferBook::Used used;
    bool final = false;
    bool waiting = false;  // launched, and not asked for yet
    bool changed = false;
    bool tell = false;             // the next answer is told even if nothing is new in it
    std::deque<std::string> seen;  // uuids of its updates, the newest last
    Clock::time_point ended;
    std::vector<mesos::Status> updates;  // to be acknowledged, once told
    std::optional<Repeat> question;
    std::optional<Repeat> killing;
    std::chrono::milliseconds grace{};
  };
  Task& task(const std::string& id, const std::string& host);
  void set(Task& task, TaskState state, std::string message);
  void end(Task& task, TaskState state, std::string message, Clock::time_point now);
  static bool is_echo(Task& task, const std::string& uuid);

  const TaskTimes times_;
  std::map<std::string, Task> tasks_;
  size_t changed_ = 0;
  std::vector<mesos::Status> told_;     // updates whose states were handed over
  std::vector<mesos::Status> to_send_;  // acknowledgements
};

}  // namespace overlord::engine
