#include "access/acl_log.h"

#include <gtest/gtest.h>

namespace overlord::access {
namespace {

class AclLogTest : public testing::Test {
 protected:
  void note(std::string_view reason, std::string_view object, uint64_t client, int64_t now) {
    log_.note(reason, "toplevel", object, "bob", client, now, [&] {
      ++described_;
      return "id=" + std::to_string(client);
    });
  }
  const AclLog::Entry& newest() const { return log_.entries().front(); }

  AclLog log_;
  int described_ = 0;
};

TEST_F(AclLogTest, WhatIsAlikeIsOneEntry) {
  note("command", "get", 1, 1000);
  note("command", "set", 1, 2000);
  note("command", "get", 1, 61'000);
  ASSERT_EQ(log_.entries().size(), 2u);
  EXPECT_EQ(newest().object, "get");
  EXPECT_EQ(newest().count, 2u);
  EXPECT_EQ(newest().time, 61'000);
  EXPECT_EQ(described_, 2) << "once per entry and client";
  note("command", "get", 7, 62'000);
  EXPECT_EQ(newest().client_info, "id=7");
  note("key", "get", 7, 62'000);
  EXPECT_EQ(log_.entries().size(), 3u);
  note("command", "set", 1, 62'001);
  EXPECT_EQ(log_.entries().size(), 4u) << "more than a minute later";
}

TEST_F(AclLogTest, IsBounded) {
  for (int i = 0; i < 1000; ++i) note("key", "key" + std::to_string(i), 1, i);
  EXPECT_EQ(log_.entries().size(), AclLog::kMaxEntries);
  EXPECT_EQ(newest().object, "key999");
  const std::string long_key(5000, 'k');
  note("key", long_key, 1, 1000);
  note("key", long_key + "2", 1, 1000);
  EXPECT_EQ(newest().object.size(), AclLog::kMaxObject);
  EXPECT_EQ(newest().count, 2u);
  log_.clear();
  EXPECT_TRUE(log_.entries().empty());
}

TEST_F(AclLogTest, IsShownAsTheServerShowsIt) {
  note("auth", "AUTH", 3, 1000);
  std::string text;
  append_entry(text, newest(), 3500);
  EXPECT_EQ(text,
            "*14\r\n$5\r\ncount\r\n:1\r\n$6\r\nreason\r\n$4\r\nauth\r\n$7\r\ncontext\r\n$8\r\ntoplevel\r\n"
            "$6\r\nobject\r\n$4\r\nAUTH\r\n$8\r\nusername\r\n$3\r\nbob\r\n$11\r\nage-seconds\r\n$3\r\n2.5\r\n"
            "$11\r\nclient-info\r\n$4\r\nid=3\r\n");
}

}  // namespace
}  // namespace overlord::access
