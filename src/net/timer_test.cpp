#include "net/timer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace overlord::net {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kTick = TimerWheel::kTickNs;
constexpr uint64_t kStart = 123'456 * kTick + 777;  // not on a tick

struct Recorder {
  Recorder(std::vector<int>* where, int name) : log(where), id(name) {}
  std::vector<int>* log;
  int id;
  Timer timer{[](void* self) {
                auto* recorder = static_cast<Recorder*>(self);
                recorder->log->push_back(recorder->id);
              },
              this};
};

class TimerTest : public testing::Test {
 protected:
  Recorder& add(uint64_t delay) {
    recorders.push_back(std::make_unique<Recorder>(&log, static_cast<int>(recorders.size())));
    wheel.arm(recorders.back()->timer, now, delay);
    return *recorders.back();
  }
  void pass(uint64_t ns) {
    now += ns;
    wheel.advance(now);
  }

  uint64_t now = kStart;
  TimerWheel wheel{kStart};
  std::vector<int> log;
  std::vector<std::unique_ptr<Recorder>> recorders;
};

TEST_F(TimerTest, FiresInOrderOfDeadline) {
  add(50 * kMs);
  add(10 * kMs);
  add(100 * kMs);
  EXPECT_EQ(wheel.armed_count(), 3u);
  pass(9 * kMs);
  EXPECT_TRUE(log.empty());
  pass(200 * kMs);
  EXPECT_EQ(log, (std::vector{1, 0, 2}));
  EXPECT_EQ(wheel.armed_count(), 0u);
  EXPECT_FALSE(recorders[0]->timer.armed());
}

TEST_F(TimerTest, FiresThoseOfOneTickInOrderOfArming) {
  for (int i = 0; i < 5; ++i) add(20 * kMs);
  pass(30 * kMs);
  EXPECT_EQ(log, (std::vector{0, 1, 2, 3, 4}));
}

TEST_F(TimerTest, NeverFiresEarlyAndAtMostATickLate) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 300; ++i) add(random() % (40'000 * kMs));
  uint64_t before = now;
  std::vector<bool> fired(300, false);
  while (wheel.armed_count() > 0) {
    before = now;
    pass(random() % (7 * kMs) + 1);
    for (const int id : log) {
      const uint64_t deadline = recorders[static_cast<size_t>(id)]->timer.deadline();
      EXPECT_LE(deadline, now);
      EXPECT_GT(deadline + kTick, before);
      EXPECT_FALSE(fired[static_cast<size_t>(id)]);
      fired[static_cast<size_t>(id)] = true;
    }
    log.clear();
  }
  EXPECT_EQ(std::count(fired.begin(), fired.end(), true), 300);
}

TEST_F(TimerTest, SleepingUntilNextFiresEveryTimerAtItsTick) {
  std::mt19937_64 random(9);
  for (int i = 0; i < 200; ++i) add(random() % (120'000 * kMs));
  size_t wakes = 0;
  while (wheel.armed_count() > 0) {
    const uint64_t wait = wheel.until_next(now);
    ASSERT_NE(wait, UINT64_MAX);
    now += wait;
    wheel.advance(now);
    ++wakes;
    ASSERT_FALSE(log.empty()) << "woke for nothing";
    for (const int id : log) {
      const uint64_t deadline = recorders[static_cast<size_t>(id)]->timer.deadline();
      EXPECT_LE(deadline, now);
      EXPECT_LT(now, deadline + kTick);
    }
    log.clear();
  }
  EXPECT_LE(wakes, 200u);
}

TEST_F(TimerTest, UntilNextIsExactToTheTick) {
  EXPECT_EQ(wheel.until_next(now), UINT64_MAX);
  for (const uint64_t delay : {0 * kMs, 1 * kMs, 4 * kMs, 5'000 * kMs, 16'383 * kMs, 16'385 * kMs, 3'600'000 * kMs}) {
    Recorder& recorder = add(delay);
    const uint64_t wait = wheel.until_next(now);
    EXPECT_GE(now + wait, recorder.timer.deadline());
    EXPECT_LT(now + wait, recorder.timer.deadline() + kTick);
    EXPECT_EQ((now + wait) % kTick, 0u);
    recorder.timer.cancel();
    EXPECT_EQ(wheel.until_next(now), UINT64_MAX);
  }
  add(0);
  EXPECT_EQ(wheel.until_next(now + 100 * kTick), 0u);
}

TEST_F(TimerTest, CancelledTimersDoNotFire) {
  add(10 * kMs);
  Recorder& second = add(10 * kMs);
  add(10 * kMs);
  second.timer.cancel();
  second.timer.cancel();
  EXPECT_FALSE(second.timer.armed());
  pass(20 * kMs);
  EXPECT_EQ(log, (std::vector{0, 2}));
}

TEST_F(TimerTest, DestroyedTimersDoNotFire) {
  add(10 * kMs);
  add(30'000 * kMs);
  recorders.clear();
  EXPECT_EQ(wheel.armed_count(), 0u);
  pass(60'000 * kMs);
  EXPECT_TRUE(log.empty());
}

TEST_F(TimerTest, RearmingMovesATimer) {
  Recorder& one = add(10 * kMs);
  wheel.arm(one.timer, now, 100 * kMs);
  EXPECT_EQ(wheel.armed_count(), 1u);
  pass(50 * kMs);
  EXPECT_TRUE(log.empty());
  wheel.arm(one.timer, now, 8 * kMs);
  pass(12 * kMs);
  EXPECT_EQ(log, std::vector{0});
}

TEST_F(TimerTest, CallbacksMayArmCancelAndDestroy) {
  struct Actor {
    Actor(TimerWheel* timers, uint64_t* clock) : wheel(timers), now(clock) {}
    TimerWheel* wheel;
    uint64_t* now;
    int fired = 0;
    std::unique_ptr<Recorder> victim;
    Timer timer{[](void* self) {
                  auto* actor = static_cast<Actor*>(self);
                  actor->victim.reset();
                  if (++actor->fired < 3) actor->wheel->arm(actor->timer, *actor->now, 0);
                },
                this};
  };
  Actor actor(&wheel, &now);
  wheel.arm(actor.timer, now, 10 * kMs);
  actor.victim = std::make_unique<Recorder>(&log, 9);
  wheel.arm(actor.victim->timer, now, 10 * kMs);
  pass(12 * kMs);
  EXPECT_TRUE(log.empty());  // destroyed by the first, which fires before it
  EXPECT_EQ(actor.fired, 1);
  pass(kTick);
  EXPECT_EQ(actor.fired, 2);
  pass(kTick);
  pass(1000 * kMs);
  EXPECT_EQ(actor.fired, 3);
}

TEST_F(TimerTest, LongAndEndlessDelays) {
  add(UINT64_MAX);  // saturates: never due
  add(3'600'000 * kMs);
  for (int minute = 0; minute < 59; ++minute) pass(60'000 * kMs);
  EXPECT_TRUE(log.empty());
  pass(60'001 * kMs + kTick);
  EXPECT_EQ(log, std::vector{1});
  EXPECT_EQ(wheel.armed_count(), 1u);
}

TEST_F(TimerTest, AJumpOfTheClockFiresEverythingDueOnceInOrder) {
  add(90'000 * kMs);
  add(5 * kMs);
  add(17'000 * kMs);
  add(200'000 * kMs);
  pass(100'000 * kMs);
  EXPECT_EQ(log, (std::vector{1, 2, 0}));
}

}  // namespace
}  // namespace overlord::net
