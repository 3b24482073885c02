#include "protocol/memcache/reply_line.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace overlord::memcache {
namespace {

const std::string kLongest(250, 'k');

struct Good {
  std::string line;
  ReplyKind kind;
  std::string key = {};
  uint64_t value_size = 0;
  bool has_cas = false;
};

const std::vector<Good> kGood = {
    {"VALUE k 0 5\r\n", ReplyKind::value, "k", 5},
    {"VALUE k 4294967295 0\r\n", ReplyKind::value, "k", 0},
    {"VALUE \xd1\x8f 0 5 18446744073709551615\r\n", ReplyKind::value, "\xd1\x8f", 5, true},
    {"VALUE " + kLongest + " 0 1073741824\r\n", ReplyKind::value, kLongest, kMaxReplyValue},
    {"END\r\n", ReplyKind::end},
    {"STAT pid 1\r\n", ReplyKind::stat},
    {"STAT domain_socket \r\n", ReplyKind::stat},
    {"ERROR\r\n", ReplyKind::error},
    {"ERROR: shutdown not enabled\r\n", ReplyKind::error},
    {"CLIENT_ERROR bad data chunk\r\n", ReplyKind::error},
    {"SERVER_ERROR out of memory storing object\r\n", ReplyKind::error},
    {"STORED\r\n", ReplyKind::line},
    {"NOT_STORED\r\n", ReplyKind::line},
    {"EXISTS\r\n", ReplyKind::line},
    {"NOT_FOUND\r\n", ReplyKind::line},
    {"DELETED\r\n", ReplyKind::line},
    {"TOUCHED\r\n", ReplyKind::line},
    {"OK\r\n", ReplyKind::line},
    {"RESET\r\n", ReplyKind::line},
    {"VERSION 1.6.18\r\n", ReplyKind::line},
    {"0\r\n", ReplyKind::line},
    {"18446744073709551615\r\n", ReplyKind::line},
};

TEST(MemcacheReply, GoodLines) {
  for (const Good& good : kGood) {
    SCOPED_TRACE(good.line);
    for (const std::string& tail : {std::string(), std::string("hello\r\nEND\r\n")}) {
      const std::string bytes = good.line + tail;
      const ReplyLine reply = parse_reply_line(bytes);
      EXPECT_EQ(reply.kind, good.kind);
      EXPECT_EQ(reply.size, good.line.size());
      EXPECT_EQ(reply.key, good.key);
      EXPECT_EQ(reply.value_size, good.value_size);
      EXPECT_EQ(reply.has_cas, good.has_cas);
    }
  }
}

TEST(MemcacheReply, EverySplitIsIncomplete) {
  for (const Good& good : kGood) {
    SCOPED_TRACE(good.line);
    for (size_t n = 0; n < good.line.size(); ++n) {
      const std::vector<char> part(good.line.begin(), good.line.begin() + static_cast<std::ptrdiff_t>(n));
      const ReplyLine reply = parse_reply_line({part.data(), part.size()});
      ASSERT_EQ(reply.kind, ReplyKind::incomplete) << n;
      ASSERT_EQ(reply.size, 0u);
    }
  }
}

TEST(MemcacheReply, WhatIsNoReplyIsBad) {
  const std::vector<std::string> lines = {
      "\r\n",
      "\n",
      "END\n",
      "STORED \r\n",
      "stored\r\n",
      "+OK\r\n",
      "hello\r\n",
      "ENDVALUE\r\n",
      "ERRORS\r\n",
      "STAT \r\n",
      "STAT\r\n",
      "VERSION \r\n",
      "-1\r\n",
      "12a\r\n",
      "18446744073709551616\r\n",
      "CLIENT_ERROR a\tb\r\n",
      std::string("SERVER_ERROR \0\r\n", 16),
      "SERVER_ERROR \r\r\n",
      "VALUE\r\n",
      "VALUE \r\n",
      "VALUE k\r\n",
      "VALUE k 0\r\n",
      "VALUE k 0 \r\n",
      "VALUE k 0 x\r\n",
      "VALUE k x 5\r\n",
      "VALUE k 0 -1\r\n",
      "VALUE k  0 5\r\n",
      "VALUE  0 5\r\n",
      "VALUE k 0 5 \r\n",
      "VALUE k 0 5 x\r\n",
      "VALUE k 0 5 1 \r\n",
      "VALUE k 0 5 1 2\r\n",
      "VALUE k 0 5\n",
      "VALUE k 0 5\rx\r\n",
      "VALUE k 0 5 1x\r\n",
      "VALUE k\x01 0 5\r\n",
      "VALUE " + kLongest + "k 0 5\r\n",
      "VALUE k 0 1073741825\r\n",
      "VALUE k 0 99999999999999999999\r\n",
      "VALUE k 18446744073709551616 5\r\n",
      "VALUE k 0 5 18446744073709551616\r\n",
  };
  for (const std::string& line : lines) {
    SCOPED_TRACE(line);
    const ReplyLine reply = parse_reply_line(line);
    EXPECT_EQ(reply.kind, ReplyKind::bad);
    EXPECT_EQ(reply.size, 0u);
  }
}

TEST(MemcacheReply, LineLimit) {
  const std::string text = "SERVER_ERROR " + std::string(kMaxReplyLine, 'x');
  EXPECT_EQ(parse_reply_line({text.data(), kMaxReplyLine - 1}).kind, ReplyKind::incomplete);
  EXPECT_EQ(parse_reply_line({text.data(), kMaxReplyLine}).kind, ReplyKind::bad);
  EXPECT_EQ(parse_reply_line(text.substr(0, kMaxReplyLine - 2) + "\r\n").kind, ReplyKind::error);
  EXPECT_EQ(parse_reply_line(text.substr(0, kMaxReplyLine - 1) + "\r\n").kind, ReplyKind::bad);
}

}  // namespace
}  // namespace overlord::memcache
