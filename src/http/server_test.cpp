// The server with real sockets: what a client that knows HTTP gets, and what one that does not.
#include "http/server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>

#include "net/socket.h"

namespace overlord::http {
namespace {

class Client {
 public:
  explicit Client(const net::SocketAddress& address, int receive_buffer = 0)
      : fd_(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    connected_ = ::connect(fd_.get(), address.get(), address.length) == 0;
  }
  bool connected() const { return connected_; }
  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size()));
  }
  // One response with its body; what came when the server closes before that.
  std::string response() {
    for (;;) {
      const size_t head = got_.find("\r\n\r\n");
      if (head != std::string::npos) {
        const size_t at = got_.find("Content-Length: ");
        const size_t size = head + 4 + (at < head ? std::stoul(got_.substr(at + 16)) : 0);
        if (got_.size() >= size) {
          std::string out = got_.substr(0, size);
          got_.erase(0, size);
          return out;
        }
      }
      if (!more()) return std::exchange(got_, {});
    }
  }
  // Waits for the end.
  std::string rest() {
    while (more()) {
    }
    return std::exchange(got_, {});
  }
  std::string get(const std::string& path) {
    send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
    return response();
  }

 private:
  bool more() {
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 20'000) <= 0) {
      ADD_FAILURE() << "the server says nothing";
      return false;
    }
    char bytes[65536];
    const ssize_t size = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (size <= 0) return false;
    got_.append(bytes, static_cast<size_t>(size));
    return true;
  }

  net::UniqueFd fd_;
  bool connected_ = false;
  std::string got_;
};

class HttpServer : public testing::Test {
 protected:
  void start(ServerOptions options = {}, const char* host = "127.0.0.1") {
    server = std::make_unique<Server>(options);
    server->route("GET", "/hello", "greets", [](const Request& request) {
      return Response{.body = "hello " + std::string(request.parameter("name")) + "\n"};
    });
    server->route("POST", "/echo", "says it again",
                  [](const Request& request) { return Response{.body = request.body}; });
    server->route("GET", "/big", "much", [](const Request&) { return Response{.body = std::string(kBig, 'x')}; });
    server->route("GET", "/throws", "fails", [](const Request&) -> Response { throw std::runtime_error("no"); });
    const auto address = net::numeric_address(host, 0);
    ASSERT_TRUE(address.has_value());
    const auto started = server->start(*address);
    ASSERT_TRUE(started.has_value()) << started.error().message;
  }

  static constexpr size_t kBig = 8 * 1024 * 1024;
  std::unique_ptr<Server> server;
};

TEST_F(HttpServer, AnswersOneRequestAfterTheOther) {
  start();
  Client client(server->address());
  for (int i = 0; i < 3; ++i) {
    const std::string answer = client.get("/hello?name=you");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\nhello you\n")) << answer;
  }
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
  EXPECT_TRUE(client.rest().ends_with("\r\n\r\nabc"));
}

TEST_F(HttpServer, AnswersWhatIsSentAhead) {
  start();
  Client client(server->address());
  std::string all;
  for (int i = 0; i < 100; ++i) all += "GET /hello?name=" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  client.send(all);
  for (int i = 0; i < 100; ++i) {
    const std::string answer = client.response();
    ASSERT_TRUE(answer.ends_with("hello " + std::to_string(i) + "\n")) << answer;
  }
}

TEST_F(HttpServer, TakesRequestsInPieces) {
  start();
  Client client(server->address());
  for (const char c : std::string("GET /hello?name=x HTTP/1.1\r\nHost: h\r\n\r\n")) client.send({&c, 1});
  EXPECT_TRUE(client.response().ends_with("hello x\n"));
}

TEST_F(HttpServer, ListsItsRoutesWhereThereIsNone) {
  start();
  Client client(server->address());
  const std::string missing = client.get("/nothing");
  EXPECT_TRUE(missing.starts_with("HTTP/1.1 404 ")) << missing;
  EXPECT_NE(missing.find("GET /hello  greets\n"), std::string::npos) << missing;
  const std::string wrong = client.get("/echo");
  EXPECT_TRUE(wrong.starts_with("HTTP/1.1 405 ")) << wrong;
  EXPECT_NE(wrong.find("\r\nAllow: POST\r\n"), std::string::npos) << wrong;
}

