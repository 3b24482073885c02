#pragma once
// Scheduler: one of several that stand by; the one that leads has an engine, carries out all jobs and mends what breaks.
// What it knows it has read from the store, so any of them may be killed at any moment.

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "engine/engine.h"
#include "scheduler/config.h"
#include "store/election.h"
#include "store/store.h"

namespace overlord::scheduler {

class Scheduler {
 public:
  Scheduler(store::Store& store, const Config& config);

  // Until stop(). One thread.
  void run();
  // Any thread.
  void stop();

 private:
  using Fence = std::function<store::Condition()>;

  void lead();
  Result<std::unique_ptr<engine::Engine>> start_engine();
  Result<std::unique_ptr<engine::Engine>> start_local() const;
  Result<std::unique_ptr<engine::Engine>> start_mesos();

  store::Store& store_;
  const Config config_;
  const std::string who_;
  store::Candidate candidate_;
  std::atomic<bool> stopping_{false};
};

// What a store that grows for ever needs: it forgets how it was more than `age` ago.
class Compactor {
 public:
  Compactor(store::Store& store, std::chrono::milliseconds age) : store_(store), age_(age) {}
  // From time to time, with the store's present revision.
  void turn(store::Revision now, std::chrono::steady_clock::time_point at);

 private:
  store::Store& store_;
  const std::chrono::milliseconds age_;
  store::Revision noted_ = 0;  // as it was at noted_at_
  std::chrono::steady_clock::time_point noted_at_{};
};

}  // namespace overlord::scheduler
