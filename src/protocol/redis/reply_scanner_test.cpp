#include "protocol/redis/reply_scanner.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "protocol/redis/writer.h"

namespace overlord::redis {
namespace {

using Status = ReplyScanner::Status;

struct Scanned {
  Status status;
  size_t size;
  char type;
  bool operator==(const Scanned&) const = default;
};

// In pieces of `piece` bytes, as a connection would give them. After an error only the status is comparable.
Scanned scan(std::string_view bytes, size_t piece, ReplyLimits limits = {}) {
  ReplyScanner scanner(limits);
  size_t at = 0;
  while (at < bytes.size()) {
    size_t consumed = 0;
    const std::string_view next = bytes.substr(at, piece);
    const Status status = scanner.advance(next, consumed);
    EXPECT_LE(consumed, next.size());
    at += consumed;
    if (status == Status::error) return {status, 0, 0};
    if (status == Status::done) return {status, at, scanner.type()};
    EXPECT_EQ(consumed, next.size());
  }
  return {Status::more, at, scanner.type()};
}

Scanned scan_every_way(std::string_view bytes, ReplyLimits limits = {}) {
  const Scanned whole = scan(bytes, bytes.size() + 1, limits);
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    EXPECT_EQ(scan(bytes, piece, limits), whole) << piece << " of " << testing::PrintToString(bytes);
  }
  return whole;
}

void expect_reply(std::string_view reply, char type) {
  const Scanned expected{Status::done, reply.size(), type};
  EXPECT_EQ(scan_every_way(reply), expected) << reply;
  EXPECT_EQ(scan_every_way(std::string(reply) + "+NEXT\r\n"), expected) << reply;
  for (size_t cut = 0; cut < reply.size(); ++cut) {
    EXPECT_EQ(scan(reply.substr(0, cut), 7).status, Status::more) << reply.substr(0, cut);
  }
}

TEST(ReplyScanner, FindsTheEndOfEveryType) {
  const std::pair<std::string_view, char> replies[] = {
      {"+OK\r\n", '+'},
      {"+\r\n", '+'},
      {"-ERR no such key\r\n", '-'},
      {":0\r\n", ':'},
      {":-12\r\n", ':'},
      {":+7\r\n", ':'},
      {":9223372036854775807\r\n", ':'},
      {":-9223372036854775808\r\n", ':'},
      {"$-1\r\n", '$'},
      {"$0\r\n\r\n", '$'},
      {"$5\r\nhello\r\n", '$'},
      {"$13\r\n\r\n$-1\r\n*3\r\nab\r\n", '$'},
      {"*-1\r\n", '*'},
      {"*0\r\n", '*'},
      {"*3\r\n$1\r\na\r\n$-1\r\n:3\r\n", '*'},
      {"*2\r\n*2\r\n:1\r\n*0\r\n*1\r\n*1\r\n*-1\r\n", '*'},
      {"*2\r\n-ERR inside\r\n+OK\r\n", '*'},
      {"_\r\n", '_'},
      {"#t\r\n", '#'},
      {"#f\r\n", '#'},
      {",3.25\r\n", ','},
      {",inf\r\n", ','},
      {"(3492890328409238509324850943850943825024385\r\n", '('},
      {"(-1\r\n", '('},
      {"(0\r\n", '('},
      {"!21\r\nSYNTAX invalid syntax\r\n", '!'},
      {"=15\r\ntxt:Some string\r\n", '='},
      {"%2\r\n+a\r\n:1\r\n+b\r\n*2\r\n:2\r\n_\r\n", '%'},
      {"%0\r\n", '%'},
      {"~2\r\n+a\r\n#t\r\n", '~'},
      {">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", '>'},
      {"|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n", '$'},
      {"|1\r\n+keys\r\n%1\r\n$1\r\na\r\n,0.1\r\n*2\r\n:1\r\n|1\r\n+x\r\n:1\r\n:2\r\n", '*'},
      {"|0\r\n|0\r\n:1\r\n", ':'},
  };
  for (const auto& [reply, type] : replies) expect_reply(reply, type);
}

TEST(ReplyScanner, LongBulks) {
  for (const size_t length : {99, 100, 999, 1000, 70000}) {
    std::string reply;
    append_bulk(reply, std::string(length, '\n'));
    EXPECT_EQ(scan(reply, 1), (Scanned{Status::done, reply.size(), '$'}));
    EXPECT_EQ(scan(reply, reply.size()), (Scanned{Status::done, reply.size(), '$'}));
    EXPECT_EQ(scan(reply + "x", reply.size() - 1), (Scanned{Status::done, reply.size(), '$'}));
  }
  ReplyScanner scanner;
  size_t consumed = 0;
  EXPECT_FALSE(scanner.started());
  EXPECT_EQ(scanner.advance("$1000\r\nabc", consumed), Status::more);
  EXPECT_TRUE(scanner.started());
  EXPECT_EQ(scanner.bulk_left(), 999u);
}

TEST(ReplyScanner, GarbageIsAnError) {
  for (const std::string_view bytes : {"OK\r\n",
                                       " +OK\r\n",
                                       "\r\n",
                                       "*2\r\nx",
                                       ";4\r\n",
                                       "$?\r\n",
                                       "*?\r\n",
                                       "$-2\r\n",
                                       "$-0\r\n",
                                       "*-2\r\n",
                                       "%-1\r\n",
                                       "~-1\r\n",
                                       ">-1\r\n",
                                       "|-1\r\n+x\r\n",
                                       "$03\r\nabc\r\n",
                                       "$+3\r\nabc\r\n",
                                       "*01\r\n",
                                       "$\r\n",
                                       "*\r\n",
                                       ":\r\n",
                                       ":-\r\n",
                                       ":1x\r\n",
                                       ":--1\r\n",
                                       ":01\r\n",
                                       ":9223372036854775809\r\n",
                                       ":99999999999999999999\r\n",
                                       "(\r\n",
                                       "(01\r\n",
                                       "(1.5\r\n",
                                       "_x\r\n",
                                       "#\r\n",
                                       "#x\r\n",
                                       "#tt\r\n",
                                       ",\r\n",
                                       "$3\r\nabcd\r\n",
                                       "$3\r\nabc\rx",
                                       "$3\r\nab\r\n\r\n",
                                       "$3\rx",
                                       "+OK\n",
                                       "+OK\rx",
                                       "+a\rb\r\n",
                                       "-ERR a\nb\r\n",
                                       "$536870913\r\n",
                                       "$99999999999999999999\r\n",
                                       "$18446744073709551617\r\n",
                                       "*16777217\r\n",
                                       "*18446744073709551617\r\n",
                                       "*4294967297\r\n",
                                       "%9223372036854775809\r\n",
                                       "%16777216\r\n",
                                       "%8388609\r\n",
                                       "*1\r\n>1\r\n+x\r\n",
                                       "|1\r\n+a\r\n>1\r\n+x\r\n",
                                       "!-1\r\n",
                                       "=-1\r\n"}) {
    EXPECT_EQ(scan_every_way(bytes).status, Status::error) << bytes;
  }
}

TEST(ReplyScanner, ElementsAreBounded) {
  const ReplyLimits limits{.max_bulk = 10, .max_elements = 8, .max_line = 6};
  EXPECT_EQ(scan_every_way("*7\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", limits).status, Status::done);
  EXPECT_EQ(scan_every_way("*8\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", limits).status, Status::error);
  EXPECT_EQ(scan_every_way("*2\r\n*4\r\n*4\r\n", limits).status, Status::more);
  EXPECT_EQ(scan_every_way("*3\r\n*4\r\n*4\r\n", limits).status, Status::error);
  std::string nest;
  for (int i = 0; i < 100; ++i) nest += "*1\r\n";
  EXPECT_EQ(scan(nest, nest.size(), limits).status, Status::error);
  nest = {};
  for (int i = 0; i < 100; ++i) nest += "|0\r\n";
  EXPECT_EQ(scan(nest, nest.size(), limits).status, Status::error);
  EXPECT_EQ(scan_every_way("$10\r\n0123456789\r\n", limits).status, Status::done);
  EXPECT_EQ(scan_every_way("$11\r\n01234567890\r\n", limits).status, Status::error);
  EXPECT_EQ(scan_every_way("+123456\r\n", limits).status, Status::done);
  EXPECT_EQ(scan_every_way("+1234567\r\n", limits).status, Status::error);
}

TEST(ReplyScanner, DeepNestingCostsNothing) {
  std::string nest;
  for (int i = 0; i < 1'000'000; ++i) nest += "*1\r\n";
  EXPECT_EQ(scan(nest + ":1\r\n:2\r\n", 4096), (Scanned{Status::done, nest.size() + 4, '*'}));
}

// A random value; depth bounds it.
void append_random(std::mt19937& random, std::string& out, int depth) {
  const auto scalar = [&] {
    switch (random() % 5) {
      case 0: append_bulk(out, std::string(random() % 200, "\r\n$*"[random() % 4])); break;
      case 1: append_integer(out, static_cast<int64_t>(random()) - 5); break;
      case 2: append_simple(out, "OK"); break;
      case 3: out += "$-1\r\n"; break;
      default: out += "_\r\n"; break;
    }
  };
  if (depth == 0 || random() % 3 == 0) return scalar();
  const bool map = random() % 4 == 0;
  const bool attribute = random() % 8 == 0;
  const size_t count = random() % 6;
  out += (attribute ? "|" : map ? "%" : "*") + std::to_string(count) + "\r\n";
  for (size_t i = 0; i < count * (map || attribute ? 2 : 1); ++i) append_random(random, out, depth - 1);
  if (attribute) scalar();
}

TEST(ReplyScanner, RandomReplies) {
  std::mt19937 random(3);
  ReplyScanner scanner;
  for (int round = 0; round < 3000; ++round) {
    std::string reply;
    append_random(random, reply, 4);
    EXPECT_EQ(scan(reply + "*", 1 + random() % 64).size, reply.size());
    size_t consumed = 0;
    scanner.reset();
    ASSERT_EQ(scanner.advance(reply + ":", consumed), Status::done);
    ASSERT_EQ(consumed, reply.size());
  }
}

}  // namespace
}  // namespace overlord::redis
