#pragma once
// For tests of the executor: a folder, free ports, a supervisor with short times whose nodes go with the test.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "executor/supervisor.h"
#include "net/address.h"
#include "net/socket.h"

namespace overlord::executor {

inline bool eventually(const std::function<bool()>& holds, std::chrono::seconds most = std::chrono::seconds(60)) {
  const auto until = Clock::now() + most;
  while (!holds()) {
    if (Clock::now() >= until) return false;
    ::usleep(10'000);
  }
  return true;
}

class TestFolder {
 public:
  TestFolder() {
    static std::atomic<int> count{0};
    path_ = std::filesystem::path(testing::TempDir()) /
            ("overlord-executor-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
    path_ = std::filesystem::canonical(path_);
  }
  ~TestFolder() {
    if (!testing::Test::HasFailure()) std::filesystem::remove_all(path_);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  std::string path() const { return path_.string(); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// Whether nobody listens there; the socket, so that nobody does meanwhile.
inline net::UniqueFd listening(const std::string& host, uint16_t port) {
  const auto address = net::numeric_address(host, port);
  auto fd = net::listen_socket(*address, false, 1);
  return fd ? std::move(*fd) : net::UniqueFd();
}

// Free together with their bus ports, below those that the kernel hands out by itself. Other tests look for theirs at the
// same time, so each process begins somewhere else.
inline std::vector<uint16_t> free_ports(const std::string& host, size_t count) {
  static std::atomic<uint32_t> next{static_cast<uint32_t>(::getpid()) * 37};
  std::vector<uint16_t> ports;
  while (ports.size() < count) {
    const auto port = static_cast<uint16_t>(10'300 + next++ % 9'000);
    if (listening(host, port).valid() && listening(host, static_cast<uint16_t>(port + 10'000)).valid()) {
      ports.push_back(port);
    }
  }
  return ports;
}

inline model::NodeTask task_of(model::CacheType type, const std::string& host, uint16_t port, int incarnation = 1) {
  const std::string address = model::address_of(host, port);
  return {.id = address + "-c-" + std::to_string(incarnation),
          .cluster = "c",
          .type = type,
          .version = type == model::CacheType::memcache ? "1.6" : "7.0",
          .host = host,
          .port = port,
          .spec = {.cpu_milli = 100, .memory_mib = 32}};
}

// Sends text and reads until the connection has said `end`.
inline std::string talk(const std::string& host, uint16_t port, const std::string& text, const std::string& end) {
  const auto address = net::numeric_address(host, port);
  const net::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{5, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(fd.get(), address->get(), address->length) != 0) return {};
  if (::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) return {};
  std::string answer;
  char piece[4096];
  while (!answer.contains(end)) {
    const ssize_t got = ::recv(fd.get(), piece, sizeof piece, 0);
    if (got <= 0) break;
    answer.append(piece, static_cast<size_t>(got));
  }
  return answer;
}

class SupervisorTest : public testing::Test {
 protected:
  explicit SupervisorTest(std::string host = "127.0.0.1") : host_(std::move(host)) {
    options_.host = host_;
    options_.folder = folder_ / "work";
    options_.versions.lib = folder_ / "lib";
    options_.cgroup = "none";
    options_.probe_interval = std::chrono::milliseconds(50);
    options_.probe_patience = std::chrono::milliseconds(500);
    options_.first_pause = std::chrono::milliseconds(20);
    options_.longest_pause = std::chrono::milliseconds(100);
  }
  void TearDown() override {
    if (supervisor_ == nullptr) start();
    if (supervisor_ != nullptr) supervisor_->stop_all(std::chrono::milliseconds(0));
  }
  void start() {
    supervisor_.reset();
    auto made = Supervisor::start(options_);
    ASSERT_TRUE(made) << made.error().message;
    supervisor_ = std::move(*made);
  }
  // A field of a task's status as text; empty: there is no such task.
  std::string field(const std::string& id, const std::string& name) const {
    const std::string all = supervisor_->tasks();
    const size_t at = all.find("{\"id\":\"" + id + "\"");
    if (at == std::string::npos) return {};
    const std::string line = all.substr(at, all.find('\n', at) - at);
    const size_t begin = line.find("\"" + name + "\":") + name.size() + 3;
    if (line[begin] == '"') return line.substr(begin + 1, line.find("\",\"", begin + 1) - begin - 1);
    return line.substr(begin, line.find_first_of(",}", begin) - begin);
  }
  std::string health(const std::string& id) const { return field(id, "health"); }
  std::string message(const std::string& id) const { return field(id, "message"); }
  pid_t pid(const std::string& id) const { return std::atoi(field(id, "pid").c_str()); }
  bool runs(const std::string& id) const {
    return eventually([&] { return health(id) == "running"; });
  }
  bool launch(const model::NodeTask& task) {
    const auto answer = supervisor_->launch(task);
    EXPECT_EQ(answer.refused, Supervisor::Refused::no) << answer.text;
    return answer.refused == Supervisor::Refused::no;
  }

  const std::string host_;
  TestFolder folder_;
  Options options_;
  std::unique_ptr<Supervisor> supervisor_;
};

}  // namespace overlord::executor
