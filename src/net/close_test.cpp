// Ends of every kind: half close, reset, closing and destroying inside callbacks, failures reported late.

#include <netinet/in.h>

#include <cerrno>
#include <filesystem>

#include "net/loop_fixture.h"

namespace overlord::net {
namespace {

using Closing = LoopTest;
INSTANTIATE_TEST_SUITE_P(Drivers, Closing, testing::Values(Driver::epoll, Driver::io_uring), driver_name);

void reset_on_close(int fd) {
  const linger abort{1, 0};
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort), 0);
}

TEST_P(Closing, AfterAHalfCloseWeCanStillAnswer) {
  auto [left, right] = tcp_pair();
  Peer server(*loop, std::move(left));
  server.when_end = [&] {
    EXPECT_EQ(server.received, "question");
    send(server.stream, "answer");
  };
  const UniqueFd client = std::move(right);
  ASSERT_EQ(::send(client.get(), "question", 8, 0), 8);
  ASSERT_EQ(::shutdown(client.get(), SHUT_WR), 0);
  char buffer[16];
  ASSERT_TRUE(run_until([&] { return ::recv(client.get(), buffer, sizeof buffer, 0) == 6; }));
  EXPECT_TRUE(server.ended);
  EXPECT_EQ(server.error, 0);
  run_turns(3);
  EXPECT_TRUE(server.stream.attached());
}

