#pragma once
// ExecutorClient: an executor's side of Mesos: tells what the agent wants to who runs the nodes, and what becomes of them
// to the agent (v1 executor HTTP API).
//
//   ExecutorClient client(*read_environment(std::getenv), handlers);
//   ... from any thread: client.update({id, State::running, ...})
//   End end = client.run();   // returns when there is nothing more to do; why is in it
//
// Updates are kept until the agent has acknowledged them, and sent again: every few seconds, and whenever it is
// subscribed anew. When the stream ends the framework's checkpoint decides: without it an agent that begins anew does
// not know us, so that run() returns at once; with it we try to come back, at most `back_off` apart, until
// `recovery_timeout` has passed, or the agent says, time and again, that it does not know us.
//
// SHUTDOWN is passed on, and whoever runs the nodes calls stop() when they have ended. After that run() goes on for as
// long as updates wait for their acknowledgement, `shutdown_grace` at most.

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "executor_mesos/environment.h"
#include "executor_mesos/updates.h"
#include "http/client.h"
#include "mesos/event_stream.h"
#include "model/task.h"

namespace overlord::executor_mesos {

// What the agent asks for; all called on run()'s thread. They must not wait for long: meanwhile nothing is heard or said.
struct Handlers {
  // A task that is new. When it cannot be read the client says TASK_FAILED by itself.
  std::function<void(const model::NodeTask& task)> launch{};
  // May come several times, and for tasks that are over. grace: nothing: not said.
  std::function<void(const std::string& task_id, std::optional<std::chrono::milliseconds> grace)> kill{};
  // All are to be ended within so long; then the agent kills what is left.
  std::function<void(std::chrono::milliseconds grace)> shutdown{};
  std::function<void(const std::string& data)> message{};
  // Subscribed, or, false, cut off: for logs.
  std::function<void(bool connected)> connected{};
};

struct TaskUpdate {
  std::string task_id{};
  mesos::State state = mesos::State::starting;
  std::string message{};
  std::optional<bool> healthy{};
};

enum class End {
  shutdown,    // the agent has asked for it
  stopped,     // by stop()
  agent_lost,  // it does not know us any more, or was away for too long: nobody is left to report to
};
struct Ended {
  End end = End::stopped;
  std::string why{};
  size_t unacknowledged = 0;  // updates that the agent may not know of
};

struct Times {
  std::chrono::milliseconds again{5'000};    // an update without an acknowledgement
  std::chrono::milliseconds back_off{100};   // before the second try to subscribe, doubled up to Environment::back_off
  std::chrono::milliseconds timeout{5'000};  // of calls
  std::chrono::milliseconds tick{200};
};

class ExecutorClient {
 public:
  ExecutorClient(Environment environment, Handlers handlers, Times times = {});
  ExecutorClient(const ExecutorClient&) = delete;
  ExecutorClient& operator=(const ExecutorClient&) = delete;

  Ended run();

  // Any thread, before run() too.
  void update(TaskUpdate update);
  void message(std::string data);
  // run() returns when all updates are acknowledged.
  void stop();

 private:
  using Clock = UpdateBook::Clock;

  std::optional<Ended> turn();
  std::optional<Ended> over();
  std::optional<Ended> disconnected(const std::string& why);
  void subscribe();
  void handle(const std::string& text);
  void on(const mesos::executor::Subscribed& event);
  void on(const mesos::executor::Launch& event);
  void on(const mesos::executor::Kill& event);
  void on(const mesos::executor::Acknowledged& event);
  void on(const mesos::executor::Message& event);
  void on(const mesos::executor::Shutdown& event);
  void on(const mesos::executor::Refused& event);
  void on(const mesos::executor::Other& event);
  bool send(const std::string& call);
  void send_due();
  Ended ended(End end, std::string why) const;

  const Environment environment_;
  const Handlers handlers_;
  const Times times_;

  // The thread's own.
  mesos::EventStream stream_;
  http::Client calls_;
  UpdateBook book_;
  bool begun_ = false;
  bool subscribed_ = false;
  bool ever_subscribed_ = false;
  int unknown_ = 0;              // answers in a row that the agent does not know us
  Clock::time_point lost_at_{};  // since when there is no subscription
  Clock::time_point next_try_{};
  std::chrono::milliseconds back_off_{};
  std::optional<Clock::time_point> shutdown_at_{};  // when the agent's patience is over
  std::optional<Clock::time_point> end_at_{};       // when ours is, after stop()

  std::mutex mutex_;  // guards what other threads leave for ours
  std::vector<mesos::Status> new_updates_;
  std::vector<std::string> new_messages_;
  bool stop_ = false;
};

}  // namespace overlord::executor_mesos