TEST_F(HttpServer, AHandlerThatThrowsIsAnError) {
  start();
  Client client(server->address());
  EXPECT_TRUE(client.get("/throws").starts_with("HTTP/1.1 500 "));
  EXPECT_TRUE(client.get("/hello").starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServer, WebPagesMayOnlyRead) {
  start();
  Client client(server->address());
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nOrigin: http://evil\r\nContent-Length: 1\r\n\r\na");
  EXPECT_TRUE(client.response().starts_with("HTTP/1.1 403 "));
}

TEST_F(HttpServer, HeadHasNoBody) {
  start();
  Client client(server->address());
  client.send("HEAD /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string answer = client.rest();
  EXPECT_NE(answer.find("\r\nContent-Length: 7\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(HttpServer, RefusesAndCloses) {
  start();
  Client client(server->address());
  client.send("this is not HTTP\r\n\r\nGET /hello HTTP/1.0\r\n\r\n");
  const std::string answer = client.rest();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_EQ(answer.find("hello"), std::string::npos) << answer;
}

TEST_F(HttpServer, ALargeAnswerArrivesWhole) {
  start();
  Client client(server->address());
  client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string answer = client.response();
  EXPECT_GT(answer.size(), kBig);
  EXPECT_TRUE(answer.ends_with("xxx"));
  EXPECT_TRUE(client.response().ends_with("hello \n"));
}

TEST_F(HttpServer, ClosesWhoNeverEndsARequest) {
  start({.timeout = std::chrono::seconds(1)});
  Client client(server->address());
  client.send("GET / HTTP/1.1\r\n");
  EXPECT_EQ(client.rest(), "");
  Client silent(server->address());
  EXPECT_EQ(silent.rest(), "");
}

TEST_F(HttpServer, ClosesWhoTakesNoAnswer) {
  start({.timeout = std::chrono::seconds(1)});
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = descriptors();
  Client slow(server->address(), 4096);
  slow.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
  // Its own descriptor and the server's, until the server has closed.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool taken = false;
  while (std::chrono::steady_clock::now() < deadline && (!taken || descriptors() > before + 1)) {
    taken = taken || descriptors() == before + 2;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(taken);
  EXPECT_EQ(descriptors(), before + 1);
  EXPECT_LT(slow.rest().size(), kBig);
}

TEST_F(HttpServer, ClosesIdleConnections) {
  start({.timeout = std::chrono::seconds(1)});
  Client client(server->address());
  EXPECT_TRUE(client.get("/hello").starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(client.rest(), "");
}

TEST_F(HttpServer, RefusesWhatIsTooLarge) {
  start();
  Client body(server->address());
  body.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_TRUE(body.rest().starts_with("HTTP/1.1 413 "));
  Client head(server->address());
  head.send("GET /hello HTTP/1.1\r\nHost: " + std::string(20'000, 'h') + "\r\n\r\n");
  EXPECT_TRUE(head.rest().starts_with("HTTP/1.1 400 "));
}

TEST_F(HttpServer, AnAddressInUseIsAnError) {
  start();
  Server other;
  const auto again = other.start(server->address());
  ASSERT_FALSE(again.has_value());
  EXPECT_NE(again.error().message.find("in use"), std::string::npos) << again.error().message;
}

TEST_F(HttpServer, ListensOnIpv6) {
  const auto probe = net::numeric_address("::1", 0);
  if (!net::listen_socket(*probe, false, 0)) GTEST_SKIP() << "no IPv6 here";
  start({}, "::1");
  EXPECT_TRUE(Client(server->address()).get("/hello").starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServer, ListensOnAUnixSocketAndRemovesIt) {
  const std::string path = testing::TempDir() + "overlord-http-" + std::to_string(::getpid()) + ".sock";
  Server local;
  local.route("GET", "/hello", "greets", [](const Request&) { return Response{.body = "hi"}; });
  const auto address = net::unix_address(path);
  ASSERT_TRUE(address.has_value());
  ASSERT_TRUE(local.start(*address).has_value());
  EXPECT_TRUE(Client(*address).get("/hello").ends_with("hi"));
  local.stop();
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST_F(HttpServer, StopsWithClientsConnected) {
  start();
  Client idle(server->address());
  Client busy(server->address());
  busy.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(idle.get("/hello").starts_with("HTTP/1.1 200 "));
  server->stop();
  EXPECT_FALSE(Client(server->address()).connected());
  server->stop();
}

}  // namespace
}  // namespace overlord::http
