#include "engine/local/host_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/local/kernel_ports.h"

namespace overlord::engine {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kHost = "127.0.0.2";

LocalHost host() {
  return {.address = kHost,
          .group = "g",
          .labels = {{"zone", "z1"}, {"rack", "r1"}},
          .capacity = {.cpu_milli = 2000, .memory_mib = 1000},
          .ports = {{31000, 31010}}};
}

model::NodeTask task(uint16_t port, model::CacheType type = model::CacheType::redis) {
  return {.id = std::string(kHost) + ":" + std::to_string(port) + "-c-1",
          .cluster = "c",
          .type = type,
          .host = kHost,
          .port = port,
          .spec = {.cpu_milli = 500, .memory_mib = 400}};
}

TaskView view(const model::NodeTask& of, TaskState state, const std::string& message = "") {
  return {.status = {.id = of.id, .state = state, .host = kHost, .message = message},
          .type = of.type,
          .spec = of.spec,
          .port = of.port};
}

std::string body(const model::NodeTask& of, const char* health) {
  return R"({"id":")" + of.id + R"(","host":"127.0.0.2","type":")" + std::string(to_string(of.type)) + R"(","port":)" +
         std::to_string(of.port) + R"(,"cpu_milli":500,"memory_mib":400,"health":")" + health + R"(","message":""})";
}

class HostBookTest : public testing::Test {
 protected:
  // The newest of a task; nothing new is staging here.
  std::string news(const std::string& id) {
    for (auto& [each, status] : book_.take_news()) last_[each] = status;
    const auto found = last_.find(id);
    if (found == last_.end()) return "nothing";
    const std::string text(to_string(found->second.state));
    last_.erase(found);
    return text;
  }
  std::string errand() {
    const auto next = book_.next_errand();
    return next ? (next->launch ? "launch " : "stop ") + next->id : "none";
  }
  void run(const model::NodeTask& of) {
    ASSERT_TRUE(book_.launch(of, {}));
    const auto next = book_.next_errand();
    ASSERT_TRUE(next && next->launch);
    book_.trying(*next);
    book_.answered(*next, 200, body(of, "running"));
    EXPECT_EQ(news(of.id), "running");
  }

