#include "protocol/redis/redirection.h"

#include <gtest/gtest.h>

#include <string>

namespace overlord::redis {
namespace {

using Kind = Redirection::Kind;

Kind kind(const std::string& text) { return parse_redirection("-" + text + "\r\n").kind; }

TEST(Redirection, SaysWhereTo) {
  const auto moved = parse_redirection("-MOVED 3999 127.0.0.1:6381\r\n");
  EXPECT_EQ(moved.kind, Kind::moved);
  EXPECT_EQ(moved.slot, 3999);
  EXPECT_EQ(moved.host, "127.0.0.1");
  EXPECT_EQ(moved.port, 6381);
  const auto ask = parse_redirection("-ASK 16383 cache-1.example:65535\r\n");
  EXPECT_EQ(ask.kind, Kind::ask);
  EXPECT_EQ(ask.slot, 16383);
  EXPECT_EQ(ask.host, "cache-1.example");
  EXPECT_EQ(ask.port, 65535);
}

TEST(Redirection, OddEndpoints) {
  EXPECT_EQ(parse_redirection("-MOVED 0 ::1:7000\r\n").host, "::1");
  EXPECT_EQ(parse_redirection("-MOVED 0 fe80::1:2:7000\r\n").port, 7000);
  const auto unknown = parse_redirection("-MOVED 5 :7000\r\n");
  EXPECT_EQ(unknown.kind, Kind::moved);
  EXPECT_EQ(unknown.host, "");
  EXPECT_EQ(unknown.port, 7000);
}

TEST(Redirection, MalformedOnesAreErrorsLikeOthers) {
  for (const char* text :
       {"MOVED", "MOVED ", "MOVED 1", "MOVED 16384 a:1", "MOVED -1 a:1", "MOVED x a:1", "MOVED 1 a", "MOVED 1 a:0",
        "MOVED 1 a:65536", "MOVED 1 a:x", "MOVED 1 ?:7000", "MOVED 1 a b:1", "MOVEDX 1 a:1", "ASK 1 a/b:7"}) {
    EXPECT_EQ(kind(text), Kind::none) << text;
  }
  for (const char* line : {"", "-", "-\r\n", "MOVED 1 a:1\r\n", "-MOVED 1 a:1", "+MOVED 1 a:1\r\n"}) {
    EXPECT_EQ(parse_redirection(line).kind, Kind::none) << line;
  }
}

TEST(Redirection, OtherWordsOfAClusterNode) {
  EXPECT_EQ(kind("TRYAGAIN Multiple keys request during rehashing of slot"), Kind::try_again);
  EXPECT_EQ(kind("CLUSTERDOWN The cluster is down"), Kind::cluster_down);
  EXPECT_EQ(kind("CLUSTERDOWN Hash slot not served"), Kind::slot_not_served);
  EXPECT_EQ(kind("LOADING Redis is loading the dataset in memory"), Kind::loading);
  EXPECT_EQ(kind("MASTERDOWN Link with MASTER is down"), Kind::master_down);
  EXPECT_EQ(kind("ERR no such key"), Kind::none);
  EXPECT_EQ(kind("TRYAGAINST"), Kind::none);
}

}  // namespace
}  // namespace overlord::redis
