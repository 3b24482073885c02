// Bytes in flight: order, completeness, backpressure, and how long received spans stay valid.

#include <algorithm>
#include <deque>
#include <random>

#include "net/loop_fixture.h"

namespace overlord::net {
namespace {

using Transfer = LoopTest;
INSTANTIATE_TEST_SUITE_P(Drivers, Transfer, testing::Values(Driver::epoll, Driver::io_uring), driver_name);

constexpr size_t kPeriod = 62'499;  // not a power of two, so that no shifted or swapped block matches

const std::string& period() {
  static const std::string bytes = [] {
    std::string out(kPeriod, '\0');
    for (size_t i = 0; i < kPeriod; ++i) out[i] = static_cast<char>((i * 131 + i / 251) % 249);
    return out;
  }();
  return bytes;
}

// Produces and checks an endless stream of bytes in which every position is known.
struct Pattern {
  uint64_t made = 0;
  uint64_t checked = 0;
  bool intact = true;

  void make(std::string& into, size_t size) {
    into.clear();
    while (into.size() < size) {
      const size_t at = made % kPeriod;
      const size_t part = std::min(size - into.size(), kPeriod - at);
      into.append(period(), at, part);
      made += part;
    }
  }
  void check(std::span<const char> bytes) {
    while (!bytes.empty()) {
      const size_t at = checked % kPeriod;
      const size_t part = std::min(bytes.size(), kPeriod - at);
      intact = intact && period().compare(at, part, bytes.data(), part) == 0;
      checked += part;
      bytes = bytes.subspan(part);
    }
  }
};

TEST_P(Transfer, RandomSizesAndPausesComeBackInOrder) {
  auto [left, right] = tcp_pair();
  std::mt19937 random(11);
  Peer server(*loop, std::move(left));
  server.keep = false;
  server.when_data = [&](std::span<char> bytes) { send(server.stream, {bytes.data(), bytes.size()}); };
  Peer client(*loop, std::move(right));
  client.keep = false;
  Pattern pattern;
  client.when_data = [&](std::span<char> bytes) { pattern.check(bytes); };
  int rounds = 0;
  std::string bytes;
  each_turn = [&] {
    if (rounds < 500 && client.stream.unsent() < 200'000) {
      ++rounds;
      pattern.make(bytes, random() % (rounds % 10 == 0 ? 100'000 : 300));
      send(client.stream, bytes);
    }
    for (Peer* peer : {&server, &client}) {
      if (random() % 3 == 0) {
        loop->pause_receive(peer->stream);
      } else {
        loop->resume_receive(peer->stream);
      }
    }
    loop->post([] {});
  };
  ASSERT_TRUE(run_until([&] { return rounds == 500 && pattern.checked == pattern.made; }));
  EXPECT_TRUE(pattern.intact);
}

// producer -> [from | to] -> consumer, where the consumer is slower than the producer.
TEST_P(Transfer, BackpressureBoundsARelayOf64MiB) {
  constexpr uint64_t kTotal = 64 << 20;
  constexpr size_t kHigh = 256 * 1024;
  auto [producer_fd, from_fd] = tcp_pair();
  auto [to_fd, consumer_fd] = tcp_pair();
  Peer producer(*loop, std::move(producer_fd));
  Peer from(*loop, std::move(from_fd));
  Peer to(*loop, std::move(to_fd));
  Peer consumer(*loop, std::move(consumer_fd));
  from.keep = consumer.keep = false;
  Pattern pattern;
  std::string block;
  size_t worst = 0;
  size_t pauses = 0;

  producer.when_drained = [&] {
    if (pattern.made == kTotal) return;
    pattern.make(block, kHigh);
    producer.stream.notify_drained = true;
    send(producer.stream, block);
  };
  from.when_data = [&](std::span<char> bytes) {
    to.stream.out.append(loop->chunks(), bytes.data(), bytes.size());
    worst = std::max(worst, to.stream.unsent());
    if (to.stream.unsent() > kHigh) {
      ++pauses;
      loop->pause_receive(from.stream);
      to.stream.notify_drained = true;
    }
    loop->flush(to.stream);
  };
  to.when_drained = [&] { loop->resume_receive(from.stream); };
  uint64_t window = 0;
  consumer.when_data = [&](std::span<char> bytes) {
    pattern.check(bytes);
    window += bytes.size();
    if (window > 300'000) {
      window = 0;
      loop->pause_receive(consumer.stream);
      loop->post([&] { loop->post([&] { loop->resume_receive(consumer.stream); }); });
    }
  };
  loop->pause_receive(consumer.stream);
  producer.when_drained();
  ASSERT_TRUE(run_until([&] { return pauses > 0; }));
  run_turns(5);
  EXPECT_EQ(pattern.checked, 0u);
  loop->resume_receive(consumer.stream);
  ASSERT_TRUE(run_until([&] { return pattern.checked == kTotal; }));
  EXPECT_TRUE(pattern.intact);
  // A pause leaves at most what one turn had received already.
  EXPECT_LE(worst, kHigh + (1 << 20));
  EXPECT_EQ(to.stream.unsent(), 0u);
}

TEST_P(Transfer, SpansStayValidAndUnchangedUntilTheTurnEnds) {
  constexpr size_t kPairs = 40;
  constexpr size_t kEach = 2 << 20;
  struct Seen {
    std::span<const char> span;
    std::string copy;
  };
  std::vector<Seen> seen;
  std::vector<std::unique_ptr<Peer>> senders;
  std::vector<std::unique_ptr<Peer>> receivers;
  std::vector<Pattern> patterns(kPairs);
  std::string block;
  size_t turns_with_data = 0;
  size_t received = 0;
  for (size_t i = 0; i < kPairs; ++i) {
    auto [a, b] = i % 2 == 0 ? tcp_pair() : socket_pair();
    senders.push_back(std::make_unique<Peer>(*loop, std::move(a)));
    receivers.push_back(std::make_unique<Peer>(*loop, std::move(b)));
    receivers[i]->keep = false;
    receivers[i]->when_data = [&, i](std::span<char> bytes) {
      patterns[i].check(bytes);
      seen.push_back({bytes, std::string(bytes.begin(), bytes.end())});
      received += bytes.size();
      // Neither pausing nor closing takes the bytes away.
      if (i == 3) loop->pause_receive(receivers[i]->stream);
      if (i == 5 && receivers[i]->received_bytes > kEach / 2) loop->close(receivers[i]->stream);
    };
    patterns[i].make(block, kEach);
    send(senders[i]->stream, block);
  }
  each_turn = [&] {
    turns_with_data += seen.empty() ? 0 : 1;
    for (const Seen& one : seen) EXPECT_TRUE(std::equal(one.span.begin(), one.span.end(), one.copy.begin()));
    seen.clear();
    loop->resume_receive(receivers[3]->stream);
  };
  ASSERT_TRUE(run_until([&] {
    for (size_t i = 0; i < kPairs; ++i) {
      if (receivers[i]->stream.attached() && receivers[i]->received_bytes < kEach) return false;
    }
    return true;
  }));
  for (size_t i = 0; i < kPairs; ++i) EXPECT_TRUE(patterns[i].intact) << i;
  EXPECT_FALSE(receivers[5]->stream.attached());
  EXPECT_GT(turns_with_data, 10u);
}

TEST_P(Transfer, APausedStreamHearsNothingAndLosesNothing) {
  auto [left, right] = socket_pair();
  Peer sender(*loop, std::move(left));
  Peer receiver(*loop, std::move(right));
  loop->pause_receive(receiver.stream);
  send(sender.stream, "kept");
  ASSERT_TRUE(run_until([&] { return sender.stream.unsent() == 0; }));
  loop->close(sender.stream);
  run_turns(5);
  EXPECT_EQ(receiver.received_bytes, 0u);
  EXPECT_FALSE(receiver.ended);
  loop->resume_receive(receiver.stream);
  EXPECT_EQ(receiver.received_bytes, 0u);  // never from inside resume
  ASSERT_TRUE(run_until([&] { return receiver.ended; }));
  EXPECT_EQ(receiver.received, "kept");
}

TEST_P(Transfer, PausingInOnDataHoldsTheRest) {
  auto [left, right] = tcp_pair();
  Peer sender(*loop, std::move(left));
  Peer receiver(*loop, std::move(right));
  Pattern pattern;
  std::string block;
  pattern.make(block, 3 << 20);
  int calls = 0;
  receiver.keep = false;
  receiver.when_data = [&](std::span<char> bytes) {
    ++calls;
    pattern.check(bytes);
    loop->pause_receive(receiver.stream);
  };
  send(sender.stream, block);
  int previous = 0;
  each_turn = [&] {
    EXPECT_LE(calls - previous, 1);
    if (calls == previous) loop->resume_receive(receiver.stream);
    previous = calls;
    loop->post([] {});
  };
  ASSERT_TRUE(run_until([&] { return pattern.checked == pattern.made; }));
  EXPECT_TRUE(pattern.intact);
}

TEST_P(Transfer, PauseAndResumeInOneTurnIsHarmless) {
  auto [left, right] = socket_pair();
  Peer sender(*loop, std::move(left));
  Peer receiver(*loop, std::move(right));
  for (int i = 0; i < 50; ++i) {
    loop->pause_receive(receiver.stream);
    loop->pause_receive(receiver.stream);
    loop->resume_receive(receiver.stream);
    loop->resume_receive(receiver.stream);
    send(sender.stream, "x");
    const size_t expected = static_cast<size_t>(i) + 1;
    ASSERT_TRUE(run_until([&] { return receiver.received_bytes == expected; }));
  }
}

TEST_P(Transfer, DrainedComesOncePerRequestAndNeverInsideFlush) {
  auto [left, right] = socket_pair();
  Peer sender(*loop, std::move(left));
  Peer receiver(*loop, std::move(right));
  sender.stream.notify_drained = true;
  send(sender.stream, "small");
  EXPECT_EQ(sender.drained, 0);
  ASSERT_TRUE(run_until([&] { return sender.drained == 1; }));
  EXPECT_FALSE(sender.stream.notify_drained);

  send(sender.stream, "not asked for");
  run_turns(3);
  EXPECT_EQ(sender.drained, 1);

  sender.stream.notify_drained = true;  // nothing to send: the flush brings it
  loop->flush(sender.stream);
  ASSERT_TRUE(run_until([&] { return sender.drained == 2; }));

  sender.stream.notify_drained = true;
  send(sender.stream, std::string(4 << 20, 'b'));
  EXPECT_GT(sender.stream.unsent(), 0u);
  const size_t expected = 5 + 13 + (4 << 20);
  ASSERT_TRUE(run_until([&] { return sender.drained == 3; }));
  EXPECT_EQ(sender.stream.unsent(), 0u);
  ASSERT_TRUE(run_until([&] { return receiver.received_bytes == expected; }));
}

TEST_P(Transfer, ChunksGoBackToThePool) {
  auto [left, right] = tcp_pair();
  Peer sender(*loop, std::move(left));
  Peer receiver(*loop, std::move(right));
  receiver.keep = false;
  const size_t before = loop->chunks().in_use();
  sender.stream.out.append(loop->chunks(), std::string(16 << 20, 'c'));
  const size_t most = loop->chunks().in_use();
  sender.stream.out.reserve(loop->chunks(), 9000);  // reserved and never written
  loop->flush(sender.stream);
  ASSERT_TRUE(run_until([&] { return receiver.received_bytes == 16 << 20 && sender.stream.unsent() == 0; }));
  loop->flush(sender.stream);
  EXPECT_EQ(loop->chunks().in_use(), before);
  sender.stream.out.reserve(loop->chunks(), 1);
  loop->flush(sender.stream);
  EXPECT_EQ(loop->chunks().in_use(), before);
  // And the idle pool gives most of them back to the heap, by itself.
  ASSERT_TRUE(run_until([&] { return loop->chunks().free_count() < most / 4; }));
}

// Many busy streams and one quiet one: the quiet one is served within few turns.
TEST_P(Transfer, HeavyStreamsDoNotStarveALightOne) {
  constexpr size_t kHeavy = 60;
  std::vector<std::unique_ptr<Peer>> peers;
  const std::string block(1 << 20, 'h');
  size_t heavy_bytes = 0;
  for (size_t i = 0; i < kHeavy; ++i) {
    auto [a, b] = tcp_pair();
    auto feeder = std::make_unique<Peer>(*loop, std::move(a));
    Peer* raw = feeder.get();
    feeder->when_drained = [this, raw, &block] {
      raw->stream.notify_drained = true;
      send(raw->stream, block);
    };
    auto sink = std::make_unique<Peer>(*loop, std::move(b));
    sink->keep = false;
    sink->when_data = [&](std::span<char> bytes) { heavy_bytes += bytes.size(); };
    raw->when_drained();
    peers.push_back(std::move(feeder));
    peers.push_back(std::move(sink));
  }
  auto [a, b] = tcp_pair();
  Peer asker(*loop, std::move(a));
  Peer answerer(*loop, std::move(b));
  answerer.when_data = [&](std::span<char> bytes) { send(answerer.stream, {bytes.data(), bytes.size()}); };
  uint64_t asked_turn = 0;
  uint64_t worst = 0;
  int rounds = 0;
  asker.when_data = [&](std::span<char>) {
    worst = std::max(worst, loop->turns() - asked_turn);
    ++rounds;
    asked_turn = loop->turns();
    send(asker.stream, "ping");
  };
  ASSERT_TRUE(run_until([&] { return heavy_bytes > 8 << 20; }));
  asked_turn = loop->turns();
  send(asker.stream, "ping");
  ASSERT_TRUE(run_until([&] { return rounds >= 20; }));
  // All 60 streams offer 64 KiB or more each turn; that many fit into about four turns.
  EXPECT_LE(worst, 40u);
}

}  // namespace
}  // namespace overlord::net
