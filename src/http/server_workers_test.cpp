// The server with threads of its own for handlers: patterns of paths, requests that wait, limits, TLS.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "http/client.h"
#include "http/server.h"
#include "http/server_routes.h"
#include "net/socket.h"

namespace overlord::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class WorkersTest : public testing::Test {
 protected:
  void start(ServerOptions options) {
    server = std::make_unique<Server>(std::move(options));
    server->route("GET", "/items/{name}/parts/{part}", "a part", [](const Request& request) {
      return Response{.body = std::string(request.capture("name")) + "|" + std::string(request.capture("part"))};
    });
    server->route("PATCH", "/items/{name}", "an item",
                  [](const Request& request) { return Response{.body = "patched " + request.body}; });
    server->route("DELETE", "/items/{name}", "an item",
                  [](const Request& request) { return Response{.body = "gone: " + request.body}; });
    server->route("GET", "/items/all", "all", [](const Request&) { return Response{.body = "all"}; });
    server->route("GET", "/gate", "waits", [this](const Request&) {
      std::unique_lock lock(mutex);
      ++inside;
      changed.notify_all();
      changed.wait(lock, [this] { return open; });
      return Response{.body = "through"};
    });
    server->route("GET", "/later", "waits for a word", [this](const Request& request) {
      ++asked;
      Response response{.status = 304, .body = {}};
      const auto until = request.came + milliseconds(std::stoi("0" + std::string(request.parameter("ms"))));
      if (word.load() == 0 && std::chrono::steady_clock::now() < until) {
        response.again_when = [this, until] { return word.load() != 0 || std::chrono::steady_clock::now() >= until; };
      } else if (word.load() != 0) {
        response = {.body = "word"};
      }
      return response;
    });
    const auto started = server->start(*net::numeric_address("127.0.0.1", 0));
    ASSERT_TRUE(started) << started.error().message;
  }
  std::string where() const { return net::to_string(server->address()); }
  Answer get(const std::string& target, const std::string& method = "GET", const std::string& body = {}) {
    Client client(where());
    auto answer = client.ask(method, target, body);
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? *answer : Answer{};
  }
  void wait_inside(int count) {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, seconds(30), [&] { return inside >= count; }));
  }
  void let_through() {
    {
      const std::lock_guard lock(mutex);
      open = true;
    }
    changed.notify_all();
  }

  std::mutex mutex;  // guards inside and open
  std::condition_variable changed;
  int inside = 0;
  bool open = false;
  std::atomic<int> word{0};
  std::atomic<int> asked{0};
  std::unique_ptr<Server> server;
};

TEST_F(WorkersTest, PathsWithNamesInThem) {
  start({.workers = 2, .loose_slash = true});
  EXPECT_EQ(get("/items/a%20b/parts/x%2Fy").body, "a b|x/y");
  EXPECT_EQ(get("/items/a/parts/b/").body, "a|b");
  EXPECT_EQ(get("/items/a", "PATCH", "now").body, "patched now");
  EXPECT_EQ(get("/items/all/").body, "all");
  EXPECT_EQ(get("/items/a/parts").status, 404);
  EXPECT_EQ(get("/items//parts/b").status, 404);
  EXPECT_EQ(get("/items/a/parts/b/c").status, 404);
  EXPECT_EQ(get("/items/a", "GET").status, 405);
}

// One connection, all answers until the server closes it.
std::string talk(const net::SocketAddress& address, std::initializer_list<std::string_view> pieces) {
  const net::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(fd.get(), address.get(), address.length), 0);
  for (const std::string_view piece : pieces) {
    EXPECT_EQ(::send(fd.get(), piece.data(), piece.size(), MSG_NOSIGNAL), static_cast<ssize_t>(piece.size()));
    std::this_thread::sleep_for(milliseconds(5));  // so that they arrive as pieces, most of the time
  }
  std::string got;
  char bytes[4096];
  for (ssize_t size = 0; (size = ::recv(fd.get(), bytes, sizeof bytes, 0)) > 0;) {
    got.append(bytes, static_cast<size_t>(size));
  }
  return got;
}

