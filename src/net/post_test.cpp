// What other threads may do, and the order of a turn.

#include <thread>

#include "net/loop_fixture.h"

namespace overlord::net {
namespace {

using Posting = LoopTest;
INSTANTIATE_TEST_SUITE_P(Drivers, Posting, testing::Values(Driver::epoll, Driver::io_uring), driver_name);

TEST_P(Posting, FunctionsFromManyThreadsAllRunOnTheLoopThread) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  int total = 0;
  std::vector<int> next(kThreads, 0);
  bool in_order = true;
  const auto self = std::this_thread::get_id();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        loop->post([&, t, i] {
          in_order = in_order && std::this_thread::get_id() == self && next[static_cast<size_t>(t)]++ == i;
          ++total;
        });
      }
    });
  }
  const bool all = run_until([&] { return total == kThreads * kEach; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(all);
  EXPECT_TRUE(in_order);
}

TEST_P(Posting, PostedFunctionsRunInALaterTurnThanTheOnePostingThem) {
  uint64_t first = 0;
  uint64_t second = 0;
  loop->post([&] {
    first = loop->turns();
    loop->post([&] { second = loop->turns(); });
  });
  ASSERT_TRUE(run_until([&] { return second != 0; }));
  EXPECT_GT(second, first);
}

TEST_P(Posting, StopFromAnotherThreadAndRunAgain) {
  struct Counter : TurnHandler {
    void end_of_turn() override { ++turns; }
    std::atomic<int> turns = 0;
  } counter;
  for (int round = 0; round < 20; ++round) {
    std::thread stopper([&] { loop->stop(); });
    loop->run(counter);
    stopper.join();
  }
  EXPECT_GE(counter.turns, 20);
  EXPECT_GE(loop->turns(), 20u);
  loop->stop();
  loop->run(counter);  // stopped before it began
}

TEST_P(Posting, ALoopMadeHereRunsInAThread) {
  auto [left, right] = tcp_pair();
  auto server = std::make_unique<Peer>(*loop, std::move(left));
  server->when_data = [&](std::span<char> bytes) { send(server->stream, {bytes.data(), bytes.size()}); };
  std::thread thread([&] {
    struct NoTurn : TurnHandler {
      void end_of_turn() override {}
    } no_turn;
    loop->run(no_turn);
    server.reset();
  });
  const int flags = fcntl(right.get(), F_GETFL);
  ASSERT_EQ(fcntl(right.get(), F_SETFL, flags & ~O_NONBLOCK), 0);
  char buffer[8];
  EXPECT_EQ(::send(right.get(), "ping", 4, 0), 4);
  EXPECT_EQ(::recv(right.get(), buffer, 4, MSG_WAITALL), 4);
  loop->stop();
  thread.join();
  EXPECT_EQ(::recv(right.get(), buffer, sizeof buffer, 0), 0);
}

TEST_P(Posting, TimersFireOnTheLoopAndWakeIt) {
  std::vector<int> fired;
  struct Entry {
    std::vector<int>* log;
    int id;
    Timer timer;
  };
  std::vector<std::unique_ptr<Entry>> entries;
  const uint64_t start = loop->now();
  for (const int ms : {30, 10, 20}) {
    entries.push_back(std::make_unique<Entry>());
    Entry& entry = *entries.back();
    entry.log = &fired;
    entry.id = ms;
    entry.timer.set([](void* self) { static_cast<Entry*>(self)->log->push_back(static_cast<Entry*>(self)->id); },
                    &entry);
    loop->timers().arm(entry.timer, loop->now(), static_cast<uint64_t>(ms) * 1'000'000);
  }
  const uint64_t before = loop->turns();
  ASSERT_TRUE(run_until([&] { return fired.size() == 3; }));
  EXPECT_EQ(fired, (std::vector{10, 20, 30}));
  EXPECT_GE(loop->now() - start, 30'000'000u);
  EXPECT_LE(loop->turns() - before, 10u);  // it slept between them
}

TEST_P(Posting, AnIdleLoopSleeps) {
  run_turns(1);
  const uint64_t before = loop->turns();
  bool woke = false;
  Timer alarm([](void* flag) { *static_cast<bool*>(flag) = true; }, &woke);
  loop->timers().arm(alarm, loop->now(), 200'000'000);
  ASSERT_TRUE(run_until([&] { return woke; }));
  EXPECT_LE(loop->turns() - before, 10u);
}

TEST_P(Posting, NamesItsDriver) { EXPECT_EQ(loop->driver(), GetParam() == Driver::epoll ? "epoll" : "io_uring"); }

}  // namespace
}  // namespace overlord::net
