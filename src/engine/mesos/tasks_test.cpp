#include "engine/mesos/tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace overlord::engine {
namespace {

using mesos::State;
using mesos::Status;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

constexpr const char* kId = "10.0.0.1:7000-rc-0";

Status status(State state, std::string uuid = {}) {
  Status made{.task_id = kId, .state = state, .agent_id = "a"};
  made.source = uuid.empty() ? "SOURCE_MASTER" : "SOURCE_EXECUTOR";
  made.uuid = std::move(uuid);
  return made;
}
Status lost(const char* reason) {
  Status made = status(State::lost);
  made.reason = reason;
  return made;
}

class TaskBookTest : public testing::Test {
 protected:
  TaskState state_after(const Status& update) {
    book.updated(update, now);
    const auto told = book.take_changes();
    if (told.empty()) return last;
    EXPECT_THAT(told, SizeIs(1));
    EXPECT_EQ(told[0].host, "10.0.0.1");
    return last = told[0].state;
  }
  void launch() {
    book.launched(kId, "10.0.0.1", "a", {});
    book.asked_for(kId);
    last = book.take_changes().at(0).state;
  }
  std::vector<std::string> acknowledged() {
    std::vector<std::string> uuids;
    for (const Status& one : book.take_acknowledgements()) uuids.push_back(one.uuid);
    return uuids;
  }

