// close_after_flush: the bytes arrive, and nobody can keep the socket for longer than the linger time.

#include <netinet/in.h>

#include <cerrno>

#include "net/loop_fixture.h"

namespace overlord::net {
namespace {

constexpr uint64_t kMs = 1'000'000;

using Lingering = LoopTest;
INSTANTIATE_TEST_SUITE_P(Drivers, Lingering, testing::Values(Driver::epoll, Driver::io_uring), driver_name);

// Reads at most `most` bytes a call; the loop goes on turning meanwhile.
struct SlowReader {
  explicit SlowReader(UniqueFd socket) : fd(std::move(socket)) {}
  bool finished(size_t most) {
    buffer.resize(most);
    const ssize_t n = ::recv(fd.get(), buffer.data(), most, 0);
    if (n > 0) got += static_cast<size_t>(n);
    if (n < 0 && errno != EAGAIN) error = errno;
    return n == 0 || error != 0;
  }
  UniqueFd fd;
  std::string buffer;
  size_t got = 0;
  int error = 0;
};

TEST_P(Lingering, EverythingReachesASlowReader) {
  constexpr size_t kSize = 16 << 20;
  for (const bool tcp : {true, false}) {
    auto [left, right] = tcp ? tcp_pair() : socket_pair();
    const int fd = left.get();
    Peer server(*loop, std::move(left));
    SlowReader reader(std::move(right));
    server.stream.out.append(loop->chunks(), std::string(kSize, 'b'));
    loop->flush(server.stream);
    loop->close_after_flush(server.stream, 30'000 * kMs);
    EXPECT_FALSE(server.stream.attached());
    EXPECT_EQ(server.stream.unsent(), 0u);
    ASSERT_TRUE(run_until([&] {
      loop->post([] {});
      return reader.finished(50'000);
    }));
    EXPECT_EQ(reader.error, 0);
    EXPECT_EQ(reader.got, kSize);
    // Our side is shut down; the socket waits for the peer's end, then goes.
    reader.fd.reset();
    ASSERT_TRUE(run_until([&] {
      loop->post([] {});
      return fcntl(fd, F_GETFD) == -1 && loop->chunks().in_use() == 0;
    }));
    EXPECT_EQ(server.error, 0);
    EXPECT_FALSE(server.ended);
  }
}

// Unread input at the time of closing would turn into a reset that destroys the answer on its way.
TEST_P(Lingering, UnreadInputDoesNotBecomeAReset) {
  auto [left, right] = tcp_pair();
  Peer server(*loop, std::move(left));
  server.when_data = [&](std::span<char>) {
    send(server.stream, "-ERR too much\r\n");
    loop->close_after_flush(server.stream, 30'000 * kMs);
  };
  SlowReader reader(std::move(right));
  const std::string flood(1 << 20, 'f');
  size_t sent = 0;
  ASSERT_TRUE(run_until([&] {
    loop->post([] {});
    while (sent < flood.size()) {
      const ssize_t n = ::send(reader.fd.get(), flood.data() + sent, flood.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<size_t>(n);
    }
    return sent == flood.size() && reader.finished(1000);
  }));
  EXPECT_EQ(reader.error, 0);
  EXPECT_EQ(reader.got, 15u);
}

TEST_P(Lingering, GivesUpAtTheDeadline) {
  auto [left, right] = tcp_pair();
  const int fd = left.get();
  Peer server(*loop, std::move(left));
  server.stream.out.append(loop->chunks(), std::string(16 << 20, 'b'));
  loop->flush(server.stream);
  const uint64_t start = loop->now();
  loop->close_after_flush(server.stream, 50 * kMs);
  // The peer reads nothing and stays.
  ASSERT_TRUE(run_until([&] { return fcntl(fd, F_GETFD) == -1; }));
  EXPECT_GE(loop->now() - start, 50 * kMs);
  ASSERT_TRUE(run_until([&] { return loop->chunks().in_use() == 0; }));
}

TEST_P(Lingering, GivesUpOnAPeerThatNeverCloses) {
  auto [left, right] = socket_pair();
  const int fd = left.get();
  Peer server(*loop, std::move(left));
  send(server.stream, "bye");
  loop->close_after_flush(server.stream, 50 * kMs);
  ASSERT_TRUE(run_until([&] { return fcntl(fd, F_GETFD) == -1; }));
  char buffer[8];
  EXPECT_EQ(::recv(right.get(), buffer, sizeof buffer, 0), 3);
  EXPECT_EQ(::recv(right.get(), buffer, sizeof buffer, 0), 0);
}

TEST_P(Lingering, AFloodingPeerIsDiscardedAndBounded) {
  auto [left, right] = tcp_pair();
  const int fd = left.get();
  Peer server(*loop, std::move(left));
  loop->close_after_flush(server.stream, 100 * kMs);
  const std::string flood(1 << 18, 'f');
  size_t sent = 0;
  ASSERT_TRUE(run_until([&] {
    loop->post([] {});
    const ssize_t n = ::send(right.get(), flood.data(), flood.size(), MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<size_t>(n);
    return fcntl(fd, F_GETFD) == -1;
  }));
  EXPECT_GT(sent, flood.size());
  EXPECT_EQ(server.received_bytes, 0u);
}

TEST_P(Lingering, ClosesAtOnceWhenThePeerHasEndedAndNothingIsUnsent) {
  auto [left, right] = tcp_pair();
  const int fd = left.get();
  Peer server(*loop, std::move(left));
  ASSERT_EQ(::shutdown(right.get(), SHUT_WR), 0);
  ASSERT_TRUE(run_until([&] { return server.ended; }));
  loop->close_after_flush(server.stream, 60'000 * kMs);
  ASSERT_TRUE(run_until([&] { return fcntl(fd, F_GETFD) == -1; }));
}

TEST_P(Lingering, AfterTheEndTheRestIsStillSent) {
  auto [left, right] = tcp_pair();
  const int fd = left.get();
  Peer server(*loop, std::move(left));
  server.when_end = [&] {
    server.stream.out.append(loop->chunks(), std::string(8 << 20, 'r'));
    loop->close_after_flush(server.stream, 60'000 * kMs);
  };
  SlowReader reader(std::move(right));
  ASSERT_EQ(::shutdown(reader.fd.get(), SHUT_WR), 0);
  ASSERT_TRUE(run_until([&] {
    loop->post([] {});
    return reader.finished(100'000);
  }));
  EXPECT_EQ(reader.got, size_t{8 << 20});
  EXPECT_EQ(reader.error, 0);
  ASSERT_TRUE(run_until([&] {
    loop->post([] {});
    return fcntl(fd, F_GETFD) == -1;
  }));
}

TEST_P(Lingering, WithoutLingerTimeItClosesAtOnce) {
  auto [left, right] = tcp_pair();
  const int fd = left.get();
  Peer server(*loop, std::move(left));
  server.stream.out.append(loop->chunks(), "bye");
  loop->close_after_flush(server.stream, 0);
  ASSERT_TRUE(run_until([&] { return fcntl(fd, F_GETFD) == -1; }));
}

TEST_P(Lingering, AResetEndsIt) {
  auto [left, right] = tcp_pair();
  const int fd = left.get();
  Peer server(*loop, std::move(left));
  server.stream.out.append(loop->chunks(), std::string(16 << 20, 'b'));
  loop->flush(server.stream);
  loop->close_after_flush(server.stream, 60'000 * kMs);
  run_turns(2);
  right.reset();  // with unread input: a reset
  ASSERT_TRUE(run_until([&] { return fcntl(fd, F_GETFD) == -1 && loop->chunks().in_use() == 0; }));
}

TEST_P(Lingering, TheStreamIsFreeAtOnce) {
  auto [left, right] = socket_pair();
  auto [again, other] = socket_pair();
  Peer server(*loop, std::move(left));
  send(server.stream, "first");
  loop->close_after_flush(server.stream, 60'000 * kMs);
  loop->adopt(server.stream, std::move(again), server);
  send(server.stream, "second");
  char buffer[16];
  ASSERT_TRUE(run_until([&] { return ::recv(other.get(), buffer, sizeof buffer, 0) == 6; }));
  EXPECT_EQ(::recv(right.get(), buffer, sizeof buffer, 0), 5);
}

}  // namespace
}  // namespace overlord::net
