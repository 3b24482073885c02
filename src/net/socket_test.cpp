#include "net/socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "net/loop_fixture.h"

namespace overlord::net {
namespace {

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  EXPECT_EQ(getsockopt(fd, level, name, &value, &length), 0);
  return value;
}

class UnixPath : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "overlord-net-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    path = (folder / "socket").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::filesystem::path folder;
  std::string path;
};

TEST(Socket, UniqueFdClosesOnce) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  UniqueFd moved(std::move(write_end));
  EXPECT_FALSE(write_end.valid());
  EXPECT_TRUE(moved.valid());
  moved = UniqueFd();
  EXPECT_EQ(fcntl(fds[1], F_GETFD), -1);
  const int released = read_end.release();
  EXPECT_NE(fcntl(released, F_GETFD), -1);
  ::close(released);
}

TEST(Socket, ListensNonBlockingAndCloseOnExec) {
  const UniqueFd fd = tcp_listener();
  EXPECT_NE(fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(option(fd.get(), SOL_SOCKET, SO_REUSEADDR), 1);
  EXPECT_EQ(option(fd.get(), SOL_SOCKET, SO_ACCEPTCONN), 1);
}

TEST(Socket, ReusePortLetsSeveralBindAndOthersNot) {
  const auto first = listen_socket(*numeric_address("127.0.0.1", 0), true, 16);
  ASSERT_TRUE(first.has_value());
  const SocketAddress address = local_address(first->get());
  EXPECT_TRUE(listen_socket(address, true, 16).has_value());
  const auto taken = listen_socket(address, false, 16);
  ASSERT_FALSE(taken.has_value());
  EXPECT_THAT(taken.error().message, testing::HasSubstr(to_string(address)));
  EXPECT_THAT(taken.error().message, testing::HasSubstr("another process"));
}

TEST(Socket, BothFamiliesShareAPort) {
  const auto v6 = listen_socket(*numeric_address("::", 0), false, 16);
  if (!v6.has_value()) GTEST_SKIP() << v6.error().message;
  const SocketAddress address = local_address(v6->get());
  const auto* in6 = reinterpret_cast<const sockaddr_in6*>(address.get());
  EXPECT_TRUE(listen_socket(*numeric_address("0.0.0.0", ntohs(in6->sin6_port)), false, 16).has_value());
}

TEST(Socket, AnAddressThatIsNotOursIsAnError) {
  const auto fd = listen_socket(*numeric_address("203.0.113.9", 1234), false, 16);
  ASSERT_FALSE(fd.has_value());
  EXPECT_THAT(fd.error().message, testing::HasSubstr("203.0.113.9:1234"));
}

TEST_F(UnixPath, ReplacesAStaleSocketOnly) {
  const SocketAddress address = *unix_address(path);
  {
    const auto first = listen_socket(address, false, 16);
    ASSERT_TRUE(first.has_value()) << first.error().message;
    const auto second = listen_socket(address, false, 16);
    ASSERT_FALSE(second.has_value());
    EXPECT_THAT(second.error().message, testing::HasSubstr(path));
  }
  ASSERT_TRUE(std::filesystem::exists(path));  // left behind
  EXPECT_TRUE(listen_socket(address, false, 16).has_value());
}

TEST_F(UnixPath, NeverReplacesAFileThatIsNoSocket) {
  std::ofstream(path) << "precious";
  EXPECT_FALSE(listen_socket(*unix_address(path), false, 16).has_value());
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
}

TEST(Socket, TunesTcpAndLeavesUnixAlone) {
  const auto pair = tcp_pair();
  tune_stream_socket(pair[0].get());
  EXPECT_EQ(option(pair[0].get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(pair[0].get(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_LE(option(pair[0].get(), IPPROTO_TCP, TCP_KEEPIDLE), 60);
  const auto local = socket_pair();
  tune_stream_socket(local[0].get());
  EXPECT_EQ(option(local[0].get(), SOL_SOCKET, SO_KEEPALIVE), 0);
}

TEST(Socket, RecognisesAConnectionToItself) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  SocketAddress address = *numeric_address("127.0.0.1", 0);
  ASSERT_EQ(::bind(fd.get(), address.get(), address.length), 0);
  address = local_address(fd.get());
  ASSERT_EQ(::connect(fd.get(), address.get(), address.length), 0);
  EXPECT_TRUE(connected_to_itself(fd.get()));
  const auto pair = tcp_pair();
  EXPECT_FALSE(connected_to_itself(pair[0].get()));
  const auto local = socket_pair();
  EXPECT_FALSE(connected_to_itself(local[0].get()));
}

TEST(Socket, ResetsOnClose) {
  auto pair = tcp_pair();
  char byte = 0;
  reset_on_close(pair[0].get());
  pair[0].reset();
  EXPECT_EQ(::recv(pair[1].get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(Socket, RaisesTheDescriptorLimit) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{before.rlim_max / 2, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(raise_fd_limit(), before.rlim_max);
  rlimit after{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
}

}  // namespace
}  // namespace overlord::net