  HostBook book_{host()};
  std::map<std::string, TaskStatus> last_;
};

TEST_F(HostBookTest, NothingIsLaunchedOrFreeBeforeAllIsKnown) {
  EXPECT_FALSE(book_.settled());
  EXPECT_FALSE(book_.launch(task(31000), {}));
  EXPECT_EQ(book_.status({}).free.memory_mib, 0U);
  EXPECT_FALSE(book_.status({}).reachable);
  book_.connected({});
  EXPECT_TRUE(book_.settled());
  const auto status = book_.status({6379});
  EXPECT_TRUE(status.reachable);
  EXPECT_EQ(status.free.memory_mib, 1000U);
  EXPECT_EQ(status.free.zone, "z1");
  EXPECT_THAT(status.free.taken, ElementsAre(6379));
}

TEST_F(HostBookTest, WhatRunsAndWhatIsAskedForIsBooked) {
  book_.connected({});
  const auto cluster = task(31000, model::CacheType::redis_cluster);
  ASSERT_TRUE(book_.launch(cluster, {}));
  ASSERT_TRUE(book_.launch(cluster, {})) << "asking again changes nothing";
  EXPECT_EQ(news(cluster.id), "staging");
  const auto free = book_.status({}).free;
  EXPECT_EQ(free.memory_mib, 600U);
  EXPECT_EQ(free.cpu_milli, 1500U);
  EXPECT_THAT(free.taken, ElementsAre(31000, 41000));
  run(task(31001));
  const auto full = book_.launch(task(31002), {});
  ASSERT_FALSE(full);
  EXPECT_THAT(full.error().message, HasSubstr("has 200 MiB"));
}

TEST_F(HostBookTest, PortsOfStrangersAndOutsideAreRefused) {
  book_.connected({});
  EXPECT_THAT(book_.launch(task(31000), {31000}).error().message, HasSubstr("port 31000 of host 127.0.0.2 is in use"));
  EXPECT_THAT(book_.launch(task(31000, model::CacheType::redis_cluster), {41000}).error().message, HasSubstr("41000"));
  EXPECT_THAT(book_.launch(task(32000), {}).error().message, HasSubstr("none that this host gives away"));
}

TEST_F(HostBookTest, ALaunchThatIsRefusedHasFailedAndIsNotBooked) {
  book_.connected({});
  ASSERT_TRUE(book_.launch(task(31000), {}));
  book_.answered(*book_.next_errand(), 409, "the port is taken\n");
  EXPECT_EQ(book_.take_news()[task(31000).id].message, "the port is taken");
  EXPECT_EQ(errand(), "none");
  EXPECT_EQ(book_.status({}).free.memory_mib, 1000U);
}

TEST_F(HostBookTest, AStopIsRepeatedUntilTheTaskIsOverAndForgotten) {
  book_.connected({});
  run(task(31000));
  const std::string id = task(31000).id;
  book_.kill(id, milliseconds(1000));
  EXPECT_EQ(errand(), "stop " + id);
  book_.answered(*book_.next_errand(), 200, body(task(31000), "running"));
  EXPECT_EQ(errand(), "none");
  book_.disconnected("gone");
  book_.connected({.next = 1, .tasks = {view(task(31000), TaskState::running)}});
  EXPECT_EQ(errand(), "stop " + id) << "said again";
  book_.answered(*book_.next_errand(), 200, body(task(31000), "running"));
  book_.heard({.task = view(task(31000), TaskState::stopped)});
  EXPECT_EQ(news(id), "stopped");
  EXPECT_EQ(errand(), "stop " + id) << "so that the executor forgets it";
  book_.answered(*book_.next_errand(), 200, body(task(31000), "stopped"));
  EXPECT_EQ(news(id), "gone");
  EXPECT_EQ(errand(), "none");
  EXPECT_EQ(book_.status({}).free.memory_mib, 1000U);
}

TEST_F(HostBookTest, AnUnknownTaskIsGoneOrLost) {
  book_.kill("x", milliseconds(0));
  EXPECT_EQ(news("x"), "lost");
  book_.reconcile("y");
  EXPECT_EQ(news("y"), "nothing") << "not yet";
  book_.connected({});
  EXPECT_EQ(news("x"), "gone");
  book_.reconcile("z");
  EXPECT_EQ(news("z"), "gone");
}

TEST_F(HostBookTest, ReconcileIsAnsweredWhenTheHostIsThere) {
  book_.reconcile(task(31000).id);
  book_.reconcile("y");
  book_.connected({.next = 1, .tasks = {view(task(31000), TaskState::running)}});
  const auto news = book_.take_news();
  EXPECT_EQ(news.at("y").state, TaskState::gone);
  EXPECT_EQ(news.at(task(31000).id).state, TaskState::running);
}

TEST_F(HostBookTest, ALaunchThatMayHaveArrivedIsSaidAgain) {
  book_.connected({});
  ASSERT_TRUE(book_.launch(task(31000), {}));
  book_.trying(*book_.next_errand());
  book_.disconnected("broke");
  book_.connected({});
  EXPECT_EQ(errand(), "launch " + task(31000).id);
  book_.disconnected("broke");
  book_.connected({.next = 1, .tasks = {view(task(31000), TaskState::starting)}});
  EXPECT_EQ(errand(), "none") << "it had arrived";
  EXPECT_EQ(news(task(31000).id), "starting");
}

TEST_F(HostBookTest, OfALostHostTasksAreLostAndUnsentLaunchesAreGone) {
  book_.connected({});
  auto small = task(31001);
  small.spec.memory_mib = 100;
  auto unsure = task(31002);
  unsure.spec.memory_mib = 100;
  run(task(31000));
  ASSERT_TRUE(book_.launch(unsure, {}));
  book_.trying(*book_.next_errand());
  ASSERT_TRUE(book_.launch(small, {}));
  book_.disconnected("does not answer");
  EXPECT_FALSE(book_.settled());
  EXPECT_TRUE(book_.status({}).reachable) << "perhaps in a moment";
  book_.give_up("does not answer");
  EXPECT_TRUE(book_.settled());
  auto news = book_.take_news();
  EXPECT_EQ(news.at(task(31000).id).state, TaskState::lost);
  EXPECT_EQ(news.at(unsure.id).state, TaskState::lost);
  EXPECT_EQ(news.at(small.id).state, TaskState::gone);
  EXPECT_TRUE(book_.status({}).host.lost);
  EXPECT_FALSE(book_.status({}).reachable);
  // It comes back: what was not told is not told late.
  book_.connected({.next = 1, .tasks = {view(task(31000), TaskState::running)}});
  news = book_.take_news();
  EXPECT_EQ(news.at(task(31000).id).state, TaskState::running);
  EXPECT_EQ(news.at(unsure.id).state, TaskState::gone);
  EXPECT_EQ(errand(), "none");
}

TEST_F(HostBookTest, ATaskThatWasNotSentIsKilledWithoutBeingSent) {
  book_.connected({});
  ASSERT_TRUE(book_.launch(task(31000), {}));
  book_.kill(task(31000).id, milliseconds(0));
  EXPECT_EQ(errand(), "none");
  EXPECT_EQ(news(task(31000).id), "gone");
}

TEST(ExecutorWords, AreReadAndGarbageIsAnError) {
  const auto list = task_list(R"({"host":"127.0.0.2","next":7,"tasks":[)" + body(task(31000), "sick") + "]}");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->next, 7U);
  EXPECT_EQ(list->tasks.at(0), view(task(31000), TaskState::sick));
  const auto event = event_line(R"({"number":3,"removed":true,"task":)" + body(task(31000), "stopped") + "}");
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->removed);
  EXPECT_TRUE(event_line(R"({"reset":true,"next":9})")->reset);
  for (const char* text : {"", "[]", "{\"tasks\":1}", "{\"tasks\":[1]}", R"({"tasks":[{"id":"a"}]})",
                           R"({"tasks":[{"id":"a","port":70000}]})", "\xff"}) {
    EXPECT_FALSE(task_list(text)) << text;
  }
  EXPECT_FALSE(event_line("5"));
  EXPECT_FALSE(event_line(R"({"task":{}})"));
}

TEST(KernelPorts, AreThoseThatSomethingListensOn) {
  const auto all = listeners_in(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
      "   0: 0200007F:7918 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n"
      "   1: 00000000:1A0B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n"
      "   2: 0200007F:1F90 0200007F:9999 01 00000000:00000000 00:00000000 00000000     0\n"
      "   3: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A x\n"
      "   4: 0000000000000000FFFF00000200007F:0051 00000000000000000000000000000000:0000 0A x\n"
      "   5: 00000000000000000000000001000000:0052 00000000000000000000000000000000:0000 0A x\n"
      "   6: zz:1\n\n");
  EXPECT_THAT(all, ElementsAre(Listener{"127.0.0.2", 31000}, Listener{"", 6667}, Listener{"", 80},
                               Listener{"127.0.0.2", 81}, Listener{"::1", 82}));
  EXPECT_THAT(taken_ports(all, "127.0.0.2"), ElementsAre(80, 81, 6667, 31000));
  EXPECT_THAT(taken_ports(all, "127.0.0.3"), ElementsAre(80, 6667));
}

}  // namespace
}  // namespace overlord::engine
