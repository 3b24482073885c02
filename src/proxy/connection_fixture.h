#pragma once
// What the tests of backend connections share: one connection of one backend on a scripted loop, and clients that
// note their answers.

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "config/config.h"
#include "proxy/backend.h"
#include "proxy/scripted_loop.h"

namespace overlord::proxy {

inline constexpr uint64_t kMillisecond = 1'000'000;

// A client with one request.
struct Asker final : routing::RequestOwner {
  void on_finished(routing::Request& finished) noexcept override {
    EXPECT_FALSE(done) << "answered twice";
    done = true;
    failure = finished.failure;
    error_reply = finished.error_reply;
    reply = finished.reply_view();
    const ChunkQueue& chain = finished.reply_chain;
    for (const Chunk* c = chain.front(); c != nullptr; c = c->next) reply.append(c->data() + c->begin, c->size());
    if (order != nullptr) order->push_back(this);
  }
  routing::Progress on_progress(routing::Request&) noexcept override {
    ++progress;
    return pausing ? routing::Progress::pause : routing::Progress::more;
  }
  void on_stalled(routing::Request&) noexcept override { stalled = true; }

  bool is(std::string_view text) const { return done && failure == routing::Failure::none && reply == text; }
  bool failed(routing::Failure with) const { return done && failure == with; }

  routing::Request* request = nullptr;
  bool done = false;
  bool error_reply = false;
  bool pausing = false;
  bool stalled = false;
  int progress = 0;
  routing::Failure failure = routing::Failure::none;
  std::string reply;
  std::vector<Asker*>* order = nullptr;
};

class ConnectionTest : public testing::Test, public HealthListener {
 public:
  void on_health_changed() noexcept override { ++health_changes; }

 protected:
  ConnectionTest() {
    EXPECT_TRUE(log_init({.level = LogLevel::off, .file = {}}));
    config.name = "test";
    config.shown_version = "7.0.0";  // backends are not asked
    config.node_connections = 0;     // the test makes the one it looks at
    config.dial_timeout = config.read_timeout = config.write_timeout = std::chrono::seconds(1);
    server.address.kind = config::Address::Kind::unix_socket;
    server.address.path = server.ring_name = "/backend";
  }

  void make(config::CacheType type) {
    config.cache_type = type;
    backend = std::make_unique<Backend>(turn, config::ClusterSnapshot(config::ClusterSnapshot(), &config), server, 0,
                                        *this, resolver);
    connection = config::is_redis(type) ? make_redis_connection(*backend) : make_memcache_connection(*backend);
  }
  void TearDown() override {
    connection.reset();
    backend.reset();
    leave_all();
    end_turn();
    EXPECT_EQ(turn.requests.in_use(), 0u);
    EXPECT_EQ(loop.chunks().in_use(), 0u);
    EXPECT_EQ(loop.timers().armed_count(), 0u);
    EXPECT_TRUE(log_init({}));
  }

  // Opens, lets the peer accept and answer the handshake; the link is then as new.
  Link& bring_up(std::string_view handshake_answer) {
    connection->open();
    end_turn();
    return greet(handshake_answer);
  }
  Link& greet(std::string_view handshake_answer) {
    Link& fresh = link();
    loop.accept(fresh);
    end_turn();
    fresh.sent.clear();
    receive(handshake_answer);
    EXPECT_EQ(connection->state(), BackendConnection::State::up);
    return fresh;
  }

  Link& link() { return *loop.links.back(); }
  size_t dials() const { return loop.links.size(); }
  void end_turn() {
    do turn.end();
    while (turn.hurry());
    loop.end_receive();
  }
  // What the peer says, in a turn of its own.
  void receive(std::string_view bytes) {
    loop.receive(link(), bytes);
    end_turn();
  }
  void advance(uint64_t ns) {
    loop.advance(ns);
    end_turn();
  }
  std::string take_sent() { return std::exchange(link().sent, {}); }

  // Sends, in the present turn; the client's bytes are gone when this returns.
  Asker& ask(routing::Wire wire, std::string_view bytes) {
    Asker& asker = new_asker(wire, routing::Answer::reply);
    const std::string volatile_bytes(bytes);
    asker.request->bytes = volatile_bytes;
    connection->send(*asker.request);
    return asker;
  }
  Asker& new_asker(routing::Wire wire, routing::Answer answer) {
    Asker& asker = askers.emplace_back();
    asker.request = &turn.requests.take(wire, answer, &asker);
    asker.order = &answered;
    return asker;
  }
  // The client goes away, answered or not.
  void leave(Asker& asker) {
    if (asker.request != nullptr) turn.requests.release_owner(*std::exchange(asker.request, nullptr));
  }
  void leave_all() {
    for (Asker& asker : askers) leave(asker);
  }

  ScriptedLoop loop;
  Turn turn{loop};
  Resolver resolver;
  config::ClusterConfig config;
  config::ServerConfig server;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<BackendConnection> connection;
  std::deque<Asker> askers;
  std::vector<Asker*> answered;  // in the order of their answers
  int health_changes = 0;
};

}  // namespace overlord::proxy
