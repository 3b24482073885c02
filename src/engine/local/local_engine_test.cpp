// With the real overlord-executor and real servers.

#include "engine/local/local_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "engine/local/detached.h"
#include "engine/local/kernel_ports.h"

namespace overlord::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

std::string program() {
  if (const char* const folder = std::getenv("OVERLORD_BIN_DIR")) return std::string(folder) + "/overlord-executor";
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().string() + "/overlord-executor";
}

class LocalEngineTest : public testing::Test {
 protected:
  LocalEngineTest() {
    static std::atomic<int> count{0};
    // Short: the path of a unix socket has 107 bytes at most.
    folder_ =
        std::filesystem::temp_directory_path() / ("ole-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
    options_.folder = folder_.string();
    options_.program = program();
    options_.arguments = {"--cgroup", "none",         "--probe-interval-ms", "100", "--first-pause-ms",
                          "50",       "--stop-nodes", "--grace-ms",          "0"};
    options_.check_interval = milliseconds(300);
    options_.patience = milliseconds(1000);
    for (const char* address : {"127.0.0.21", "127.0.0.22"}) {
      options_.hosts.push_back({.address = address,
                                .group = "g",
                                .capacity = {.cpu_milli = 4000, .memory_mib = 1024},
                                .ports = {{10'300, 19'000}}});
    }
  }
  ~LocalEngineTest() override {
    engine_.reset();
    for (const auto& host : options_.hosts) {
      // With --stop-nodes its nodes end with it.
      const pid_t pid = executor(host.address);
      if (pid <= 0) continue;
      ::kill(pid, SIGCONT);
      ::kill(pid, SIGTERM);
      EXPECT_TRUE(eventually([&] { return executor(host.address) == 0; }));
    }
    if (!HasFailure()) std::filesystem::remove_all(folder_);
  }
  bool eventually(const std::function<bool()>& holds) {
    const auto until = steady_clock::now() + std::chrono::seconds(60);
    while (!holds()) {
      if (steady_clock::now() > until) return false;
      ::usleep(10'000);
    }
    return true;
  }
  void start() {
    engine_.reset();
    seen_.clear();
    auto made = LocalEngine::start(options_);
    ASSERT_TRUE(made) << made.error().message;
    engine_ = std::move(*made);
    ASSERT_TRUE(eventually([&] { return engine_->settled(); })) << engine_->trouble();
  }
  // The newest that was said of a task.
  std::string state(const std::string& id) {
    for (auto& each : engine_->changes(milliseconds(20))) seen_[each.id] = each;
    const auto found = seen_.find(id);
    return found == seen_.end() ? "nothing" : std::string(to_string(found->second.state));
  }
  bool becomes(const std::string& id, const std::string& wanted) {
    const bool done = eventually([&] { return state(id) == wanted; });
    EXPECT_TRUE(done) << state(id) << ": " << seen_[id].message << "; " << engine_->trouble();
    return done;
  }
  uint16_t free_port(const std::string& host) {
    static uint32_t next = static_cast<uint32_t>(::getpid()) * 41;
    const auto taken = taken_ports(listeners(), host);
    while (true) {
      const auto port = static_cast<uint16_t>(10'300 + next++ % 8'000);
      if (!std::ranges::binary_search(taken, port)) return port;
    }
  }
  model::NodeTask task(const std::string& host, int incarnation = 1) {
    const uint16_t port = free_port(host);
    return {.id = model::address_of(host, port) + "-c-" + std::to_string(incarnation),
            .cluster = "c",
            .type = model::CacheType::redis,
            .version = "7.0",
            .host = host,
            .port = port,
            .spec = {.cpu_milli = 100, .memory_mib = 32}};
  }
  pid_t executor(const std::string& host) const { return holder_of(folder_.string() + "/" + host + "/lock"); }
  placement::Host free_of(const std::string& host) {
    for (const auto& each : engine_->hosts()) {
      if (each.host.name == host) return each.free;
    }
    return {};
  }

  std::filesystem::path folder_;
  LocalOptions options_;
  std::unique_ptr<LocalEngine> engine_;
  std::map<std::string, TaskStatus> seen_;
};

TEST_F(LocalEngineTest, StartsExecutorsLaunchesAndKills) {
  start();
  const auto one = task("127.0.0.21");
  const auto two = task("127.0.0.22");
  ASSERT_TRUE(engine_->launch(one));
  ASSERT_TRUE(engine_->launch(two));
  ASSERT_TRUE(engine_->launch(two));
  ASSERT_TRUE(becomes(one.id, "running"));
  ASSERT_TRUE(becomes(two.id, "running"));
  EXPECT_EQ(free_of("127.0.0.21").memory_mib, 992U);
  EXPECT_TRUE(std::ranges::binary_search(free_of("127.0.0.21").taken, one.port));
  EXPECT_FALSE(engine_->launch(task("127.0.0.29")));
  ASSERT_TRUE(engine_->kill(one.id, one.host, milliseconds(5000)));
  ASSERT_TRUE(becomes(one.id, "gone"));
  EXPECT_TRUE(eventually([&] { return free_of("127.0.0.21").memory_mib == 1024; }));
  ASSERT_TRUE(engine_->kill("unknown", one.host, milliseconds(0)));
  EXPECT_TRUE(becomes("unknown", "gone"));
}

TEST_F(LocalEngineTest, TheNextOneFindsWhatRuns) {
  start();
  const auto one = task("127.0.0.21");
  ASSERT_TRUE(engine_->launch(one));
  ASSERT_TRUE(becomes(one.id, "running"));
  const pid_t before = executor("127.0.0.21");
  start();
  EXPECT_EQ(executor("127.0.0.21"), before);
  ASSERT_TRUE(becomes(one.id, "running"));
  engine_->reconcile({{"other", TaskState::running, "127.0.0.22", ""}, {"lost", TaskState::running, "127.0.0.99", ""}});
  EXPECT_TRUE(becomes("other", "gone"));
  EXPECT_TRUE(becomes("lost", "lost"));
  EXPECT_EQ(free_of("127.0.0.21").memory_mib, 992U);
}

TEST_F(LocalEngineTest, AnExecutorThatIsKilledOrHangsIsReplacedAndItsNodesRunOn) {
  start();
  const auto one = task("127.0.0.21");
  ASSERT_TRUE(engine_->launch(one));
  ASSERT_TRUE(becomes(one.id, "running"));
  for (const int number : {SIGKILL, SIGSTOP}) {
    const pid_t before = executor("127.0.0.21");
    ASSERT_GT(before, 0);
    ::kill(before, number);
    ASSERT_TRUE(eventually([&] {
      const pid_t now = executor("127.0.0.21");
      return now > 0 && now != before && engine_->settled() && engine_->trouble().empty();
    })) << engine_->trouble();
    EXPECT_EQ(state(one.id), "running");
    const auto two = task("127.0.0.21");
    ASSERT_TRUE(engine_->launch(two));
    ASSERT_TRUE(becomes(two.id, "running"));
  }
}

TEST_F(LocalEngineTest, AHostWithoutAnExecutorIsLostAndSaysWhy) {
  start();
  const auto one = task("127.0.0.21");
  ASSERT_TRUE(engine_->launch(one));
  ASSERT_TRUE(becomes(one.id, "running"));
  engine_.reset();
  auto broken = options_;
  broken.program = "/no/such/program";
  broken.lost_after = milliseconds(500);
  const pid_t pid = executor("127.0.0.22");
  ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return executor("127.0.0.22") == 0; }));
  auto made = LocalEngine::start(broken);
  ASSERT_TRUE(made);
  engine_ = std::move(*made);
  ASSERT_TRUE(eventually([&] { return engine_->settled(); }));
  EXPECT_THAT(engine_->trouble(), HasSubstr("host 127.0.0.22: "));
  const auto hosts = engine_->hosts();
  EXPECT_TRUE(hosts.at(0).reachable);
  EXPECT_FALSE(hosts.at(1).reachable);
  EXPECT_TRUE(hosts.at(1).host.lost);
  EXPECT_FALSE(engine_->launch(task("127.0.0.22")));
  ASSERT_TRUE(becomes(one.id, "running"));
}

TEST(LocalEngineOptions, ThatCannotBeRightAreRefused) {
  EXPECT_FALSE(LocalEngine::start({}));
  LocalOptions options;
  options.folder = "/tmp";
  options.hosts = {{.address = "localhost"}};
  EXPECT_FALSE(LocalEngine::start(options));
  options.hosts = {{.address = "127.0.0.1"}, {.address = "127.0.0.1"}};
  EXPECT_FALSE(LocalEngine::start(options));
}

}  // namespace
}  // namespace overlord::engine
