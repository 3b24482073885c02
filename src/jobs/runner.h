#pragma once
// Runner: carries out all jobs, for the scheduler that leads. It is made when a scheduler becomes the leader and thrown
// away when it no longer is: all that it knows it has read.
//
//   Runner runner(store, [&] { return candidate.fence(); }, engine, redis, clock, seed);
//   while (candidate.leads()) runner.turn(100ms);
//
// One thread. Jobs of different clusters go on side by side, a short act of each at a time; a cluster has one job at a
// time, whose id stands in its record. After every step the job is stored, under the fence: what a former leader does
// late changes nothing in the store, and what it started nobody names, so it is ended (heal.h).

#include <chrono>
#include <map>
#include <random>
#include <string>

#include "jobs/heal.h"
#include "jobs/machine.h"
#include "jobs/tools.h"

namespace overlord::jobs {

class Runner {
 public:
  Runner(store::Store& store, Desk::Fence fence, engine::Engine& engine, redisctl::Admin& redis, Clock& clock,
         uint64_t seed, const Timing& timing = {}, const HealTiming& heal = {});

  // Takes in what has happened, waiting for it for so long at most, and does what is due. False: the store or the engine
  // cannot be worked with now; the log says why.
  bool turn(std::chrono::milliseconds patience);
  const State& state() const { return desk_.state(); }
  // How many steps have been stored as done, or taken back.
  uint64_t steps() const { return steps_; }

 private:
  struct Pace {
    Moment not_before = 0;
    Moment stored = 0;
  };

  void drive(const std::string& id, Moment now);
  void plan_job(model::Job job, Moment now);
  void act(model::Job job, Moment now);
  // Keeps a job that has changed; when it is over, its cluster is set free.
  bool keep(const model::Job& job, Moment now, store::Transaction with = {});
  void add_release(const model::Job& job, Moment now, store::Transaction& transaction) const;

  Desk desk_;
  TaskBoard tasks_;
  Tools tools_;
  Healer healer_;
  std::mt19937_64 random_;
  std::map<std::string, Pace> pace_;
  bool open_ = false;
  uint64_t steps_ = 0;
};

}  // namespace overlord::jobs
