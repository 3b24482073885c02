// Backend connections over both loop drivers and real sockets: what the scripted loop of the other tests takes for
// granted. The servers live in the same loop.

#include <netinet/in.h>

#include <algorithm>
#include <map>

#include "base/log.h"
#include "net/loop_fixture.h"
#include "proxy/connection_fixture.h"
#include "proxy/pool_route.h"

namespace overlord::proxy {
namespace {

using routing::Failure;
using routing::Wire;

const std::string kPing = "*1\r\n$4\r\nPING\r\n";

class BackendLiveTest : public net::LoopTest {
 public:
  bool hurry() const override { return turn && turn->hurry(); }

 protected:
  void SetUp() override {
    LoopTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    EXPECT_TRUE(log_init({.level = LogLevel::off, .file = {}}));
    turn = std::make_unique<Turn>(*loop);
    each_turn = [this] { turn->end(); };
    net::UniqueFd fd = net::tcp_listener();
    port_ = ntohs(reinterpret_cast<const sockaddr_in*>(net::local_address(fd.get()).get())->sin_port);
    listener_ = loop->listen(std::move(fd), acceptor_, false);

    config_.name = "live";
    config_.node_connections = 1;
    config::ServerConfig server;
    server.address.host = "127.0.0.1";
    server.address.port = port_;
    server.ring_name = "one";
    config_.servers.push_back(server);
  }
  void TearDown() override {
    if (turn) {
      pool_.reset();
      for (Asker& asker : askers_) turn->requests.release_owner(*asker.request);
      peers_.clear();
      loop->unlisten(listener_);
      run_turns(3);
      EXPECT_EQ(turn->requests.in_use(), 0u);
      each_turn = nullptr;
      turn.reset();
      EXPECT_TRUE(log_init({}));
    }
    LoopTest::TearDown();
  }

  void start(config::CacheType type) {
    config_.cache_type = type;
    pool_ =
        std::make_unique<PoolRoute>(*turn, std::make_shared<const config::ClusterConfig>(config_), resolver_, next_id_);
    pool_->start();
  }
  // A server's connection: answers requests by `answers`, one entry per complete text received.
  void on_accept(net::UniqueFd fd) {
    peers_.push_back(std::make_unique<net::Peer>(*loop, std::move(fd)));
    net::Peer& peer = *peers_.back();
    peer.when_data = [this, &peer](std::span<char>) {
      for (bool again = true; again;) {
        again = false;
        for (const auto& [request, answer] : answers_) {
          if (!peer.received.starts_with(request)) continue;
          peer.received.erase(0, request.size());
          requests_.push_back(request);
          if (byte_by_byte_) {
            drip_ += answer;
          } else {
            send(peer.stream, answer);
          }
          again = true;
          break;
        }
      }
    };
  }
  // In every turn one more byte of what is to be answered.
  bool drip() {
    if (drip_.empty() || peers_.empty()) return false;
    send(peers_.back()->stream, drip_.substr(0, 1));
    drip_.erase(0, 1);
    loop->post([] {});
    return true;
  }
  Asker& ask(Wire wire, std::string_view bytes_or_key) {
    Asker& asker = askers_.emplace_back();
    asker.request = &turn->requests.take(wire, routing::Answer::reply, &asker);
    const std::string text(bytes_or_key);
    if (wire == Wire::memcache_value) {
      asker.request->key = text;
      asker.request->retrieval = "get";
    } else {
      asker.request->bytes = text;
    }
    pool_->send(*asker.request);
    return asker;
  }

  // Asks again until the backend is up; only once its server has seen `greeting`, so that this takes a few turns.
  Asker* ask_until_served(const std::string& greeting, Failure meanwhile, std::string_view bytes) {
    requests_.clear();
    Asker* asker = nullptr;
    run_until([&] {
      if (std::find(requests_.begin(), requests_.end(), greeting) == requests_.end()) return false;
      if (asker == nullptr || asker->failed(meanwhile)) {
        asker = &ask(Wire::redis, bytes);
        loop->post([] {});
      }
      return asker->done && asker->failure != meanwhile;
    });
    return asker;
  }

