#pragma once
// For tests: Debian's etcd, one member or three, that can be killed, stopped and started again. They go with the process
// that started them, whatever becomes of it.

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "http/client.h"
#include "net/socket.h"
#include "store/etcd_store.h"

namespace overlord::store {

// Waits until it is so; a busy machine may take long.
inline bool eventually(const std::function<bool()>& holds, std::chrono::seconds most = std::chrono::seconds(60)) {
  const auto until = std::chrono::steady_clock::now() + most;
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    ::usleep(10'000);
  }
  return true;
}

// Free at this moment, and different from each other.
inline std::vector<int> free_ports(size_t count) {
  std::vector<net::UniqueFd> held;
  std::vector<int> ports;
  for (size_t i = 0; i < count; ++i) {
    net::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    ports.push_back(ntohs(address.sin_port));
    held.push_back(std::move(fd));
  }
  return ports;
}

class Etcd {
 public:
  // extra: arguments of all members. scheme: of the client port.
  explicit Etcd(size_t members = 1, std::vector<std::string> extra = {}, std::string scheme = "http")
      : extra_(std::move(extra)), scheme_(std::move(scheme)), pids_(members, 0) {
    static std::atomic<int> count{0};
    const std::string name = "overlord-etcd-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    folder_ = std::filesystem::path(testing::TempDir()) / name;
    std::filesystem::create_directories(folder_);
    // Others may take a port before etcd does; then another set is tried.
    for (int tries = 0; tries < 5; ++tries) {
      ports_ = free_ports(2 * members);
      for (size_t i = 0; i < members; ++i) start(i);
      if (eventually([this] { return dead() || ready(); }) && !dead()) return;
      for (size_t i = 0; i < members; ++i) {
        kill(i);
        std::filesystem::remove_all(folder_ / std::to_string(i));
      }
    }
    ADD_FAILURE() << "etcd does not start; see " << folder_ << " (package etcd-server)";
  }
  ~Etcd() {
    for (size_t i = 0; i < pids_.size(); ++i) kill(i);
    if (!testing::Test::HasFailure()) std::filesystem::remove_all(folder_);
  }
  Etcd(const Etcd&) = delete;
  Etcd& operator=(const Etcd&) = delete;

  std::string member(size_t i) const { return scheme_ + "://127.0.0.1:" + std::to_string(ports_[2 * i]); }
  std::vector<std::string> members() const {
    std::vector<std::string> all;
    for (size_t i = 0; i < pids_.size(); ++i) all.push_back(member(i));
    return all;
  }
  void start(size_t i) {
    std::string cluster;
    for (size_t m = 0; m < pids_.size(); ++m) {
      cluster += (m == 0 ? "m" : ",m") + std::to_string(m) + "=" + peer(m);
    }
    std::vector<std::string> args = {
        "etcd", "--name=m" + std::to_string(i), "--data-dir=" + (folder_ / std::to_string(i)).string(),
        "--listen-client-urls=" + member(i), "--advertise-client-urls=" + member(i), "--listen-peer-urls=" + peer(i),
        "--initial-advertise-peer-urls=" + peer(i), "--initial-cluster=" + cluster, "--logger=zap",
        // Short, so that a dead leader does not hold up the tests, and leases may be.
        "--heartbeat-interval=60", "--election-timeout=600"};
    args.insert(args.end(), extra_.begin(), extra_.end());
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    const std::string log = (folder_ / (std::to_string(i) + ".log")).string();
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      const int fd = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
      ::dup2(fd, 1);
      ::dup2(fd, 2);
      ::execvp("etcd", argv.data());
      ::_exit(127);
    }
    pids_[i] = pid;
  }
  void kill(size_t i) {
    if (pids_[i] == 0) return;
    ::kill(pids_[i], SIGKILL);
    ::waitpid(pids_[i], nullptr, 0);
    pids_[i] = 0;
  }
  void signal(size_t i, int number) { ::kill(pids_[i], number); }
  // The member that leads now.
  size_t leader() {
    size_t found = pids_.size();
    EXPECT_TRUE(eventually([&] {
      for (size_t i = 0; i < pids_.size() && found == pids_.size(); ++i) {
        const std::string status = ask(i, "/v3/maintenance/status");
        const std::string own = word(status, "member_id");
        if (!own.empty() && own == word(status, "leader")) found = i;
      }
      return found != pids_.size();
    }));
    return found;
  }

 private:
  std::string peer(size_t i) const { return "http://127.0.0.1:" + std::to_string(ports_[2 * i + 1]); }
  bool dead() {
    for (pid_t& pid : pids_) {
      if (pid == 0 || ::waitpid(pid, nullptr, WNOHANG) == pid) {
        pid = 0;
        return true;
      }
    }
    return false;
  }
  bool ready() {
    if (scheme_ != "http") return true;
    for (size_t i = 0; i < pids_.size(); ++i) {
      if (ask(i, "/v3/kv/range", R"({"key":"AA=="})").find("revision") == std::string::npos) return false;
    }
    return true;
  }
  std::string ask(size_t i, const char* path, const char* body = "{}") const {
    if (pids_[i] == 0) return {};
    http::ClientOptions options;
    options.timeout = std::chrono::milliseconds(1000);
    auto answer = http::Client(member(i), options).ask("POST", path, body);
    return answer ? answer->body : std::string();
  }
  static std::string word(const std::string& text, const std::string& name) {
    const size_t at = text.find("\"" + name + "\":\"");
    if (at == std::string::npos) return {};
    const size_t begin = at + name.size() + 4;
    return text.substr(begin, text.find('"', begin) - begin);
  }

  const std::vector<std::string> extra_;
  const std::string scheme_;
  std::filesystem::path folder_;
  std::vector<int> ports_;  // client and peer of each member
  std::vector<pid_t> pids_;
};

}  // namespace overlord::store
