// Connecting, echoing, closing: what every owner of a Stream relies on.

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <thread>

#include "net/loop_fixture.h"

namespace overlord::net {
namespace {

using LoopBasics = LoopTest;
INSTANTIATE_TEST_SUITE_P(Drivers, LoopBasics, testing::Values(Driver::epoll, Driver::io_uring), driver_name);

TEST_P(LoopBasics, EchoesOverTcp) {
  std::unique_ptr<Peer> server;
  Acceptor acceptor([&](UniqueFd fd) {
    server = std::make_unique<Peer>(*loop, std::move(fd));
    server->when_data = [&](std::span<char> bytes) { send(server->stream, {bytes.data(), bytes.size()}); };
  });
  UniqueFd listening = tcp_listener();
  const SocketAddress address = local_address(listening.get());
  const ListenerId id = loop->listen(std::move(listening), acceptor, false);

  Peer client(*loop);
  loop->connect(client.stream, address, client);
  EXPECT_FALSE(client.connected);
  send(client.stream, "hello");  // queued: sent once connected
  ASSERT_TRUE(run_until([&] { return client.received == "hello"; }));
  EXPECT_TRUE(client.connected);

  int nodelay = 0;
  socklen_t length = sizeof nodelay;
  EXPECT_EQ(getsockopt(loop->fd(server->stream), IPPROTO_TCP, TCP_NODELAY, &nodelay, &length), 0);
  EXPECT_EQ(nodelay, 1);
  EXPECT_EQ(getsockopt(loop->fd(client.stream), IPPROTO_TCP, TCP_NODELAY, &nodelay, &length), 0);
  EXPECT_EQ(nodelay, 1);

  loop->close(client.stream);
  EXPECT_EQ(loop->fd(client.stream), -1);
  ASSERT_TRUE(run_until([&] { return server->ended; }));
  loop->unlisten(id);
  server.reset();
}

}  // namespace
}  // namespace overlord::net
