// Jobs with real redis-servers, started by an engine that does little more than fork: created, filled, grown under a
// checking load, one node replaced.

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "jobs/runner.h"
#include "jobs/sim_store.h"
#include "jobs/submit.h"
#include "redisctl/redis_admin.h"

namespace overlord::jobs {
namespace {

using engine::TaskState;

class RealClock : public Clock {
 public:
  model::Moment now() override { return model::now(); }
};

bool port_is_free(const std::string& host, int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  const bool free = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return free;
}

class ForkEngine : public engine::Engine {
 public:
  explicit ForkEngine(uint32_t hosts) {
    folder_ = std::filesystem::path(testing::TempDir()) / ("overlord-jobs-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    for (uint32_t i = 1; i <= hosts; ++i) hosts_.push_back("127.0.0." + std::to_string(i));
    // Below those that the kernel gives to others, with the bus ports.
    first_port_ = 11000 + (::getpid() % 90) * 100;
  }
  ~ForkEngine() override {
    for (auto& [id, process] : processes_) {
      if (process.pid > 0) ::kill(process.pid, SIGKILL);
    }
    for (auto& [id, process] : processes_) {
      if (process.pid > 0) ::waitpid(process.pid, nullptr, 0);
    }
    if (!testing::Test::HasFailure()) std::filesystem::remove_all(folder_);
  }
  ForkEngine(const ForkEngine&) = delete;
  ForkEngine& operator=(const ForkEngine&) = delete;

  std::vector<engine::HostStatus> hosts() override {
    std::vector<engine::HostStatus> all;
    for (const std::string& name : hosts_) {
      engine::HostStatus status{.host = {.name = name, .group = "g"}, .free = {.name = name, .group = "g"}};
      status.host.capacity = {.cpu_milli = 100'000, .memory_mib = 100'000};
      status.free.memory_mib = 100'000;
      status.free.cpu_milli = 100'000;
      status.free.ports = {{static_cast<uint16_t>(first_port_), static_cast<uint16_t>(first_port_ + 99)}};
      for (int port = first_port_; port < first_port_ + 100; ++port) {
        if (!port_is_free(name, port) || !port_is_free(name, port + 10'000)) {
          status.free.taken.push_back(static_cast<uint16_t>(port));
        }
      }
      all.push_back(std::move(status));
    }
    return all;
  }
  void want(bool) override {}
  Result<void> launch(const model::NodeTask& task) override {
    if (processes_.contains(task.id)) return {};
    const std::filesystem::path folder = folder_ / task.address();
    if (task.wipe) std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    if (!std::filesystem::exists(folder / "nodes.conf")) std::ofstream(folder / "nodes.conf") << task.nodes_conf;
    std::vector<std::string> args{"redis-server",
                                  "--port",
                                  std::to_string(task.port),
                                  "--bind",
                                  task.host,
                                  "--dir",
                                  folder.string(),
                                  "--save",
                                  "",
                                  "--cluster-enabled",
                                  "yes",
                                  "--cluster-node-timeout",
                                  "2000",
                                  "--cluster-announce-ip",
                                  task.host,
                                  "--logfile",
                                  "log",
                                  "--requirepass",
                                  task.password,
                                  "--masterauth",
                                  task.password,
                                  "--repl-diskless-sync-delay",
                                  "0",
                                  "--bind-source-addr",
                                  task.host};
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      const int null = ::open("/dev/null", O_WRONLY);
      ::dup2(null, 1);
      ::dup2(null, 2);
      ::execvp("redis-server", argv.data());
      ::_exit(127);
    }
    if (pid < 0) return fail("fork");
    processes_[task.id] = {.task = task, .pid = pid};
    return {};
  }
  Result<void> kill(const std::string& id, const std::string&, std::chrono::milliseconds) override {
    const auto found = processes_.find(id);
    if (found != processes_.end() && found->second.pid > 0) ::kill(found->second.pid, SIGTERM);
    return {};
  }
  void reconcile(const std::vector<engine::TaskStatus>&) override {}
  std::vector<engine::TaskStatus> changes(std::chrono::milliseconds patience) override {
    std::this_thread::sleep_for(patience);
    std::vector<engine::TaskStatus> changed;
    for (auto& [id, process] : processes_) {
      TaskState now = process.state;
      if (process.pid > 0 && ::waitpid(process.pid, nullptr, WNOHANG) == process.pid) {
        process.pid = 0;
        now = TaskState::failed;
      } else if (now == TaskState::staging) {
        const auto info = probe_.info({process.task.host, process.task.port, process.task.password});
        if (info && !info->loading) now = TaskState::running;
      }
      if (now == process.state && process.told) continue;
      process.state = now;
      process.told = true;
      changed.push_back({.id = id, .state = now, .host = process.task.host, .message = {}});
    }
    return changed;
  }
  bool settled() override { return true; }
  std::string trouble() override { return {}; }

 private:
  struct Process {
    model::NodeTask task;
    pid_t pid = 0;
    TaskState state = TaskState::staging;
    bool told = false;
  };

  std::filesystem::path folder_;
  std::vector<std::string> hosts_;
  std::map<std::string, Process> processes_;
  int first_port_ = 0;
  redisctl::RedisAdmin probe_;
};

// A client of the cluster as simple as can be: it asks the node that it thinks has the key, and goes where it is sent.
class Client {
 public:
  Client(std::string host, uint16_t port, std::string password)
      : password_(std::move(password)), at_{std::move(host), port} {}
  ~Client() {
    for (auto& [address, context] : contexts_) redisFree(context);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The answer, or "!..." for an error.
  std::string ask(const std::vector<std::string>& command) {
    bool asking = false;
    std::pair<std::string, uint16_t> at = at_;
    for (int tries = 0; tries < 2000; ++tries) {
      redisContext* const context = connection(at);
      if (asking && context != nullptr) freeReplyObject(redisCommand(context, "ASKING"));
      asking = false;
      const std::string answer = context == nullptr ? "!no connection" : send(context, command);
      if (answer.starts_with("!MOVED ") || answer.starts_with("!ASK ")) {
        const std::string target = answer.substr(answer.rfind(' ') + 1);
        at = {target.substr(0, target.rfind(':')),
              static_cast<uint16_t>(std::stoi(target.substr(target.rfind(':') + 1)))};
        asking = answer.starts_with("!ASK ");
        continue;
      }
      if (!answer.starts_with("!TRYAGAIN") && !answer.starts_with("!CLUSTERDOWN")) return answer;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return "!sent round in circles";
  }

 private:
  redisContext* connection(const std::pair<std::string, uint16_t>& at) {
    redisContext*& context = contexts_[at];
    if (context != nullptr && context->err == 0) return context;
    if (context != nullptr) redisFree(context);
    context = redisConnect(at.first.c_str(), at.second);
    if (context != nullptr && context->err == 0 && !password_.empty()) send(context, {"AUTH", password_});
    return context;
  }
  static std::string send(redisContext* context, const std::vector<std::string>& command) {
    std::vector<const char*> words;
    std::vector<size_t> sizes;
    for (const std::string& word : command) {
      words.push_back(word.data());
      sizes.push_back(word.size());
    }
    auto* const reply =
        static_cast<redisReply*>(redisCommandArgv(context, static_cast<int>(words.size()), words.data(), sizes.data()));
    if (reply == nullptr) return std::string("!") + context->errstr;
    std::string text = reply->type == REDIS_REPLY_NIL       ? "(nil)"
                       : reply->type == REDIS_REPLY_INTEGER ? std::to_string(reply->integer)
                                                            : std::string(reply->str, reply->len);
    if (reply->type == REDIS_REPLY_ERROR) text = "!" + text;
    freeReplyObject(reply);
    return text;
  }

  const std::string password_;
  const std::pair<std::string, uint16_t> at_;
  std::map<std::pair<std::string, uint16_t>, redisContext*> contexts_;
};

class RealRedis : public testing::Test {
 protected:
  RealRedis() : engine_(4), runner_(store_, {}, engine_, redis_, clock_, 7, {}, {}) {}

  model::Job finish(const std::string& id) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (std::chrono::steady_clock::now() < until) {
      runner_.turn(std::chrono::milliseconds(5));
      const auto found = runner_.state().jobs.find(id);
      if (found != runner_.state().jobs.end() && is_over(found->second.value.state)) return found->second.value;
    }
    ADD_FAILURE() << "job " << id << " does not end: " << to_json(runner_.state().jobs.at(id).value);
    return {};
  }
  void done(const Submitted<model::Job>& job) {
    ASSERT_TRUE(job.has_value()) << job.error().message;
    const model::Job end = finish(job->id());
    ASSERT_EQ(end.state, model::JobState::done) << end.reason << "\n" << to_json(end);
  }
  std::vector<model::Node> nodes() const { return runner_.state().cluster_nodes("a"); }
  redisctl::Endpoint endpoint(const model::Node& node) const { return {node.host, node.port, "secret"}; }
  // How many masters have slots; -1: views differ, or not each slot is served once.
  int masters() {
    int count = -1;
    for (const model::Node& node : nodes()) {
      const auto seen = redis_.topology(endpoint(node));
      if (!seen || seen->size() != nodes().size()) return -1;
      uint32_t slots = 0;
      int with_slots = 0;
      for (const redisctl::ClusterNode& one : *seen) {
        for (const auto range : one.slots) slots += range.size();
        with_slots += one.slots.empty() ? 0 : 1;
        if (!one.migrating.empty() || !one.importing.empty() || one.failed) return -1;
      }
      if (slots != 16384 || (count != -1 && count != with_slots)) return -1;
      count = with_slots;
    }
    return count;
  }

  sim::MemoryStore store_;
  ForkEngine engine_;
  redisctl::RedisAdmin redis_;
  RealClock clock_;
  Runner runner_;
};

TEST_F(RealRedis, IsCreatedGrowsUnderLoadAndLosesANode) {
  model::Cluster cluster{
      .name = "a", .type = model::CacheType::redis_cluster, .version = "7.0.15", .group = "g", .spec = {100, 100}};
  cluster.shards = 3;
  cluster.replicas = 1;
  cluster.password = "secret";
  done(submit_create(store_, cluster, "tester", clock_.now()));
  EXPECT_EQ(masters(), 3);

  const model::Node first = nodes().front();
  Client filler(first.host, first.port, "secret");
  constexpr int kKeys = 2000;
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(filler.ask({"SET", "key" + std::to_string(i), std::to_string(i)}), "OK");

  std::atomic<bool> stop{false};
  std::atomic<int> asked{0};
  std::atomic<int> wrong{0};
  std::string fault;
  std::thread load([&] {
    Client client(first.host, first.port, "secret");
    for (int i = 0; !stop; i = (i + 7) % kKeys) {
      const std::string key = "key" + std::to_string(i);
      const std::string value = client.ask({"GET", key});
      if (value != std::to_string(i) && wrong++ == 0) fault = key + ": " + value;
      const std::string set = client.ask({"SET", key, std::to_string(i)});
      if (set != "OK" && wrong++ == 0) fault = key + ": " + set;
      ++asked;
    }
  });
  const auto grown =
      submit(store_, {.kind = model::JobKind::scale, .cluster = "a", .shards = 6}, "tester", clock_.now());
  EXPECT_TRUE(grown.has_value());
  const model::Job end = finish(grown->id());
  stop = true;
  load.join();
  EXPECT_EQ(end.state, model::JobState::done) << end.reason;
  EXPECT_EQ(wrong, 0) << fault;
  EXPECT_GT(asked, 0);
  EXPECT_EQ(masters(), 6);
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(filler.ask({"GET", "key" + std::to_string(i)}), std::to_string(i));

  const std::string leaving = nodes().back().address();
  done(submit(store_, {.kind = model::JobKind::replace, .cluster = "a", .nodes = {leaving}}, "tester", clock_.now()));
  EXPECT_EQ(masters(), 6);
  EXPECT_EQ(nodes().size(), 12U);
  for (const model::Node& node : nodes()) EXPECT_NE(node.address(), leaving);
  done(submit(store_, {.kind = model::JobKind::scale, .cluster = "a", .shards = 3}, "tester", clock_.now()));
  EXPECT_EQ(masters(), 3);
  Client again(nodes().front().host, nodes().front().port, "secret");
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(again.ask({"GET", "key" + std::to_string(i)}), std::to_string(i));
}

}  // namespace
}  // namespace overlord::jobs
