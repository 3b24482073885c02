// Answers that are read as they come, and requests that are sent once at most.
#include "http/client_stream.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <thread>

#include "http/server.h"
#include "net/socket.h"

namespace overlord::http {
namespace {

using namespace std::chrono_literals;

// A line each time it is asked.
class Lines final : public Stream {
 public:
  explicit Lines(int last) : last_(last) {}
  bool read(std::string& out) override {
    out += std::to_string(++number_) + "\n";
    return number_ != last_;
  }

 private:
  const int last_;
  int number_ = 0;
};

TEST(HttpClientStream, GivesWhatComesUntilTheEnd) {
  Server server;
  server.route("POST", "/lines", "three", [](const Request& request) {
    Response response;
    response.body = request.body + ":";
    if (request.body == "stream") response = {.body = {}, .stream = std::make_shared<Lines>(3)};
    return response;
  });
  ASSERT_TRUE(server.start(*net::numeric_address("127.0.0.1", 0)));
  ClientStream stream{ClientOptions{}};
  EXPECT_FALSE(stream.read(0ms));  // nothing is asked
  for (const auto& [body, expected] : {std::pair{"stream", "1\n2\n3\n"}, std::pair{"x", "x:"}}) {
    stream.start(net::to_string(server.address()), "POST", "/lines", body);
    std::string got;
    for (bool ended = false; !ended;) {
      const auto piece = stream.read(20s);
      ASSERT_TRUE(piece) << piece.error().message;
      got += piece->bytes;
      ended = piece->ended;
      EXPECT_TRUE(!ended || piece->status == 200);
    }
    EXPECT_EQ(got, expected);
    EXPECT_FALSE(stream.read(0ms));  // it is over
  }
}

TEST(HttpClientStream, HeadersOfTheAnswerCanBeAskedFor) {
  Server server;
  server.route("POST", "/away", "elsewhere", [](const Request&) {
    Response response;
    response.status = 307;
    response.headers = {{"Location", "//127.0.0.1:1/there"}, {"X-Empty", ""}};
    return response;
  });
  ASSERT_TRUE(server.start(*net::numeric_address("127.0.0.1", 0)));
  ClientStream stream{ClientOptions{}};
  EXPECT_EQ(stream.header("location"), "");
  stream.start(net::to_string(server.address()), "POST", "/away", "");
  for (bool ended = false; !ended;) {
    const auto piece = stream.read(20s);
    ASSERT_TRUE(piece) << piece.error().message;
    ended = piece->ended;
  }
  EXPECT_EQ(stream.header("location"), "//127.0.0.1:1/there");
  EXPECT_EQ(stream.header("x-empty"), "");
  EXPECT_EQ(stream.header("x-none"), "");
  stream.start(net::to_string(server.address()), "POST", "/away", "");
  EXPECT_EQ(stream.header("location"), "");  // of the earlier one
}

// Accepts connections and reads them; answers only when told.
class RawServer {
 public:
  RawServer() : listener_(std::move(*net::listen_socket(*net::numeric_address("127.0.0.1", 0), false, 8))) {}
  std::string address() const {
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    return "127.0.0.1:" + std::to_string(ntohs(bound.sin_port));
  }
  void accept() {
    wait_for(listener_.get());
    connection_.reset(::accept(listener_.get(), nullptr, nullptr));
  }
  std::string receive() {
    char bytes[4096];
    wait_for(connection_.get());
    const ssize_t size = ::recv(connection_.get(), bytes, sizeof bytes, 0);
    return size > 0 ? std::string(bytes, size_t(size)) : std::string();
  }
  // Of the next connection that has one: curl may connect anew before it is told not to send again.
  std::string accept_request() {
    for (int tries = 0; tries < 5; ++tries) {
      accept();
      if (std::string request = receive(); !request.empty()) return request;
    }
    return {};
  }
  void send(std::string_view text) { ::send(connection_.get(), text.data(), text.size(), MSG_NOSIGNAL); }
  void close() { connection_.reset(); }
  // Whether somebody wants to connect.
  bool asked() {
    pollfd waiting{listener_.get(), POLLIN, 0};
    return ::poll(&waiting, 1, 0) > 0;
  }

 private:
  static void wait_for(int fd) {
    pollfd waiting{fd, POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 20'000), 1);
  }
  net::UniqueFd listener_;
  net::UniqueFd connection_;
};

TEST(HttpClientStream, IsWokenByAnotherThread) {
  RawServer server;
  ClientStream stream{ClientOptions{}};
  stream.start(server.address(), "GET", "/");
  std::thread other([&] {
    server.accept();
    EXPECT_TRUE(server.receive().starts_with("GET / HTTP/1.1"));
    stream.wake();
  });
  const auto piece = stream.read(1h);
  ASSERT_TRUE(piece) << piece.error().message;
  EXPECT_TRUE(piece->bytes.empty() && !piece->ended);
  other.join();
  server.close();
  const auto broken = stream.read(20s);
  ASSERT_FALSE(broken);
  EXPECT_TRUE(broken.error().message.starts_with("GET 127.0.0.1:")) << broken.error().message;
}

TEST(HttpClientFate, AChangeIsSentOnceAndAReadAgain) {
  RawServer server;
  Client client(server.address());
  EXPECT_EQ(client.fate(), Fate::answered);
  std::string second;
  std::string third;
  std::thread other([&] {
    const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    server.accept();
    server.receive();
    server.send(answer);
    second = server.receive();
    server.close();  // without an answer, on a connection that was kept
    third = server.accept_request();
    server.send(answer);
    server.receive();
    server.close();
    server.accept_request();
    server.send(answer);
  });
  EXPECT_TRUE(client.ask("POST", "/1"));
  EXPECT_FALSE(client.ask("POST", "/2"));
  EXPECT_EQ(client.fate(), Fate::lost);
  EXPECT_TRUE(client.ask("POST", "/3"));
  EXPECT_EQ(client.fate(), Fate::answered);
  EXPECT_TRUE(client.ask("GET", "/4"));  // lost too, and sent again
  other.join();
  EXPECT_TRUE(second.starts_with("POST /2 ")) << second;
  EXPECT_TRUE(third.starts_with("POST /3 ")) << third;
  EXPECT_FALSE(server.asked());
}

TEST(HttpClientFate, SaysWhatDidNotLeave) {
  Client nobody("127.0.0.1:1");
  EXPECT_FALSE(nobody.ask("POST", "/"));
  EXPECT_EQ(nobody.fate(), Fate::not_sent);
  RawServer server;
  Client client(server.address(), {.max_body = 1, .headers = {"X-Always: 1"}});
  std::string got;
  std::thread other([&] {
    server.accept();
    got = server.receive();
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  EXPECT_FALSE(client.ask("POST", "/", "b", std::vector<std::string>{"X-Now: 2"}));
  other.join();
  EXPECT_EQ(client.fate(), Fate::too_long);
  EXPECT_NE(got.find("X-Always: 1\r\nX-Now: 2\r\n"), std::string::npos) << got;
}

}  // namespace
}  // namespace overlord::http
