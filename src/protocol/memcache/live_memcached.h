#pragma once
// For tests: a memcached of its own on a unix socket, and one connection to it whose replies are counted.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/memcache/reply_line.h"

namespace overlord::memcache {

class LiveMemcached {
 public:
  LiveMemcached() {
    char folder[] = "/tmp/overlord-mc-XXXXXX";
    if (mkdtemp(folder) == nullptr) return;
    folder_ = folder;
    path_ = folder_ + "/s";
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      // Verbose levels that the tests set must not fill the test's output.
      if (freopen("/dev/null", "w", stderr) == nullptr) _exit(126);
      std::vector<const char*> args = {"memcached", "-s", path_.c_str(), "-t", "1", "-m", "64", "-I", "1m"};
      if (geteuid() == 0) args.insert(args.end(), {"-u", "root"});
      args.push_back(nullptr);
      execvp("memcached", const_cast<char* const*>(args.data()));
      _exit(127);
    }
  }
  LiveMemcached(const LiveMemcached&) = delete;
  LiveMemcached& operator=(const LiveMemcached&) = delete;
  ~LiveMemcached() {
    if (fd_ >= 0) close(fd_);
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    unlink(path_.c_str());
    if (!folder_.empty()) rmdir(folder_.c_str());
  }

  // False when it does not come up (is memcached installed?).
  bool connect() {
    if (fd_ >= 0) close(fd_);
    pending_.clear();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
      close(fd_);
      fd_ = -1;
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        return false;
      }
      poll(nullptr, 0, 5);
    }
    return false;
  }

  // Sends the bytes and a meta no-op behind them; returns the last line of every reply that came before the
  // no-op's. Nothing when memcached closes, when an answer is not of the protocol, or nothing comes for 10 s
  // (then `why` says so).
  std::optional<std::vector<std::string>> ask(std::string_view bytes, std::string& why) {
    const std::string wire = std::string(bytes) + "mn\r\n";
    std::vector<std::string> replies;
    if (!exchange(wire, replies, why)) return std::nullopt;
    return replies;
  }

 private:
  bool exchange(std::string_view wire, std::vector<std::string>& replies, std::string& why) {
    why.clear();
    size_t sent = 0;
    while (true) {
      if (take(replies, why)) return true;
      if (!why.empty()) return false;
      const short events = static_cast<short>(POLLIN | (sent < wire.size() ? POLLOUT : 0));
      pollfd poller{fd_, events, 0};
      if (poll(&poller, 1, 10000) <= 0) {
        why = "no answer";
        return false;
      }
      if ((poller.revents & POLLOUT) != 0) {
        const ssize_t n = send(fd_, wire.data() + sent, wire.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) sent += static_cast<size_t>(n);
      }
      if ((poller.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        char buffer[65536];
        const ssize_t n = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n <= 0) {
          why = "closed";
          return false;
        }
        pending_.append(buffer, static_cast<size_t>(n));
      }
    }
  }

  // Moves whole replies out of pending_; true when the no-op's was met.
  bool take(std::vector<std::string>& replies, std::string& why) {
    while (true) {
      const std::string_view bytes = pending_;
      if (bytes.starts_with("MN\r\n")) {
        pending_.erase(0, 4);
        if (!pending_.empty()) why = "bytes behind the last reply";
        return why.empty();
      }
      const ReplyLine reply = parse_reply_line(bytes);
      if (reply.kind == ReplyKind::incomplete) return false;
      if (reply.kind == ReplyKind::bad) {
        if (bytes.size() >= 4) why = "not a reply: " + pending_.substr(0, 80);
        return false;
      }
      size_t size = reply.size;
      if (reply.kind == ReplyKind::value) {
        size += reply.value_size + 2;
        if (bytes.size() < size) return false;
      } else if (reply.kind != ReplyKind::stat) {
        replies.emplace_back(bytes.substr(0, size));
      }
      pending_.erase(0, size);
    }
  }

  std::string folder_;
  std::string path_;
  pid_t pid_ = -1;
  int fd_ = -1;
  std::string pending_;
};

}  // namespace overlord::memcache
