// Listeners: many connections, running out of descriptors, unlisten, sharing a socket between loops.

#include <sys/resource.h>

#include <cerrno>
#include <thread>

#include "net/loop_fixture.h"

namespace overlord::net {
namespace {

using Accepting = LoopTest;
INSTANTIATE_TEST_SUITE_P(Drivers, Accepting, testing::Values(Driver::epoll, Driver::io_uring), driver_name);

TEST_P(Accepting, TwoThousandConnectionsEachEcho) {
  constexpr size_t kConnections = 2000;
  std::vector<std::unique_ptr<Peer>> servers;
  Acceptor acceptor([&](UniqueFd fd) {
    EXPECT_NE(fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    servers.push_back(std::make_unique<Peer>(*loop, std::move(fd)));
    Peer* server = servers.back().get();
    server->when_data = [this, server](std::span<char> bytes) { send(server->stream, {bytes.data(), bytes.size()}); };
  });
  UniqueFd listening = tcp_listener();
  const SocketAddress address = local_address(listening.get());
  const ListenerId id = loop->listen(std::move(listening), acceptor, false);
  std::vector<std::unique_ptr<Peer>> clients;
  size_t answered = 0;
  for (size_t i = 0; i < kConnections; ++i) {
    clients.push_back(std::make_unique<Peer>(*loop));
    Peer* client = clients.back().get();
    loop->connect(client->stream, address, *client);
    send(client->stream, "client " + std::to_string(i));
    client->when_data = [&answered, client, i](std::span<char>) {
      if (client->received == "client " + std::to_string(i)) ++answered;
    };
  }
  ASSERT_TRUE(run_until([&] { return answered == kConnections; }));
  EXPECT_EQ(acceptor.accepted, kConnections);
  EXPECT_EQ(loop->accept_pauses(), 0u);
  clients.clear();
  ASSERT_TRUE(run_until(
      [&] { return std::all_of(servers.begin(), servers.end(), [](const auto& server) { return server->ended; }); }));
  loop->unlisten(id);
}

// Clients that are there do not wait until all of a crowd have been let in.
TEST_P(Accepting, ACrowdIsLetInAFewATurn) {
  constexpr size_t kCrowd = 1000;
  constexpr size_t kMostATurn = 128;  // 64 an event, of which a turn of io_uring may see two
  UniqueFd listening = tcp_listener();
  const SocketAddress address = local_address(listening.get());
  std::vector<UniqueFd> crowd;
  for (size_t i = 0; i < kCrowd; ++i) {
    crowd.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(crowd.back().get(), address.get(), address.length), 0);
  }
  auto [near, far] = tcp_pair();
  Peer server(*loop, std::move(near));
  Peer client(*loop, std::move(far));
  size_t echoes = 0;
  server.when_data = [&](std::span<char> bytes) { send(server.stream, {bytes.data(), bytes.size()}); };
  client.when_data = [&](std::span<char>) {
    ++echoes;
    send(client.stream, "x");
  };
  std::vector<UniqueFd> accepted;
  Acceptor acceptor([&](UniqueFd fd) { accepted.push_back(std::move(fd)); });
  size_t before = 0;
  each_turn = [&] {
    EXPECT_LE(accepted.size(), before + kMostATurn);
    before = accepted.size();
  };
  const ListenerId id = loop->listen(std::move(listening), acceptor, false);
  send(client.stream, "x");
  ASSERT_TRUE(run_until([&] { return accepted.size() == kCrowd; }));
  EXPECT_GE(echoes, 3u);  // every turn or every other, at the least
  each_turn = nullptr;
  loop->unlisten(id);
}

TEST_P(Accepting, UnlistenInsideOnAccept) {
  ListenerId id;
  Acceptor acceptor([&](UniqueFd) { loop->unlisten(id); });
  UniqueFd listening = tcp_listener();
  const SocketAddress address = local_address(listening.get());
  std::vector<std::unique_ptr<Peer>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<Peer>(*loop));
    loop->connect(clients.back()->stream, address, *clients.back());
  }
  id = loop->listen(std::move(listening), acceptor, false);
  ASSERT_TRUE(run_until([&] {
    return std::all_of(clients.begin(), clients.end(),
                       [](const auto& client) { return client->ended || client->error != 0; });
  }));
  EXPECT_EQ(acceptor.accepted, 1u);
}

// Takes one connection in each 20 ms.
class SlowAcceptor : public AcceptHandler {
 public:
  explicit SlowAcceptor(Loop& loop) : loop_(loop) {}
  void on_accept(UniqueFd fd) override {
    times.push_back(loop_.now());
    taken.push_back(std::move(fd));
  }
  uint64_t accept_delay() override {
    if (times.empty() || loop_.now() >= times.back() + kBetween) return 0;
    return times.back() + kBetween - loop_.now();
  }

