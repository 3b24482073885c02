#pragma once
// ScriptedLoop: a Loop for tests of what stands above it. There are no sockets: the test plays the peer of every
// connection and the clock. Nothing happens unless the test says so, hence every order of events and every cut of
// the bytes can be had.
//
// It keeps the promises of loop.h and no more: received bytes lie in blocks of exactly their size, which are
// overwritten and freed by end_receive(); a stream is detached and its unsent bytes are gone before on_error.

#include <gtest/gtest.h>
#include <sys/un.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/loop.h"

namespace overlord::proxy {

// One connection that was asked for, in the order of asking.
struct Link {
  net::Stream* stream = nullptr;
  net::StreamHandler* handler = nullptr;
  std::string path;     // of the unix socket that it goes to
  std::string address;  // where it goes, as text
  bool connected = false;
  bool open = true;  // until it is closed or has failed
  bool receiving = true;
  bool blocked = false;  // takes no bytes
  std::string sent;      // what came from the proxy; the test may clear it
};

class ScriptedLoop final : public net::Loop {
 public:
  ScriptedLoop() : Loop(kStart) {}

  // The peer's part.
  void accept(Link& link) {
    ASSERT_TRUE(link.open && !link.connected);
    link.connected = true;
    take_out(link);
    link.handler->on_connected();
  }
  void receive(Link& link, std::string_view bytes) {
    ASSERT_TRUE(link.open && link.connected && link.receiving);
    blocks_.push_back({std::make_unique<char[]>(bytes.size()), bytes.size()});
    char* const data = blocks_.back().data.get();
    std::memcpy(data, bytes.data(), bytes.size());
    link.handler->on_data({data, bytes.size()});
  }
  void end(Link& link) {
    ASSERT_TRUE(link.open);
    link.handler->on_end();
  }
  void fail(Link& link, int error) {
    ASSERT_TRUE(link.open);
    detach(*link.stream);
    link.handler->on_error(error);
  }
  // The bytes that were handed over are valid no longer.
  void end_receive() {
    for (Block& block : blocks_) std::memset(block.data.get(), '#', block.size);
    blocks_.clear();
  }
  // Waits until another thread has posted something, and does it.
  void run_posted() {
    std::unique_lock lock(posting_);
    ASSERT_TRUE(wake_.wait_for(lock, std::chrono::seconds(60), [this] { return !posted_.empty(); }));
    const std::function<void()> fn = std::move(posted_.front());
    posted_.pop_front();
    lock.unlock();
    fn();
  }
  // Only the clock and what it sets off.
  void advance(uint64_t ns) {
    now_ += ns;
    timers_.advance(now_);
  }

  std::vector<std::unique_ptr<Link>> links;

  // net::Loop
  void adopt(net::Stream&, net::UniqueFd, net::StreamHandler&) override { FAIL() << "not a part of this script"; }
  void connect(net::Stream& stream, const net::SocketAddress& address, net::StreamHandler& handler) override {
    ASSERT_FALSE(stream.attached());
    ASSERT_TRUE(stream.out.empty()) << "bytes of the last connection would be sent on the next";
    stream.slot = static_cast<uint32_t>(links.size());
    links.push_back(std::make_unique<Link>());
    links.back()->stream = &stream;
    links.back()->handler = &handler;
    links.back()->address = net::to_string(address);
    if (address.family() == AF_UNIX) links.back()->path = reinterpret_cast<const sockaddr_un*>(address.get())->sun_path;
  }
  void redirect(net::Stream& stream, net::StreamHandler& handler) override { links[stream.slot]->handler = &handler; }
  void flush(net::Stream& stream) override {
    ASSERT_TRUE(stream.attached());
    take_out(*links[stream.slot]);
  }
  void pause_receive(net::Stream& stream) override { links[stream.slot]->receiving = false; }
  void resume_receive(net::Stream& stream) override { links[stream.slot]->receiving = true; }
  void close(net::Stream& stream) override { detach(stream); }
  void close_after_flush(net::Stream& stream, uint64_t) override { detach(stream); }
  int fd(const net::Stream&) const override { return -1; }
  net::ListenerId listen(net::UniqueFd, net::AcceptHandler&, bool) override { return {}; }
  void unlisten(net::ListenerId) override {}
  net::UniqueFd release_listener(net::ListenerId) override { return {}; }
  std::optional<net::ReleasedStream> try_release(net::Stream&) override { return std::nullopt; }
  ChunkPool& chunks() override { return chunks_; }
  net::TimerWheel& timers() override { return timers_; }
  void post(std::function<void()> fn) override {
    const std::lock_guard lock(posting_);
    posted_.push_back(std::move(fn));
    wake_.notify_one();
  }
  void run(net::TurnHandler&) override { FAIL() << "the test is the loop"; }
  void stop() override {}
  std::string_view driver() const override { return "script"; }
  uint64_t turns() const override { return 0; }
  uint64_t accept_pauses() const override { return 0; }

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    size_t size;
  };

  void take_out(Link& link) {
    if (!link.connected || link.blocked) return;
    ChunkQueue& out = link.stream->out;
    for (const Chunk* c = out.front(); c != nullptr; c = c->next) link.sent.append(c->data() + c->begin, c->size());
    out.clear(chunks_);
  }
  void detach(net::Stream& stream) {
    if (!stream.attached()) return;
    links[stream.slot]->open = false;
    stream.slot = net::Stream::kDetached;
    stream.out.clear(chunks_);
  }

  static constexpr uint64_t kStart = 100'000'000'000;

  ChunkPool chunks_;
  net::TimerWheel timers_{kStart};
  std::vector<Block> blocks_;
  std::mutex posting_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> posted_;  // also by other threads
};

}  // namespace overlord::proxy
