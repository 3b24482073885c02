#pragma once
// MesosEngine: tasks on the agents of a Mesos cluster, as a framework of its own (v1 scheduler HTTP API).
//
// One thread talks to the master; the calls of Engine note what is wanted, and it says so within moments. It subscribes
// with the framework's id from the store, again and with back-off whenever the connection is lost, and then asks what
// became of every task. Until the id of a new framework is stored nothing is launched: its tasks would be lost with it.
//
// A node is one task with an executor of its own (id: the node's address), and their resources together are the node's
// spec; the executor's share is in MesosOptions. The task's data is the NodeTask as JSON.
//
// Status updates are acknowledged when changes() is called again, so that whoever asked for them has had the time to
// keep them: after a crash before that the agent sends them again.
//
// When another instance subscribes with the same id ("Framework failed over") this one stops for good and says so in
// trouble(): to fight over it would stop both. When the master has removed the framework (torn down, or away for longer
// than its failover_timeout) all its tasks are ended by Mesos; a new one is registered.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "engine/mesos/master_link.h"
#include "engine/mesos/offers.h"
#include "engine/mesos/options.h"
#include "engine/mesos/tasks.h"

namespace overlord::engine {

class MesosEngine final : public Engine {
 public:
  // check() of the options must be good. Starts the thread.
  explicit MesosEngine(MesosOptions options);
  // Ends the connection and leaves the framework as it is: its tasks run on.
  ~MesosEngine() override;
  MesosEngine(const MesosEngine&) = delete;
  MesosEngine& operator=(const MesosEngine&) = delete;

  std::vector<HostStatus> hosts() override;
  void want(bool offers) override;
  Result<void> launch(const model::NodeTask& task) override;
  Result<void> kill(const std::string& id, const std::string& host, std::chrono::milliseconds grace) override;
  void reconcile(const std::vector<TaskStatus>& known) override;
  std::vector<TaskStatus> changes(std::chrono::milliseconds patience) override;
  bool settled() override;
  std::string trouble() override;

  // Bytes for the executor of a task; they may be lost. An error: its agent is not known, or nobody is connected.
  Result<void> message(const std::string& task_id, const std::string& executor_id, const std::string& data);

 private:
  struct Batch {  // launches of one agent and role that go in one call
    std::vector<mesos::TaskToRun> tasks;
    Clock::time_point since;
  };
  using Key = std::pair<std::string, std::string>;  // agent, role
  using Lock = std::unique_lock<std::mutex>;

  void run();
  bool begin();  // false: it is being stopped
  void turn();
  Result<std::string> framework_id();
  void pause(std::chrono::milliseconds time);
  std::chrono::milliseconds patience();
  void disconnected(const std::string& why);
  void handle(mesos::SchedulerEvent& event);
  void on(const mesos::Subscribed& event);
  void on(const mesos::Offers& event);
  void on(const mesos::Rescind& event);
  void on(const mesos::Update& event);
  void on(const mesos::Message& event);
  void on(const mesos::Failure& event);
  void on(const mesos::Refused& event);
  void on(const mesos::Heartbeat&) {}
  void on(const mesos::Other& event);
  void keep_id();
  std::vector<std::string> calls_due();
  void launches_due(Clock::time_point now, std::vector<std::string>& calls);
  void offers_due(Clock::time_point now, std::vector<std::string>& calls);
  void questions_due(Clock::time_point now, std::vector<std::string>& calls);
  void withdraw(const Key& key, const std::string& why);
  void poke();

  const MesosOptions options_;
  std::atomic<bool> stop_{false};

  // The thread's own.
  MasterLink link_;
  std::chrono::milliseconds back_off_{};
  bool registered_anew_ = false;
  std::string refusal_{};  // of the master, since the last try to subscribe

  // Guarded by mutex_: all below.
  std::mutex mutex_;
  std::condition_variable changed_;  // of tasks, or stop_
  std::condition_variable poked_;    // while there is no connection
  OfferBook offers_;
  TaskBook tasks_;
  std::map<Key, Batch> batches_;
  std::deque<std::string> messages_;  // calls
  std::string framework_id_;
  bool id_stored_ = false;
  Clock::time_point store_again_{};
  bool connected_ = false;
  bool settled_ = false;
  bool taken_over_ = false;
  bool wanted_ = false;
  bool revived_ = true;  // what the master believes
  Clock::time_point connected_at_{};
  Clock::time_point reconciled_at_{};
  std::string trouble_ = "not connected to a Mesos master yet";

  std::thread thread_;
};

}  // namespace overlord::engine