  TaskBook book{TaskTimes{}};
  OfferBook offers;
  Clock::time_point now{};
  TaskState last = TaskState::lost;
};

TEST(TaskIds, BeginWithTheirAddress) {
  EXPECT_EQ(place_of("10.0.0.1:7000-a-b-0")->host, "10.0.0.1");
  EXPECT_EQ(place_of("[::1]:7000-a-0")->port, 7000);
  for (const char* bad : {"", "x", "10.0.0.1:7000", "-a-0", "a-b-0"}) EXPECT_FALSE(place_of(bad)) << bad;
}

TEST_F(TaskBookTest, FollowsATaskThroughItsLife) {
  launch();
  EXPECT_EQ(last, TaskState::staging);
  EXPECT_TRUE(book.alive(kId));
  EXPECT_EQ(state_after(status(State::starting, "u1")), TaskState::starting);
  EXPECT_EQ(state_after(status(State::running, "u2")), TaskState::running);
  Status sick = status(State::running, "u3");
  sick.healthy = false;
  EXPECT_EQ(state_after(sick), TaskState::sick);
  EXPECT_EQ(state_after(status(State::running, "u4")), TaskState::running);
  EXPECT_EQ(state_after(status(State::killed, "u5")), TaskState::stopped);
  EXPECT_FALSE(book.alive(kId));
  EXPECT_FALSE(book.has_changes());
}

TEST_F(TaskBookTest, EchoesChangeNothingButAreAcknowledged) {
  launch();
  EXPECT_EQ(state_after(status(State::starting, "u1")), TaskState::starting);
  EXPECT_EQ(state_after(status(State::running, "u2")), TaskState::running);
  EXPECT_EQ(state_after(status(State::starting, "u1")), TaskState::running);
  EXPECT_EQ(state_after(status(State::running, "u2")), TaskState::running);
  EXPECT_EQ(state_after(status(State::failed, "u3")), TaskState::failed);
  EXPECT_EQ(state_after(status(State::running, "u2")), TaskState::failed);
  EXPECT_EQ(state_after(lost("REASON_RECONCILIATION")), TaskState::failed) << "the end that an executor told is final";
  EXPECT_EQ(state_after(status(State::running)), TaskState::failed);
  book.acknowledge_told();
  EXPECT_THAT(acknowledged(), testing::UnorderedElementsAre("u1", "u2", "u3"));
  EXPECT_THAT(acknowledged(), IsEmpty());
}

TEST_F(TaskBookTest, UpdatesAreAcknowledgedOnceTheyWereTakenAndDealtWith) {
  launch();
  book.updated(status(State::running, "u1"), now);
  book.acknowledge_told();
  EXPECT_THAT(acknowledged(), IsEmpty()) << "not told yet";
  EXPECT_THAT(book.take_changes(), SizeIs(1));
  EXPECT_THAT(acknowledged(), IsEmpty()) << "told, and perhaps not kept yet";
  book.acknowledge_told();
  EXPECT_THAT(acknowledged(), testing::ElementsAre("u1"));
  book.updated(status(State::gone), now);  // of the master
  EXPECT_THAT(book.take_changes(), SizeIs(1));
  book.acknowledge_told();
  EXPECT_THAT(acknowledged(), IsEmpty()) << "what has no uuid is not acknowledged";
}

TEST_F(TaskBookTest, LostMayComeBackAndGoneMayNot) {
  launch();
  EXPECT_EQ(state_after(status(State::running, "u1")), TaskState::running);
  EXPECT_EQ(state_after(status(State::unreachable)), TaskState::lost);
  EXPECT_EQ(state_after(status(State::running, "u1")), TaskState::running) << "the agent says it again";
  EXPECT_EQ(state_after(status(State::unknown)), TaskState::lost);
  EXPECT_EQ(state_after(lost("REASON_AGENT_REMOVED")), TaskState::lost);
  EXPECT_EQ(state_after(status(State::running)), TaskState::running);
  EXPECT_EQ(state_after(lost("REASON_EXECUTOR_REREGISTRATION_TIMEOUT")), TaskState::gone);
  EXPECT_EQ(state_after(status(State::running)), TaskState::gone);
}

TEST_F(TaskBookTest, ALaunchThatWasNotTakenIsGone) {
  launch();
  EXPECT_EQ(state_after(lost("REASON_INVALID_OFFERS")), TaskState::gone);
  launch();
  EXPECT_EQ(state_after(status(State::dropped)), TaskState::gone);
  launch();
  EXPECT_EQ(state_after(status(State::error)), TaskState::failed);
}

TEST_F(TaskBookTest, ATaskThatRunsAlreadyIsAskedAbout) {
  launch();
  Status twice = status(State::error);
  twice.reason = "REASON_TASK_INVALID";
  twice.message = std::string("Task has duplicate ID: ") + kId;
  EXPECT_EQ(state_after(twice), TaskState::staging);
  EXPECT_THAT(book.questions(offers, now), SizeIs(1));
  EXPECT_EQ(state_after(status(State::running)), TaskState::running);
}

TEST_F(TaskBookTest, QuestionsAreRepeatedUntilThereIsAnAnswer) {
  book.ask({kId, TaskState::running, "10.0.0.1", {}}, now);
  EXPECT_TRUE(book.asks());
  offers.agent_heard("a9", "10.0.0.1");
  ASSERT_THAT(book.questions(offers, now), SizeIs(1));
  EXPECT_THAT(book.questions(offers, now + 999ms), IsEmpty());
  const auto again = book.questions(offers, now + 1s);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].agent_id, "a9") << "known by its host";
  EXPECT_THAT(book.questions(offers, now + 2900ms), IsEmpty());
  EXPECT_THAT(book.questions(offers, now + 3s), SizeIs(1));
  EXPECT_FALSE(book.has_changes());
  EXPECT_THAT(book.questions(offers, now + 31s), SizeIs(1));
  const auto told = book.take_changes();
  ASSERT_THAT(told, SizeIs(1)) << "nobody answers";
  EXPECT_EQ(told[0].state, TaskState::lost);
  EXPECT_NE(told[0].message, "");
  EXPECT_TRUE(book.asks());
  EXPECT_EQ(state_after(status(State::running)), TaskState::running);
  EXPECT_FALSE(book.asks());
}

TEST_F(TaskBookTest, ATaskThatNobodyWasAskedForYetIsNotAskedAbout) {
  book.launched(kId, "10.0.0.1", "a", {});
  book.ask_all(now);
  EXPECT_THAT(book.questions(offers, now), IsEmpty()) << "it would be found to be gone";
  book.asked_for(kId);
  EXPECT_THAT(book.questions(offers, now), SizeIs(1));
}

