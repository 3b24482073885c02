#pragma once
// Engine: what the scheduler asks of whoever runs tasks on hosts: this machine's executors (local/) or Mesos (mesos/).
// Nothing above knows which one it is.
//
// Every call may be made by any thread. What an engine says is what it has seen so far: tasks that it knows nothing of
// may run all the same, until it is settled().

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/host.h"
#include "model/task.h"
#include "placement/model.h"

namespace overlord::engine {

enum class TaskState : uint8_t {
  staging,   // asked for
  starting,  // the process runs and does not answer yet
  running,   // answers its protocol
  sick,      // runs, and has not answered for a while
  stopped,   // ended as it was told to
  failed,    // ended by itself or could not be started
  lost,      // nobody knows; it may run still
  gone,      // the engine is sure that it does not run, and has no more to say of it
};
std::string_view to_string(TaskState state);
constexpr bool is_over(TaskState state) {
  return state == TaskState::stopped || state == TaskState::failed || state == TaskState::gone;
}

struct TaskStatus {
  std::string id;
  TaskState state = TaskState::staging;
  std::string host;
  std::string message;  // in words, when there is something to say
  bool operator==(const TaskStatus&) const = default;
};

struct HostStatus {
  model::Host host;      // whole capacity, as far as it is known
  placement::Host free;  // what is left for new tasks
  bool reachable = true;
};

class Engine {
 public:
  virtual ~Engine() = default;

  // All hosts that are known, lost ones too. With Mesos `free` is what is on offer: see want().
  virtual std::vector<HostStatus> hosts() = 0;
  // Whether there is something to place: offers are asked for, and held, while there is.
  virtual void want(bool offers) = 0;
  // Asks for a task on task.host. Asking again for a task that is staging or runs is no error and changes nothing. An
  // error: not asked for (there is no room on the host, nobody is connected); the same call can succeed later.
  virtual Result<void> launch(const model::NodeTask& task) = 0;
  // Has a task ended: asked to, and after `grace` made to. Of a task that is unknown a status `gone` or `lost` follows.
  // Repeated by the engine until the task is over.
  virtual Result<void> kill(const std::string& id, const std::string& host, std::chrono::milliseconds grace) = 0;
  // Asks about these tasks, so that a status of each will come.
  virtual void reconcile(const std::vector<TaskStatus>& known) = 0;
  // What has changed since the last call, waiting for it for so long at most; the newest of each task. A status may
  // come more than once. One thread at a time.
  virtual std::vector<TaskStatus> changes(std::chrono::milliseconds patience) = 0;
  // Whether it is connected and has heard of all that runs.
  virtual bool settled() = 0;
  // In words, when not connected: for operators.
  virtual std::string trouble() = 0;
};

}  // namespace overlord::engine