TEST_F(WorkersTest, BodiesOfDeleteAreReadAndThoseOfGetEndTheConnection) {
  start({.timeout = seconds(1), .workers = 1});
  const std::string_view after = "GET /items/all HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const std::string in_pieces =
      talk(server->address(), {"DELETE /items/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", "he", "llo", after});
  EXPECT_NE(in_pieces.find("gone: hello"), std::string::npos) << in_pieces;
  EXPECT_TRUE(in_pieces.ends_with("all")) << in_pieces;
  // What stands behind a GET must not become a request of its own.
  const std::string hidden = talk(server->address(), {"GET /items/all HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\n"
                                                      "DELETE /items/a HTTP/1.1\r\nHost: h\r\n\r\n"});
  EXPECT_EQ(hidden.find("gone"), std::string::npos) << hidden;
  const std::string chunks =
      talk(server->address(), {"GET /items/all HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "DELETE /items/a HTTP/1.1\r\nHost: h\r\n\r\n"});
  EXPECT_EQ(chunks.find("gone"), std::string::npos) << chunks;
  const std::string never =
      talk(server->address(), {"DELETE /items/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe"});
  EXPECT_EQ(never.find("gone"), std::string::npos) << never;
}

TEST_F(WorkersTest, ASlashCountsUnlessTold) {
  start({.workers = 1});
  EXPECT_EQ(get("/items/all/").status, 404);
}

TEST_F(WorkersTest, OneThatWaitsHoldsNobodyUp) {
  start({.workers = 2});
  std::thread waiting([this] { EXPECT_EQ(get("/gate").body, "through"); });
  wait_inside(1);
  EXPECT_EQ(get("/items/all").body, "all");
  let_through();
  waiting.join();
}

TEST_F(WorkersTest, ManyWaitForAWordWithOneThread) {
  start({.workers = 1});
  std::vector<std::thread> waiting;
  for (int i = 0; i < 20; ++i) {
    waiting.emplace_back([this] { EXPECT_EQ(get("/later?ms=60000").body, "word"); });
  }
  while (asked.load() < 20) std::this_thread::yield();
  EXPECT_EQ(get("/items/all").body, "all");
  word.store(1);
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(asked.load(), 40);
}

TEST_F(WorkersTest, WaitingEnds) {
  start({.workers = 1});
  EXPECT_EQ(get("/later?ms=50").status, 304);
}

TEST_F(WorkersTest, StopsWhileRequestsWaitAndRun) {
  start({.workers = 2});
  std::thread later([this] {
    Client client(where());
    const auto answer = client.ask("GET", "/later?ms=60000");
    EXPECT_TRUE(!answer || answer->status == 503);
  });
  std::thread inside_one([this] {
    Client client(where());
    (void)client.ask("GET", "/gate");
  });
  wait_inside(1);
  while (asked.load() < 1) std::this_thread::yield();
  std::thread opener([this] { let_through(); });
  server->stop();
  opener.join();
  later.join();
  inside_one.join();
}

size_t descriptors() {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

TEST_F(WorkersTest, AClientThatLeavesIsForgotten) {
  start({.workers = 1});
  const size_t before = descriptors();
  for (int i = 0; i < 5; ++i) {
    const net::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(fd.get(), server->address().get(), server->address().length), 0);
    const std::string_view text = "GET /later?ms=200 HTTP/1.1\r\nHost: h\r\n\r\n";
    ASSERT_EQ(::send(fd.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    while (asked.load() < i + 1) std::this_thread::yield();
  }
  // The server answers them into nothing, and closes them.
  while (descriptors() > before) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(get("/items/all").body, "all");
}

TEST_F(WorkersTest, MoreConnectionsThanAllowedWait) {
  start({.workers = 1, .max_connections = 20});
  const size_t before = descriptors();
  constexpr size_t kMany = 200;
  {
    std::vector<net::UniqueFd> clients;
    for (size_t i = 0; i < kMany / 2; ++i) {
      clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      (void)::connect(clients.back().get(), server->address().get(), server->address().length);
    }
    // The server takes some; nothing tells when it will take no more, so this is looked at for a while.
    size_t most = 0;
    for (int i = 0; i < 100; ++i) {
      most = std::max(most, descriptors() - before - clients.size());
      std::this_thread::sleep_for(milliseconds(2));
    }
    EXPECT_GE(most, 10U);
    EXPECT_LE(most, 45U);
  }
  EXPECT_EQ(get("/items/all").body, "all") << "when they have gone there is room again";
}

TEST_F(WorkersTest, OnlyItsOwnPagesChangeThings) {
  EXPECT_TRUE(is_own_page("https://h:8", "h:8"));
  EXPECT_FALSE(is_own_page("https://h:8", "h"));
  EXPECT_FALSE(is_own_page("null", ""));
  start({.workers = 1, .own_pages = true});
  Client client(where());
  const auto patch = [&](const std::string& origin) {
    const std::vector<std::string> headers{"Origin: " + origin};
    return client.ask("PATCH", "/items/a", "x", headers)->status;
  };
  EXPECT_EQ(patch("http://" + where()), 200);
  EXPECT_EQ(patch("http://elsewhere"), 403);
}

TEST_F(WorkersTest, RefusesInTheWordsItIsGiven) {
  start({.workers = 1, .refusal = [](const Request& request, int status, std::string_view) {
           return Response{.status = status, .body = "no " + request.path};
         }});
  EXPECT_EQ(get("/none").body, "no /none");
  const Answer wrong = get("/items/all", "PATCH");
  EXPECT_EQ(wrong.status, 200) << "it is an item, too";
  EXPECT_EQ(get("/gate", "PATCH").body, "no /gate");
}

TEST_F(WorkersTest, AWrongCertificateIsAnErrorAtStart) {
  Server tls({.cert_file = "/none.crt", .key_file = "/none.key"});
  const auto started = tls.start(*net::numeric_address("127.0.0.1", 0));
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("/none.crt"), std::string::npos) << started.error().message;
}

}  // namespace
}  // namespace overlord::http
