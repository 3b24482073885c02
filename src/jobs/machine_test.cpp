#include "jobs/machine.h"

#include <gtest/gtest.h>

#include "jobs/step.h"

namespace overlord::jobs {
namespace {

using model::JobState;
using model::StepState;

Job running(std::vector<StepKind> kinds, model::JobKind kind = model::JobKind::scale) {
  Job job{.group = "g", .number = 1};
  job.intent.kind = kind;
  std::vector<model::Step> steps;
  for (const StepKind one : kinds) steps.push_back(make_step({.kind = one}));
  planned(job, std::move(steps), 1000);
  return job;
}

TEST(Machine, GoesFromStepToStep) {
  Job job{.group = "g", .number = 1};
  EXPECT_EQ(next(job), Next::plan);
  planned(job, {make_step({.kind = StepKind::launch}), make_step({.kind = StepKind::meet})}, 1000);
  EXPECT_EQ(job.state, JobState::running);
  EXPECT_EQ(next(job), Next::act);
  EXPECT_EQ(reported(job, Report::again("so far"), 1100), 200);
  EXPECT_EQ(job.steps[0].state, StepState::running);
  EXPECT_EQ(job.steps[0].began, 1100);
  EXPECT_EQ(job.steps[0].note, "so far");
  EXPECT_EQ(reported(job, Report::done(), 1200), 0);
  EXPECT_EQ(job.cursor, 1U);
  EXPECT_EQ(job.steps[0].ended, 1200);
  reported(job, Report::done(), 1300);
  EXPECT_EQ(job.state, JobState::done);
  EXPECT_EQ(job.ended, 1300);
  EXPECT_EQ(next(job), Next::nothing);
}

TEST(Machine, NothingToDoIsDone) {
  const Job job = running({});
  EXPECT_EQ(job.state, JobState::done);
}

TEST(Machine, WaitsAndSaysWhatFor) {
  Job job{.group = "g", .number = 1};
  not_planned(job, "memory: 400 MiB more needed", true, 5);
  EXPECT_EQ(job.state, JobState::waiting);
  EXPECT_EQ(job.reason, "memory: 400 MiB more needed");
  EXPECT_EQ(next(job), Next::plan);
  planned(job, {make_step({.kind = StepKind::launch})}, 6);
  EXPECT_EQ(job.reason, "");
  EXPECT_EQ(reported(job, Report::wait("no room"), 7), kWaitPause);
  EXPECT_EQ(job.state, JobState::waiting);
  EXPECT_EQ(next(job), Next::act);
  reported(job, Report::again("going on"), 8);
  EXPECT_EQ(job.state, JobState::running);
  EXPECT_EQ(job.reason, "");
}

TEST(Machine, FailsAfterSoManyAttemptsWithGrowingPauses) {
  Job job = running({StepKind::meet});
  Moment pause = 0;
  for (uint32_t i = 1; i < kMaxAttempts; ++i) {
    const Moment longer = reported(job, Report::failed("no answer"), 1);
    EXPECT_GE(longer, pause);
    pause = longer;
    EXPECT_EQ(job.state, JobState::running);
  }
  reported(job, Report::failed("no answer"), 1);
  EXPECT_EQ(job.state, JobState::failed);
  EXPECT_NE(job.reason.find("no answer"), std::string::npos);
  EXPECT_EQ(job.steps[0].state, StepState::failed);
  retried(job, false, 2);
  EXPECT_EQ(next(job), Next::act);
  EXPECT_EQ(job.steps[0].attempts, 0U);
  EXPECT_EQ(job.retries, 1U);
  reported(job, Report::broken("never"), 3);
  EXPECT_EQ(job.state, JobState::failed);
  retried(job, true, 4);
  EXPECT_EQ(next(job), Next::plan);
}

TEST(Machine, PausesAndGoesOn) {
  Job job = running({StepKind::meet, StepKind::meet});
  job.pause = true;
  EXPECT_TRUE(absorb(job, 1));
  EXPECT_FALSE(absorb(job, 1));
  EXPECT_EQ(next(job), Next::nothing);
  job.pause = false;
  EXPECT_TRUE(absorb(job, 2));
  EXPECT_EQ(next(job), Next::act);
}

TEST(Machine, CancelTakesBackInReverse) {
  Job job = running({StepKind::place, StepKind::launch, StepKind::meet, StepKind::stop});
  reported(job, Report::done(), 1);
  reported(job, Report::done(), 1);
  job.cancel = true;
  EXPECT_TRUE(absorb(job, 2));
  EXPECT_EQ(job.state, JobState::undoing);
  for (const uint32_t cursor : {2U, 1U, 0U}) {
    EXPECT_EQ(next(job), Next::undo);
    EXPECT_EQ(job.cursor, cursor);
    reported(job, Report::done(), 3);
  }
  EXPECT_EQ(job.state, JobState::cancelled);
  EXPECT_EQ(job.steps[0].state, StepState::undone);
}

TEST(Machine, CancelIsRefusedBehindWhatCannotBeTakenBack) {
  Job job = running({StepKind::stop, StepKind::forget});
  reported(job, Report::done(), 1);
  job.cancel = true;
  EXPECT_TRUE(absorb(job, 2));
  EXPECT_EQ(job.state, JobState::running);
  EXPECT_FALSE(job.cancel);
  EXPECT_NE(job.reason.find("cannot be cancelled"), std::string::npos);

  Job rolling = running({StepKind::restart, StepKind::restart}, model::JobKind::restart);
  reported(rolling, Report::done(), 1);
  rolling.cancel = true;
  EXPECT_TRUE(absorb(rolling, 2));
  EXPECT_EQ(rolling.state, JobState::cancelled);
}

TEST(Machine, CancelBeforeAnythingWasDone) {
  Job job{.group = "g", .number = 1};
  job.cancel = true;
  EXPECT_TRUE(absorb(job, 2));
  EXPECT_EQ(job.state, JobState::cancelled);
}

TEST(Steps, KeepWhatTheyAreToDo) {
  const Act act{
      .kind = StepKind::move_slots,
      .places = {{.alias = 7, .host = "h", .port = 31000, .shard = 2, .role = model::Role::replica, .node_id = "ab"}},
      .nodes = {"a:1", "b:2"},
      .ids = {"x"},
      .from = "f",
      .to = "t",
      .slots = {{0, 5}, {16383, 16383}},
      .number = 3,
      .hold = 500,
      .flag = true,
      .shards = 6,
      .memory_mib = 512,
      .version = "7.0.15",
      .settings = {{"a", "b"}},
      .old_shards = 3};
  const auto again = act_of(make_step(act));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(*again, act);
}

TEST(Steps, WhatCannotBeReadIsNotCarriedOut) {
  for (const char* detail : {"", "[]", "{", "{\"nodes\":1}", "{\"nodes\":[1]}", "{\"slots\":[[5,4]]}",
                             "{\"slots\":[[0,16384]]}", "{\"number\":-1}", "{\"number\":4294967296}",
                             "{\"places\":[{\"port\":65536}]}", "{\"flag\":1}", "{\"settings\":{\"a\":1}}"}) {
    EXPECT_FALSE(act_of({.kind = "launch", .detail = detail}).has_value()) << detail;
  }
  EXPECT_FALSE(act_of({.kind = "unheard_of", .detail = "{}"}).has_value());
  EXPECT_TRUE(act_of({.kind = "launch", .detail = "{}"}).has_value());
}

}  // namespace
}  // namespace overlord::jobs