  std::unique_ptr<Turn> turn;
  Resolver resolver_;
  int32_t next_id_ = 0;
  config::ClusterConfig config_ = [] {
    config::ClusterConfig made;
    made.shown_version = "7.0.0";  // backends are not asked
    return made;
  }();
  std::unique_ptr<PoolRoute> pool_;
  std::deque<Asker> askers_;
  net::Acceptor acceptor_{[this](net::UniqueFd fd) { on_accept(std::move(fd)); }};
  net::ListenerId listener_;
  uint16_t port_ = 0;
  std::vector<std::unique_ptr<net::Peer>> peers_;
  std::map<std::string, std::string> answers_;
  std::vector<std::string> requests_;
  bool byte_by_byte_ = false;
  std::string drip_;
};

TEST_P(BackendLiveTest, CoalescedGetsOverASocket) {
  answers_ = {{"version\r\n", "VERSION 1\r\n"},
              {"get a b c\r\n", "VALUE a 0 1\r\n1\r\nVALUE c 0 3\r\n\r\n3\r\nEND\r\n"},
              {"delete a\r\n", "DELETED\r\n"}};
  for (const bool byte_by_byte : {false, true}) {
    byte_by_byte_ = byte_by_byte;
    start(config::CacheType::memcache);
    Asker& a = ask(Wire::memcache_value, "a");
    Asker& b = ask(Wire::memcache_value, "b");
    Asker& c = ask(Wire::memcache_value, "c");
    Asker& d = ask(Wire::memcache_line, "delete a\r\n");
    ASSERT_TRUE(run_until([&] {
      drip();
      return d.done;
    }));
    EXPECT_TRUE(a.is("VALUE a 0 1\r\n1\r\n"));
    EXPECT_TRUE(b.is(""));
    EXPECT_TRUE(c.is("VALUE c 0 3\r\n\r\n3\r\n"));
    EXPECT_TRUE(d.is("DELETED\r\n"));
    EXPECT_EQ(requests_, (std::vector<std::string>{"version\r\n", "get a b c\r\n", "delete a\r\n"}));
    requests_.clear();
  }
}

TEST_P(BackendLiveTest, RefusedAuthIsWhatRequestsAreTold) {
  config_.redis_auth = "secret";
  answers_ = {{"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n", "-WRONGPASS no\r\n"},
              {kPing, "-NOAUTH Authentication required.\r\n"}};
  start(config::CacheType::redis);
  Asker& waiting = ask(Wire::redis, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
  ASSERT_TRUE(run_until([&] { return waiting.done; }));
  EXPECT_TRUE(waiting.failed(Failure::refused_auth));
  EXPECT_TRUE(ask(Wire::redis, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n").failed(Failure::refused_auth));

  // It goes on trying, and serves once the server takes the password.
  answers_ = {{"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n", "+OK\r\n"},
              {kPing, "+PONG\r\n"},
              {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "$1\r\nv\r\n"}};
  Asker* served = ask_until_served(kPing, Failure::refused_auth, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
  ASSERT_NE(served, nullptr);
  EXPECT_TRUE(served->is("$1\r\nv\r\n"));
}

TEST_P(BackendLiveTest, ALostConnectionIsMadeAgain) {
  answers_ = {{kPing, "+PONG\r\n"}, {"GET a\r\n", "$1\r\n"}, {"GET b\r\n", "$1\r\nb\r\n"}};
  start(config::CacheType::redis);
  Asker& cut = ask(Wire::redis, "GET a\r\n");
  ASSERT_TRUE(run_until([&] { return requests_.size() == 2; }));
  loop->close(peers_.back()->stream);
  ASSERT_TRUE(run_until([&] { return cut.done; }));
  EXPECT_TRUE(cut.failed(Failure::connection_lost));
  // Fails at once while it waits for the next attempt; then it is served.
  Asker* served = ask_until_served(kPing, Failure::backend_down, "GET b\r\n");
  ASSERT_NE(served, nullptr);
  EXPECT_TRUE(served->is("$1\r\nb\r\n"));
  EXPECT_EQ(acceptor_.accepted, 2u);
}

TEST_P(BackendLiveTest, NobodyListens) {
  loop->unlisten(std::exchange(listener_, {}));
  start(config::CacheType::redis);
  Asker& waiting = ask(Wire::redis, "PING\r\n");
  ASSERT_TRUE(run_until([&] { return waiting.done; }));
  EXPECT_TRUE(waiting.failed(Failure::backend_down));
}

INSTANTIATE_TEST_SUITE_P(Drivers, BackendLiveTest, testing::Values(net::Driver::epoll, net::Driver::io_uring),
                         net::driver_name);

}  // namespace
}  // namespace overlord::proxy
