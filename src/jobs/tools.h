#pragma once
// Tools: what acts work with. The ports to the world (engine, redis nodes, clock) are interfaces, so that a simulation
// can stand behind them.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "jobs/state.h"
#include "redisctl/admin.h"

namespace overlord::jobs {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual model::Moment now() = 0;  // ms since 1970
};

// What the engine has said of tasks so far, by id.
class TaskBoard {
 public:
  explicit TaskBoard(engine::Engine& engine) : engine_(engine) {}

  // Takes in what is new; asks once about tasks that records name.
  void poll(const State& state, std::chrono::milliseconds patience);
  // nullptr: not heard of.
  const engine::TaskStatus* find(const std::string& id) const;
  bool runs(const std::string& id) const;
  bool is_over(const std::string& id) const;
  // Whether the engine has contact with that host. Unknown hosts: no.
  bool reachable(const std::string& host) const { return reachable_.contains(host); }
  const std::vector<engine::HostStatus>& hosts() const { return hosts_; }
  const std::map<std::string, engine::TaskStatus>& all() const { return tasks_; }
  // Those whose status has changed since the last call.
  std::set<std::string> take_changed() { return std::exchange(changed_, {}); }
  // Forgets a task that is over and that no record names any more.
  void drop(const std::string& id) { tasks_.erase(id); }

  Result<void> launch(const model::NodeTask& task);
  // Asks once per task; the engine repeats it.
  Result<void> kill(const std::string& id, const std::string& host);
  engine::Engine& engine() { return engine_; }

 private:
  engine::Engine& engine_;
  std::map<std::string, engine::TaskStatus> tasks_;
  std::set<std::string> changed_;
  std::set<std::string> killed_;
  std::vector<engine::HostStatus> hosts_;
  std::set<std::string> reachable_;
  bool asked_ = false;
};

struct Timing {
  model::Moment start_limit = 120'000;    // a task that does not run by then is shown as waited for
  uint32_t starts = 4;                    // of a node's task before a job gives up on it
  model::Moment agree_limit = 60'000;     // for a redis_cluster to agree, before it is shown as waited for
  model::Moment failover_limit = 30'000;  // for redis to replace a master by itself, before it is told to
  model::Moment stop_grace = 10'000;
  uint32_t ramp_hold = 5'000;
  model::Moment slots_turn = 500;  // moving slots goes on for so long before others have their turn
};

struct Tools {
  Desk& desk;
  TaskBoard& tasks;
  redisctl::Admin& redis;
  Clock& clock;
  Timing timing{};

  const State& state() const { return desk.state(); }
};

// What an executor is to know of a node. redis: asked for what the cluster looks like, when a node may have lost it.
enum class Begin : uint8_t {
  with_new_cluster,  // with the others of the cluster, by the plan
  alone,             // it will be met
  again,             // it was there before
};
Result<model::NodeTask> task_of(Tools& tools, const model::Node& node, Begin begin, bool wipe);

// As one of the nodes that run sees it; the error says what was tried.
Result<redisctl::Topology> see_cluster(Tools& tools, const std::string& cluster);
redisctl::Endpoint endpoint(const Tools& tools, const model::Node& node);

}  // namespace overlord::jobs
