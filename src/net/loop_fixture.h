#pragma once
// What the tests of this module share: both drivers as test parameters, a loop that runs until a condition
// holds, handlers that record what happened to them.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/loop.h"

namespace overlord::net {

inline std::string driver_name(const testing::TestParamInfo<Driver>& info) {
  return info.param == Driver::epoll ? "epoll" : "io_uring";
}

inline std::array<UniqueFd, 2> socket_pair() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

inline SocketAddress local_address(int fd) {
  SocketAddress address;
  address.length = sizeof address.storage;
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length), 0);
  return address;
}

inline UniqueFd tcp_listener() {
  auto fd = listen_socket(*numeric_address("127.0.0.1", 0), false, 4096);
  EXPECT_TRUE(fd.has_value());
  return std::move(*fd);
}

// A connected TCP pair; both ends non-blocking.
inline std::array<UniqueFd, 2> tcp_pair() {
  const UniqueFd listener = tcp_listener();
  const SocketAddress address = local_address(listener.get());
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(client.get(), address.get(), address.length), 0);
  UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  EXPECT_TRUE(server.valid());
  EXPECT_EQ(fcntl(client.get(), F_SETFL, O_NONBLOCK), 0);
  return {std::move(client), std::move(server)};
}

class LoopTest : public testing::TestWithParam<Driver>, public TurnHandler {
 public:
  void end_of_turn() override {
    if (each_turn) each_turn();
    if (done_ && done_()) loop->stop();
  }

 protected:
  void SetUp() override {
    if (GetParam() == Driver::io_uring && !uring_unavailable_reason().empty()) {
      GTEST_SKIP() << uring_unavailable_reason();
    }
    auto made = make_loop(GetParam());
    ASSERT_TRUE(made.has_value()) << made.error().message;
    loop = std::move(*made);
    watchdog_.set([](void* self) { static_cast<LoopTest*>(self)->expire(); }, this);
  }
  void TearDown() override { watchdog_.cancel(); }

  // Runs the loop until the condition holds at the end of a turn; false, and a failure, when it never does.
  bool run_until(std::function<bool()> condition) {
    expired_ = false;
    done_ = [this, condition = std::move(condition)] { return expired_ || condition(); };
    loop->timers().arm(watchdog_, loop->now(), uint64_t{60} * 1'000'000'000);
    loop->post([] {});  // a first turn, whatever happens
    loop->run(*this);
    watchdog_.cancel();
    done_ = nullptr;
    EXPECT_FALSE(expired_) << "the condition never came true";
    return !expired_;
  }
  void run_turns(uint64_t count) {
    const uint64_t target = loop->turns() + count;
    run_until([&] {
      loop->post([] {});
      return loop->turns() >= target;
    });
  }
  void send(Stream& stream, std::string_view bytes) {
    stream.out.append(loop->chunks(), bytes);
    loop->flush(stream);
  }

  std::unique_ptr<Loop> loop;
  std::function<void()> each_turn;

 private:
  void expire() { expired_ = true; }

  Timer watchdog_;
  std::function<bool()> done_;
  bool expired_ = false;
};

// A stream that records what its handler is told.
class Peer : public StreamHandler {
 public:
  explicit Peer(Loop& owner) : loop(owner) {}
  Peer(Loop& owner, UniqueFd fd) : loop(owner) { loop.adopt(stream, std::move(fd), *this); }
  ~Peer() override { loop.close(stream); }

  void on_connected() override {
    connected = true;
    if (when_connected) when_connected();
  }
  void on_data(std::span<char> bytes) override {
    EXPECT_FALSE(bytes.empty());
    EXPECT_FALSE(ended);
    EXPECT_EQ(error, 0);
    received_bytes += bytes.size();
    if (keep) received.append(bytes.data(), bytes.size());
    if (when_data) when_data(bytes);
  }
  void on_end() override {
    EXPECT_FALSE(ended);
    ended = true;
    if (when_end) when_end();
  }
  void on_drained() override {
    ++drained;
    EXPECT_TRUE(stream.out.empty());
    if (when_drained) when_drained();
  }
  void on_error(int code) override {
    EXPECT_FALSE(stream.attached());
    EXPECT_EQ(error, 0);
    error = code;
    if (when_error) when_error();
  }

  Loop& loop;
  Stream stream;
  bool keep = true;
  bool connected = false;
  bool ended = false;
  int error = 0;
  int drained = 0;
  size_t received_bytes = 0;
  std::string received;
  std::function<void()> when_connected, when_end, when_drained, when_error;
  std::function<void(std::span<char>)> when_data;
};

// Accepts and hands every connection to a function.
class Acceptor : public AcceptHandler {
 public:
  explicit Acceptor(std::function<void(UniqueFd)> fn) : fn_(std::move(fn)) {}
  void on_accept(UniqueFd fd) override {
    ++accepted;
    fn_(std::move(fd));
  }
  size_t accepted = 0;

 private:
  std::function<void(UniqueFd)> fn_;
};

}  // namespace overlord::net
