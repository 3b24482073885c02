// The client against our own server.
#include "http/client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>

#include "http/server.h"

namespace overlord::http {
namespace {

class HttpClient : public testing::Test {
 protected:
  void start(const net::SocketAddress& address) {
    server.route("GET", "/hello", "greets", [](const Request& request) {
      return Response{.body = "hello " + std::string(request.parameter("name"))};
    });
    server.route("POST", "/echo", "says it again",
                 [](const Request& request) { return Response{.status = 409, .body = request.body}; });
    server.route("GET", "/big", "much", [](const Request&) { return Response{.body = std::string(100'000, 'x')}; });
    server.route("GET", "/count", "numbers, one a line", [this](const Request& request) {
      const auto last = request.parameter("last");
      return Response{.body = {},
                      .stream = std::make_shared<Numbers>(last.empty() ? 0 : std::stoi(std::string(last)), gone)};
    });
    const auto started = server.start(address);
    ASSERT_TRUE(started.has_value()) << started.error().message;
  }
  // Up to the last, or for ever.
  class Numbers final : public Stream {
   public:
    Numbers(int last, std::atomic<int>& gone) : last_(last), gone_(gone) {}
    ~Numbers() override { ++gone_; }
    Numbers(const Numbers&) = delete;
    Numbers& operator=(const Numbers&) = delete;
    bool read(std::string& out) override {
      out += std::to_string(++number_) + "\n";
      return number_ != last_;
    }

   private:
    const int last_;
    std::atomic<int>& gone_;
    int number_ = 0;
  };

  std::atomic<int> gone{0};
  Server server;
};

TEST_F(HttpClient, AsksAgainAndAgain) {
  start(*net::numeric_address("127.0.0.1", 0));
  Client client(net::to_string(server.address()));
  for (const std::string name : {"a b&c=d", "\xc3\xa9%", ""}) {
    const auto answer = client.ask("GET", "/hello?name=" + encoded(name));
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "hello " + name);
  }
  const auto conflict = client.ask("POST", "/echo", std::string("a\0b", 3));
  ASSERT_TRUE(conflict.has_value());
  EXPECT_EQ(conflict->status, 409);
  EXPECT_EQ(conflict->body, std::string("a\0b", 3));
  EXPECT_EQ(client.ask("GET", "/hello")->status, 200);
}

TEST_F(HttpClient, SaysWhomItCouldNotReach) {
  Client client("127.0.0.1:1");
  const auto answer = client.ask("GET", "/x");
  ASSERT_FALSE(answer.has_value());
  EXPECT_TRUE(answer.error().message.starts_with("GET 127.0.0.1:1/x: ")) << answer.error().message;
}

TEST_F(HttpClient, TakesNoMoreThanItMay) {
  start(*net::numeric_address("127.0.0.1", 0));
  Client client("http://" + net::to_string(server.address()) + "/", {.max_body = 99'999});
  EXPECT_FALSE(client.ask("GET", "/big").has_value());
}

TEST_F(HttpClient, FollowsWhatComesPieceByPiece) {
  start(*net::numeric_address("127.0.0.1", 0));
  Client client(net::to_string(server.address()));
  std::string got;
  const auto whole = client.follow("/count?last=3", [&](std::string_view piece) {
    got += piece;
    return true;
  });
  ASSERT_TRUE(whole.has_value()) << whole.error().message;
  EXPECT_EQ(whole->status, 200);
  EXPECT_EQ(got, "1\n2\n3\n");
  got.clear();
  const auto enough = client.follow("/count", [&](std::string_view piece) {
    got += piece;
    return got.size() < 6;
  });
  EXPECT_TRUE(enough.has_value());
  EXPECT_TRUE(got.starts_with("1\n2\n3\n")) << got;
  const auto other = client.follow("/nothing", [](std::string_view) { return false; });
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(other->status, 404);
  EXPECT_NE(other->body.find("nothing at this path"), std::string::npos);
  server.stop();
  EXPECT_EQ(gone, 2);  // also the one whose client left
}

TEST_F(HttpClient, ReachesAUnixSocket) {
  const std::string path = testing::TempDir() + "overlord-client-" + std::to_string(::getpid()) + ".sock";
  start(*net::unix_address(path));
  EXPECT_EQ(Client(path).ask("GET", "/hello")->body, "hello ");
  EXPECT_EQ(Client("unix:" + path).ask("GET", "/hello")->body, "hello ");
}

}  // namespace
}  // namespace overlord::http