TEST_P(Closing, DataAndEndOfOneBatchComeInOrder) {
  for (const bool tcp : {true, false}) {
    auto [left, right] = tcp ? tcp_pair() : socket_pair();
    const std::string bytes(100'000, 'd');
    ASSERT_EQ(::send(right.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    right.reset();
    Peer server(*loop, std::move(left));  // adopted when the peer is gone already
    ASSERT_TRUE(run_until([&] { return server.ended; }));
    EXPECT_EQ(server.received, bytes);
  }
}

TEST_P(Closing, AResetIsAnError) {
  auto [left, right] = tcp_pair();
  Peer server(*loop, std::move(left));
  run_turns(2);
  reset_on_close(right.get());
  right.reset();
  ASSERT_TRUE(run_until([&] { return server.error != 0; }));
  EXPECT_EQ(server.error, ECONNRESET);
  EXPECT_FALSE(server.ended);
  // Detached: everything is a no-op now, and the stream can be used again.
  loop->flush(server.stream);
  loop->pause_receive(server.stream);
  loop->resume_receive(server.stream);
  loop->close_after_flush(server.stream, 1'000'000);
  loop->close(server.stream);
  server.error = 0;
  auto [again, other] = tcp_pair();
  loop->adopt(server.stream, std::move(again), server);
  ASSERT_EQ(::send(other.get(), "x", 1, 0), 1);
  ASSERT_TRUE(run_until([&] { return server.received == "x"; }));
}

TEST_P(Closing, AResetRightBehindTheLastBytesIsNoticed) {
  for (const bool adopted_before : {true, false}) {
    auto [left, right] = tcp_pair();
    Peer server(*loop);
    if (adopted_before) {
      loop->adopt(server.stream, std::move(left), server);
      run_turns(2);
    }
    ASSERT_EQ(::send(right.get(), "half an ans", 11, 0), 11);
    reset_on_close(right.get());
    right.reset();
    if (!adopted_before) loop->adopt(server.stream, std::move(left), server);
    ASSERT_TRUE(run_until([&] { return server.error != 0; }));
    EXPECT_FALSE(server.ended);
  }
}

TEST_P(Closing, AnEndRightBehindTheLastBytesIsNoticed) {
  for (const bool tcp : {true, false}) {
    auto [left, right] = tcp ? tcp_pair() : socket_pair();
    Peer server(*loop, std::move(left));
    run_turns(2);
    ASSERT_EQ(::send(right.get(), "last bytes", 10, 0), 10);
    right.reset();
    ASSERT_TRUE(run_until([&] { return server.ended; }));
    EXPECT_EQ(server.received, "last bytes");
  }
}

TEST_P(Closing, AResetAfterTheEndIsAnErrorOfTheNextSend) {
  auto [left, right] = tcp_pair();
  Peer server(*loop, std::move(left));
  ASSERT_EQ(::shutdown(right.get(), SHUT_WR), 0);
  ASSERT_TRUE(run_until([&] { return server.ended; }));
  reset_on_close(right.get());
  right.reset();
  send(server.stream, "nobody reads this");
  ASSERT_TRUE(run_until([&] { return server.error != 0; }));
}

TEST_P(Closing, AFailingSendIsReportedLaterAndOnce) {
  auto [left, right] = socket_pair();
  Peer server(*loop, std::move(left));
  run_turns(2);
  bool inside = false;
  server.when_error = [&] { EXPECT_FALSE(inside); };
  server.when_end = [&] { EXPECT_FALSE(inside); };
  right.reset();
  inside = true;
  send(server.stream, "lost");
  send(server.stream, "lost too");
  inside = false;
  EXPECT_EQ(server.error, 0);
  EXPECT_TRUE(server.stream.attached());
  ASSERT_TRUE(run_until([&] { return server.error != 0; }));
  EXPECT_EQ(server.error, EPIPE);
  EXPECT_TRUE(server.stream.out.empty());
}

TEST_P(Closing, AnAnswerBeforeTheCloseIsDeliveredThoughOurSendFails) {
  auto [left, right] = socket_pair();
  Peer server(*loop, std::move(left));
  ASSERT_EQ(::send(right.get(), "last words", 10, 0), 10);
  right.reset();
  send(server.stream, "lost");
  ASSERT_TRUE(run_until([&] { return server.error != 0; }));
  EXPECT_EQ(server.received, "last words");
}

TEST_P(Closing, AFailureThatWasNotReportedYetDiesWithTheStream) {
  auto server = std::make_unique<Peer>(*loop);
  {
    auto [left, right] = socket_pair();
    loop->adopt(server->stream, std::move(left), *server);
  }
  send(server->stream, "lost");
  server.reset();
  run_turns(3);
}

TEST_P(Closing, ConnectingToNobodyFails) {
  SocketAddress nobody;
  {
    const UniqueFd listener = tcp_listener();
    nobody = local_address(listener.get());
  }
  Peer client(*loop);
  loop->connect(client.stream, nobody, client);
  EXPECT_EQ(client.error, 0);
  send(client.stream, "never sent");
  ASSERT_TRUE(run_until([&] { return client.error != 0; }));
  EXPECT_EQ(client.error, ECONNREFUSED);
  EXPECT_FALSE(client.connected);

  Peer local(*loop);
  loop->connect(local.stream, *unix_address("/nonexistent/socket"), local);
  EXPECT_EQ(local.error, 0);
  ASSERT_TRUE(run_until([&] { return local.error != 0; }));
  EXPECT_EQ(local.error, ENOENT);
}

TEST_P(Closing, ConnectsOverAUnixSocket) {
  std::string folder = (std::filesystem::temp_directory_path() / "overlord-net-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const SocketAddress address = *unix_address(folder + "/socket");
  std::unique_ptr<Peer> server;
  Acceptor acceptor([&](UniqueFd fd) { server = std::make_unique<Peer>(*loop, std::move(fd)); });
  const ListenerId id = loop->listen(std::move(*listen_socket(address, false, 16)), acceptor, false);
  Peer client(*loop);
  client.when_connected = [&] { send(client.stream, "over unix"); };
  loop->connect(client.stream, address, client);
  EXPECT_FALSE(client.connected);
  ASSERT_TRUE(run_until([&] { return server != nullptr && server->received == "over unix"; }));
  loop->unlisten(id);
  std::filesystem::remove_all(folder);
}

TEST_P(Closing, ClosingWhileConnectingIsSilent) {
  const UniqueFd listener = tcp_listener();
  {
    Peer client(*loop);
    loop->connect(client.stream, local_address(listener.get()), client);
    client.stream.out.append(loop->chunks(), "never sent");
    client.when_connected = [] { FAIL(); };
  }
  run_turns(3);
}

TEST_P(Closing, AStreamMayBeDestroyedInItsOwnCallbacks) {
  for (const std::string_view where : {"data", "end", "error", "drained", "connected"}) {
    auto [left, right] = tcp_pair();
    std::unique_ptr<Peer> victim = std::make_unique<Peer>(*loop);
    const auto destroy = [&victim] {
      Peer* dying = victim.release();
      // The std::function that runs is a member: it is moved out first, so that it outlives the object.
      const auto keep =
          std::make_tuple(std::move(dying->when_data), std::move(dying->when_end), std::move(dying->when_error),
                          std::move(dying->when_drained), std::move(dying->when_connected));
      delete dying;
    };
    const UniqueFd listener = tcp_listener();
    if (where == "connected") {
      victim->when_connected = destroy;
      loop->connect(victim->stream, local_address(listener.get()), *victim);
    } else {
      loop->adopt(victim->stream, std::move(left), *victim);
    }
    if (where == "data") {
      victim->when_data = [&](std::span<char> bytes) {
        const auto erase = destroy;
        erase();
        bytes[0] = 'x';  // still ours
      };
      ASSERT_EQ(::send(right.get(), "abc", 3, 0), 3);
      right.reset();
    } else if (where == "end") {
      victim->when_end = destroy;
      right.reset();
    } else if (where == "error") {
      victim->when_error = destroy;
      reset_on_close(right.get());
      right.reset();
    } else if (where == "drained") {
      victim->when_drained = destroy;
      victim->stream.notify_drained = true;
      send(victim->stream, "abc");
    }
    ASSERT_TRUE(run_until([&] { return victim == nullptr; })) << where;
    run_turns(2);
  }
}

TEST_P(Closing, OneHandlerMayDestroyAllOthersOfTheBatch) {
  constexpr size_t kStreams = 300;
  std::vector<UniqueFd> clients;
  std::vector<std::unique_ptr<Peer>> servers;
  size_t calls = 0;
  for (size_t i = 0; i < kStreams; ++i) {
    auto [left, right] = socket_pair();
    servers.push_back(std::make_unique<Peer>(*loop, std::move(left)));
    clients.push_back(std::move(right));
    servers[i]->when_data = [&, i](std::span<char>) {
      ++calls;
      for (size_t other = 0; other < kStreams; ++other) {
        if (other != i) servers[other].reset();
      }
      // Their slots are taken again at once, while events of the old ones are still to come.
      for (size_t again = 0; again < 5; ++again) {
        auto [fresh, peer] = socket_pair();
        servers.push_back(std::make_unique<Peer>(*loop, std::move(fresh)));
        clients.push_back(std::move(peer));
      }
    };
  }
  run_turns(3);
  for (const UniqueFd& client : clients) ASSERT_EQ(::send(client.get(), "x", 1, 0), 1);
  ASSERT_TRUE(run_until([&] { return calls > 0; }));
  run_turns(3);
  EXPECT_EQ(calls, 1u);
  for (size_t i = kStreams; i < servers.size(); ++i) {
    EXPECT_EQ(servers[i]->received_bytes, 0u);
    EXPECT_FALSE(servers[i]->ended);
  }
}

TEST_P(Closing, AHugeNumberClosedInOneTurn) {
  constexpr size_t kStreams = 3000;
  std::vector<UniqueFd> clients;
  std::vector<std::unique_ptr<Peer>> servers;
  for (size_t i = 0; i < kStreams; ++i) {
    auto [left, right] = socket_pair();
    servers.push_back(std::make_unique<Peer>(*loop, std::move(left)));
    clients.push_back(std::move(right));
  }
  size_t served = 0;
  for (auto& server : servers) server->when_data = [&](std::span<char>) { ++served; };
  for (const UniqueFd& client : clients) ASSERT_EQ(::send(client.get(), "x", 1, 0), 1);
  ASSERT_TRUE(run_until([&] { return served == kStreams; }));
  for (auto& server : servers) send(server->stream, "bye");
  servers.clear();
  run_turns(5);
  // Their descriptors are closed, and what was flushed before the close has left.
  for (const UniqueFd& client : clients) {
    char buffer[8];
    const ssize_t got = ::recv(client.get(), buffer, sizeof buffer, 0);
    EXPECT_TRUE(got == 3 || got == 0) << got << " " << errno;
  }
  EXPECT_EQ(loop->chunks().in_use(), 0u);
}

TEST_P(Closing, CloseWithUnsentBytesDropsThem) {
  auto [left, right] = tcp_pair();
  auto server = std::make_unique<Peer>(*loop, std::move(left));
  send(server->stream, std::string(16 << 20, 'u'));
  run_turns(2);
  EXPECT_GT(server->stream.unsent(), 0u);
  server.reset();
  size_t got = 0;
  std::string buffer(1 << 20, '\0');
  ASSERT_TRUE(run_until([&] {
    loop->post([] {});
    const ssize_t n = ::recv(right.get(), buffer.data(), buffer.size(), 0);
    if (n > 0) got += static_cast<size_t>(n);
    return n == 0 || (n < 0 && errno != EAGAIN);
  }));
  EXPECT_LT(got, size_t{16 << 20});
  ASSERT_TRUE(run_until([&] { return loop->chunks().in_use() == 0; }));
}

TEST_P(Closing, TheLoopMayDieBeforeItsStreams) {
  auto [left, right] = tcp_pair();
  struct Silent : StreamHandler {
    void on_data(std::span<char>) override {}
    void on_end() override { FAIL(); }
    void on_error(int) override { FAIL(); }
  } handler;
  Stream stream;
  loop->adopt(stream, std::move(left), handler);
  send(stream, std::string(16 << 20, 'u'));
  run_turns(2);
  auto other = make_loop(GetParam());
  ASSERT_TRUE(other.has_value());
  loop.swap(*other);
  other->reset();
  EXPECT_FALSE(stream.attached());
  EXPECT_TRUE(stream.out.empty());
  std::string buffer(1 << 20, '\0');
  ssize_t n = 0;
  ASSERT_TRUE(run_until([&] {
    loop->post([] {});
    n = ::recv(right.get(), buffer.data(), buffer.size(), 0);
    return n == 0 || (n < 0 && errno != EAGAIN);
  }));
}

}  // namespace
}  // namespace overlord::net