  static constexpr uint64_t kBetween = 20'000'000;
  std::vector<uint64_t> times;
  std::vector<UniqueFd> taken;

 private:
  Loop& loop_;
};

TEST_P(Accepting, ADelayLeavesConnectionsInTheBacklog) {
  SlowAcceptor acceptor(*loop);
  UniqueFd listening = tcp_listener();
  const SocketAddress address = local_address(listening.get());
  const ListenerId id = loop->listen(std::move(listening), acceptor, false);
  std::vector<std::unique_ptr<Peer>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<Peer>(*loop));
    loop->connect(clients.back()->stream, address, *clients.back());
  }
  ASSERT_TRUE(run_until([&] { return acceptor.times.size() == 5; }));
  for (size_t i = 1; i < 5; ++i) EXPECT_GE(acceptor.times[i], acceptor.times[i - 1] + SlowAcceptor::kBetween);
  EXPECT_EQ(loop->accept_pauses(), 0u);
  loop->unlisten(id);
}

TEST_P(Accepting, NothingIsAcceptedAfterUnlisten) {
  Acceptor acceptor([](UniqueFd) {});
  UniqueFd listening = tcp_listener();
  const SocketAddress address = local_address(listening.get());
  const ListenerId id = loop->listen(std::move(listening), acceptor, false);
  run_turns(2);
  loop->unlisten(id);
  run_turns(2);
  Peer client(*loop);
  loop->connect(client.stream, address, client);
  ASSERT_TRUE(run_until([&] { return client.error != 0; }));
  EXPECT_EQ(acceptor.accepted, 0u);
}

TEST_P(Accepting, PausesWhenDescriptorsRunOutAndGoesOnByItself) {
  rlimit original{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &original), 0);
  std::vector<std::unique_ptr<Peer>> servers;
  Acceptor acceptor([&](UniqueFd fd) { servers.push_back(std::make_unique<Peer>(*loop, std::move(fd))); });
  UniqueFd listening = tcp_listener();
  const SocketAddress address = local_address(listening.get());
  const ListenerId id = loop->listen(std::move(listening), acceptor, false);
  run_turns(2);

  constexpr size_t kClients = 30;
  std::vector<UniqueFd> clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ASSERT_TRUE(clients.back().valid());
  }
  const auto lowest_free = static_cast<rlim_t>(UniqueFd(::dup(clients[0].get())).get());
  const rlimit low{lowest_free + 5, original.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  for (const UniqueFd& client : clients) (void)::connect(client.get(), address.get(), address.length);

  const bool paused = run_until([&] { return loop->accept_pauses() >= 2; });
  const size_t accepted_then = servers.size();
  const uint64_t turns_then = loop->turns();
  const uint64_t pauses_then = loop->accept_pauses();
  // It retries by timer and does not spin: between two pauses there are only a few turns.
  const bool again = run_until([&] { return loop->accept_pauses() >= pauses_then + 2; });
  const uint64_t turns_between = loop->turns() - turns_then;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &original), 0);
  ASSERT_TRUE(paused && again);
  EXPECT_GE(accepted_then, 1u);
  EXPECT_LT(accepted_then, kClients);
  EXPECT_LE(turns_between, 20u);
  ASSERT_TRUE(run_until([&] { return servers.size() == kClients; }));
  loop->unlisten(id);
}

TEST_P(Accepting, SeveralLoopsShareOneSocket) {
  UniqueFd listening = tcp_listener();
  const SocketAddress address = local_address(listening.get());
  const UniqueFd second_fd(::dup(listening.get()));
  std::atomic<size_t> total = 0;

  auto made = make_loop(GetParam());
  ASSERT_TRUE(made.has_value());
  const std::unique_ptr<Loop> other = std::move(*made);
  struct NoTurn : TurnHandler {
    void end_of_turn() override {}
  } no_turn;
  Acceptor here([&](UniqueFd) { ++total; });
  Acceptor there([&](UniqueFd) {
    ++total;
    loop->post([] {});
  });
  const ListenerId here_id = loop->listen(std::move(listening), here, true);
  other->listen(UniqueFd(::dup(second_fd.get())), there, true);
  // Made and given its listener here, run by a thread of its own.
  std::thread thread([&] { other->run(no_turn); });

  constexpr size_t kConnections = 200;
  std::vector<std::unique_ptr<Peer>> clients;
  for (size_t i = 0; i < kConnections; ++i) {
    clients.push_back(std::make_unique<Peer>(*loop));
    loop->connect(clients.back()->stream, address, *clients.back());
  }
  const bool all = run_until([&] { return total == kConnections; });
  other->stop();
  thread.join();
  EXPECT_TRUE(all);
  EXPECT_EQ(here.accepted + there.accepted, kConnections);
  loop->unlisten(here_id);
}

}  // namespace
}  // namespace overlord::net