TEST_F(TaskBookTest, WhoAsksIsToldThoughNothingIsNew) {
  launch();
  EXPECT_EQ(state_after(status(State::running, "u1")), TaskState::running);
  Status answer = status(State::running);
  answer.reason = "REASON_RECONCILIATION";
  book.updated(answer, now);
  EXPECT_FALSE(book.has_changes());
  book.ask({kId, TaskState::running, {}, {}}, now);
  book.updated(answer, now);
  EXPECT_THAT(book.take_changes(), SizeIs(1));
}

TEST_F(TaskBookTest, KillsAreRepeatedUntilTheTaskIsOver) {
  launch();
  book.kill(kId, "10.0.0.1", 3s, now);
  book.kill(kId, "10.0.0.1", 4s, now);
  auto due = book.kills(now);
  ASSERT_THAT(due, SizeIs(1));
  EXPECT_EQ(due[0].grace, 4s);
  EXPECT_EQ(due[0].task.agent_id, "a");
  EXPECT_THAT(book.kills(now + 4s), IsEmpty());
  EXPECT_THAT(book.kills(now + 5s), SizeIs(1));
  EXPECT_THAT(book.kills(now + 14s), IsEmpty());
  book.connected(now + 14s);
  EXPECT_THAT(book.kills(now + 14s), SizeIs(1)) << "at once on a new connection";
  EXPECT_EQ(state_after(status(State::unreachable)), TaskState::lost);
  EXPECT_THAT(book.kills(now + 60s), SizeIs(1)) << "it may come back";
  EXPECT_EQ(state_after(status(State::killed, "u1")), TaskState::stopped);
  EXPECT_THAT(book.kills(now + 600s), IsEmpty());
  book.kill(kId, "10.0.0.1", 3s, now);
  EXPECT_EQ(book.take_changes().at(0).state, TaskState::stopped) << "said again to who asks again";
}

TEST_F(TaskBookTest, AnUnknownTaskThatIsKilledIsToldOf) {
  book.kill(kId, "10.0.0.1", 3s, now);
  EXPECT_EQ(state_after(status(State::unknown)), TaskState::lost);
  EXPECT_EQ(state_after(status(State::gone)), TaskState::gone);
  EXPECT_THAT(book.kills(now + 600s), IsEmpty());
}

TEST_F(TaskBookTest, ANewConnectionAsksAboutAllThatHasNotEnded) {
  launch();
  book.updated(status(State::running, "u1"), now);
  book.updated({.task_id = "10.0.0.2:7000-rc-0", .state = State::finished, .uuid = "u2"}, now);
  EXPECT_THAT(book.take_changes(), SizeIs(2));
  book.acknowledge_told();
  book.connected(now);
  EXPECT_THAT(acknowledged(), IsEmpty()) << "the agents send what they have no answer for again";
  const auto due = book.questions(offers, now);
  ASSERT_THAT(due, SizeIs(1));
  EXPECT_EQ(due[0].task_id, kId);
}

TEST_F(TaskBookTest, ALostAgentsTasksAreLost) {
  launch();
  book.agent_failed("b", now);
  EXPECT_FALSE(book.has_changes());
  book.agent_failed("a", now);
  EXPECT_EQ(book.take_changes().at(0).state, TaskState::lost);
}

TEST_F(TaskBookTest, WhatHasEndedIsForgottenInTheEnd) {
  launch();
  EXPECT_EQ(state_after(status(State::finished, "u1")), TaskState::stopped);
  book.forget_old(now + 14min);
  EXPECT_EQ(book.size(), 1U);
  book.forget_old(now + 16min);
  EXPECT_EQ(book.size(), 0U);
}

TEST_F(TaskBookTest, CountsWhatItsTasksTake) {
  OfferBook::Used used;
  used.share = {100, 200};
  used.ports = {7000, 17000};
  book.launched(kId, "10.0.0.1", "a", used);
  const auto all = book.used();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all.at("10.0.0.1").share.memory_mib, 200U);
  EXPECT_EQ(all.at("10.0.0.1").ports.size(), 2U);
  book.withdrawn(kId, "no", now);
  EXPECT_TRUE(book.used().empty());
}

}  // namespace
}  // namespace overlord::engine
