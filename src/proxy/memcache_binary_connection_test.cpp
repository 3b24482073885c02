// A backend connection that speaks binary: what leaves for text and meta requests, and what its replies become.

#include "protocol/memcache/binary_frame.h"
#include "proxy/connection_fixture.h"
#include "proxy/memcache_answer.h"

namespace overlord::proxy {
namespace {

namespace binary = memcache::binary;
using binary::Opcode;
using binary::Status;
using routing::Answer;
using routing::Failure;
using routing::Request;
using routing::Wire;

constexpr std::string_view kFlags("\0\0\0\5", 4);

struct Part {
  std::string_view extras = {};
  std::string_view key = {};
  std::string_view value = {};
};

std::string reply(uint32_t opaque, Opcode opcode, Status status, Part part = {}) {
  std::string out(binary::kHeaderSize, '\0');
  binary::write_header({.magic = binary::kReplyMagic,
                        .opcode = opcode,
                        .key_size = static_cast<uint16_t>(part.key.size()),
                        .extras_size = static_cast<uint8_t>(part.extras.size()),
                        .status = static_cast<uint16_t>(status),
                        .body_size = static_cast<uint32_t>(part.extras.size() + part.key.size() + part.value.size()),
                        .opaque = opaque,
                        .cas = 9},
                       out.data());
  return out.append(part.extras).append(part.key).append(part.value);
}

std::string hit(uint32_t opaque, std::string_view key, std::string_view value) {
  return reply(opaque, Opcode::getk, Status::ok, {kFlags, key, value});
}

class MemcacheBinaryConnectionTest : public ConnectionTest {
 protected:
  void up() {
    config.backend_protocol = config::BackendProtocol::binary;
    make(config::CacheType::memcache);
    connection = make_memcache_binary_connection(*backend);
    bring_up(reply(0, Opcode::version, Status::ok, {.value = "1.6.18"}));
  }
  Asker& get(std::string_view key, std::string_view retrieval = "get") {
    Asker& asker = new_asker(Wire::memcache_value, Answer::retrieval);
    const std::string key_bytes(key), retrieval_bytes(retrieval);  // the client's, gone afterwards
    asker.request->key = key_bytes;
    asker.request->retrieval = retrieval_bytes;
    connection->send(*asker.request);
    return asker;
  }
  // The opcodes and opaques that have left, as "0d:1 0c:2".
  std::string sent() {
    std::string text;
    const std::string bytes = take_sent();
    for (size_t at = 0; at + binary::kHeaderSize <= bytes.size();) {
      const binary::Header header = binary::read_header(bytes.data() + at);
      char word[24];
      std::snprintf(word, sizeof word, "%s%02x:%u", text.empty() ? "" : " ", static_cast<unsigned>(header.opcode),
                    header.opaque);
      text += word;
      at += binary::kHeaderSize + header.body_size;
    }
    return text;
  }
};

TEST_F(MemcacheBinaryConnectionTest, OnlyTheLastRetrievalOfATurnIsLoud) {
  up();
  Asker& a = get("a");
  Asker& b = get("b", "gets");
  Asker& c = get("c", "gat 10");
  end_turn();
  EXPECT_EQ(sent(), "0d:1 0d:2 23:3");
  receive(hit(2, "b", "2") + reply(3, Opcode::gatk, Status::not_found, {.key = "c"}));
  EXPECT_TRUE(a.is(""));
  EXPECT_TRUE(b.is("VALUE b 5 1 9\r\n2\r\n"));
  EXPECT_TRUE(c.is(""));
  EXPECT_TRUE(connection->idle());
  get("d");
  end_turn();
  EXPECT_EQ(sent(), "0c:4");
}

TEST_F(MemcacheBinaryConnectionTest, WithoutCoalescingEachIsLoud) {
  config.coalesce_gets = false;
  up();
  get("a");
  get("b");
  end_turn();
  EXPECT_EQ(sent(), "0c:1 0c:2");
}

TEST_F(MemcacheBinaryConnectionTest, OtherCommandsEndAGroup) {
  up();
  Asker& a = get("a");
  Asker& b = get("b");
  Asker& stored = ask(Wire::memcache_line, "set c 0 0 2\r\nhi\r\n");
  Asker& meta = ask(Wire::memcache_meta, "mg d v k\r\n");
  end_turn();
  EXPECT_EQ(sent(), "0d:1 0c:2 01:3 00:4");
  receive(hit(1, "a", "1") + reply(2, Opcode::getk, Status::not_found) + reply(3, Opcode::set, Status::ok) +
          reply(4, Opcode::get, Status::ok, {.extras = kFlags, .value = "v"}));
  EXPECT_TRUE(a.is("VALUE a 5 1\r\n1\r\n"));
  EXPECT_TRUE(b.is(""));
  EXPECT_TRUE(stored.is("STORED\r\n"));
  EXPECT_TRUE(meta.is("VA 1 kd\r\nv\r\n"));
}

TEST_F(MemcacheBinaryConnectionTest, EveryCutOfTheReplies) {
  const std::string large(100'000, 'x');
  const std::string all = hit(1, "a", "11") + reply(2, Opcode::get, Status::ok, {.extras = kFlags, .value = "abc"}) +
                          reply(3, Opcode::get, Status::ok, {.extras = kFlags, .value = "dropped"}) +
                          reply(4, Opcode::increment, Status::ok, {.value = std::string_view("\0\0\0\0\0\0\0\7", 8)}) +
                          hit(5, "e", "");
  for (size_t cut = 1; cut < all.size(); ++cut) {
    SCOPED_TRACE(cut);
    up();
    Asker& item = get("a");
    Asker& meta = ask(Wire::memcache_meta, "mg b v\r\n");
    Asker& bare = ask(Wire::memcache_meta, "mg c s\r\n");
    Asker& number = ask(Wire::memcache_line, "incr d 1\r\n");
    Asker& empty = get("e");
    end_turn();
    receive(std::string_view(all).substr(0, cut));
    receive(std::string_view(all).substr(cut));
    EXPECT_TRUE(item.is("VALUE a 5 2\r\n11\r\n"));
    EXPECT_TRUE(meta.is("VA 3\r\nabc\r\n"));
    EXPECT_TRUE(bare.is("HD s7\r\n"));
    EXPECT_TRUE(number.is("7\r\n"));
    EXPECT_TRUE(empty.is("VALUE e 5 0\r\n\r\n"));
    EXPECT_TRUE(connection->idle());
    leave_all();
    connection.reset();
  }
}

TEST_F(MemcacheBinaryConnectionTest, ALargeValueComesInPieces) {
  up();
  const std::string value(200'000, 'v');
  Asker& large = get("a");
  Asker& behind = ask(Wire::memcache_line, "delete b\r\n");
  end_turn();
  receive(hit(1, "a", value) + reply(2, Opcode::delete_, Status::not_found));
  EXPECT_TRUE(large.is("VALUE a 5 200000\r\n" + value + "\r\n"));
  EXPECT_GT(large.progress, 0);
  EXPECT_TRUE(behind.is("NOT_FOUND\r\n"));
}

TEST_F(MemcacheBinaryConnectionTest, WhatIsNoReplyEndsTheConnection) {
  const std::string lying = [] {
    std::string frame = hit(1, "a", "1");
    frame[11] = 3;  // a body shorter than extras and key
    return frame;
  }();
  const std::string other_magic = [] {
    std::string frame = hit(1, "a", "1");
    frame[0] = '\x80';
    return frame;
  }();
  for (const std::string& bad :
       {lying, other_magic, hit(0, "a", "1"), hit(3, "a", "1"), hit(2, "a", "1"), hit(1, "a b", "1"), hit(1, "", "1"),
        reply(1, Opcode::getk, Status::ok, {.key = "a", .value = "1"}), std::string("VALUE a 0 1\r\nx\r\nEND\r\n")}) {
    SCOPED_TRACE(bad);
    up();
    Asker& first = get("a");
    Asker& second = ask(Wire::memcache_line, "delete b\r\n");
    end_turn();
    receive(bad);
    EXPECT_TRUE(first.failed(Failure::bad_reply));
    EXPECT_TRUE(second.failed(Failure::bad_reply));
    EXPECT_FALSE(link().open);
    leave_all();
    connection.reset();
  }
}

TEST_F(MemcacheBinaryConnectionTest, HalfAValueAndTheEnd) {
  up();
  Asker& first = get("a");
  Asker& second = get("b");
  end_turn();
  receive(hit(1, "a", "12345").substr(0, 32));
  EXPECT_FALSE(first.done);
  loop.end(link());
  end_turn();
  EXPECT_TRUE(first.failed(Failure::connection_lost));
  EXPECT_TRUE(second.failed(Failure::connection_lost));
}

TEST_F(MemcacheBinaryConnectionTest, LateRepliesAreDropped) {
  up();
  Asker& first = get("a");
  end_turn();
  Asker& meta = ask(Wire::memcache_meta, "mg b v\r\n");
  Asker& set = ask(Wire::memcache_meta, "ms c 1 k\r\nx\r\n");
  end_turn();
  advance(500 * kMillisecond);
  receive(hit(1, "a", "1"));
  advance(600 * kMillisecond);
  EXPECT_TRUE(first.is("VALUE a 5 1\r\n1\r\n"));
  EXPECT_TRUE(meta.failed(Failure::timed_out));
  EXPECT_TRUE(set.failed(Failure::timed_out));
  Asker& next = get("d");
  end_turn();
  receive(reply(2, Opcode::get, Status::ok, {.extras = kFlags, .value = "late"}) + reply(3, Opcode::set, Status::ok));
  receive(hit(4, "d", "4"));
  EXPECT_TRUE(next.is("VALUE d 5 1\r\n4\r\n"));
}

TEST_F(MemcacheBinaryConnectionTest, AReconnectStartsWithNothingOwed) {
  up();
  Asker& lost = get("a");
  end_turn();
  receive(hit(1, "a", "123").substr(0, 30));
  advance(2'000 * kMillisecond);
  EXPECT_TRUE(lost.failed(Failure::timed_out));
  advance(2'000 * kMillisecond);
  Link& fresh = link();
  ASSERT_TRUE(fresh.open);
  loop.accept(fresh);
  end_turn();
  const uint32_t opaque = binary::read_header(fresh.sent.data()).opaque;
  receive(reply(opaque, Opcode::version, Status::ok, {.value = "1.6.18"}));
  EXPECT_EQ(connection->state(), BackendConnection::State::up);
  Asker& next = get("b");
  end_turn();
  receive(hit(opaque + 1, "b", "2"));
  EXPECT_TRUE(next.is("VALUE b 5 1\r\n2\r\n"));
}

TEST_F(MemcacheBinaryConnectionTest, WhatCannotBeSaidIsAnsweredHere) {
  up();
  EXPECT_TRUE(ask(Wire::memcache_meta, "mg a N30\r\n").is("CLIENT_ERROR flag not possible with a binary backend\r\n"));
  EXPECT_TRUE(ask(Wire::memcache_line, "set a 0 0 2\r\nabXX").is("CLIENT_ERROR bad data chunk\r\n"));
  end_turn();
  EXPECT_EQ(sent(), "");
}

TEST_F(MemcacheBinaryConnectionTest, Statistics) {
  up();
  Asker& stats = ask(Wire::memcache_stats, "stats\r\n");
  Asker& unknown = ask(Wire::memcache_stats, "stats items\r\n");
  end_turn();
  receive(reply(1, Opcode::stat, Status::ok, {.key = "pid", .value = "1"}) +
          reply(1, Opcode::stat, Status::ok, {.key = "uptime", .value = "2"}) + reply(1, Opcode::stat, Status::ok) +
          reply(2, Opcode::stat, Status::not_found, {.value = "Not found"}));
  EXPECT_TRUE(stats.is("STAT pid 1\r\nSTAT uptime 2\r\nEND\r\n"));
  EXPECT_TRUE(unknown.is("ERROR\r\n"));
}

TEST_F(MemcacheBinaryConnectionTest, AnUploadIsSentWithoutItsLineEnd) {
  up();
  Asker& asker = new_asker(Wire::memcache_line, Answer::reply);
  asker.request->uploading = true;
  asker.request->bytes = "set a 0 0 6\r\nab";
  connection->send(*asker.request);
  connection->upload("cde");
  connection->upload("f");
  end_turn();
  EXPECT_TRUE(link().sent.ends_with("abcde"));
  connection->upload("\r");
  connection->upload("\n");
  connection->upload_done(*asker.request);
  end_turn();
  EXPECT_TRUE(link().sent.ends_with("abcdef"));
  receive(reply(1, Opcode::set, Status::ok));
  EXPECT_TRUE(asker.is("STORED\r\n"));
}

TEST_F(MemcacheBinaryConnectionTest, AnUploadWithAWrongEndIsNotFinished) {
  up();
  const Link& used = link();
  Asker& asker = new_asker(Wire::memcache_line, Answer::reply);
  asker.request->uploading = true;
  asker.request->bytes = "set a 0 0 6\r\nabcd";
  connection->send(*asker.request);
  connection->upload("efXX");
  end_turn();
  EXPECT_TRUE(asker.is("CLIENT_ERROR bad data chunk\r\n"));
  EXPECT_FALSE(used.open);
}

}  // namespace
}  // namespace overlord::proxy
