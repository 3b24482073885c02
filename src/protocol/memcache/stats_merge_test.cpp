#include "protocol/memcache/stats_merge.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "protocol/memcache/text.h"

namespace overlord::memcache {
namespace {

MergedStats merge(std::string_view kind, const std::vector<std::string_view>& replies) {
  return merge_stats(kind, replies);
}

TEST(MemcacheStatsMerge, CountersAddAndServersOwnStay) {
  const auto merged = merge("", {"STAT pid 10\r\nSTAT uptime 5\r\nSTAT version 1.6.18\r\nSTAT rusage_user 0.900000\r\n"
                                 "STAT get_hits 7\r\nSTAT limit_maxbytes 100\r\nSTAT accepting_conns 1\r\nEND\r\n",
                                 "STAT pid 11\r\nSTAT uptime 9\r\nSTAT version 1.6.9\r\nSTAT rusage_user 1.100001\r\n"
                                 "STAT get_hits 8\r\nSTAT limit_maxbytes 200\r\nSTAT accepting_conns 1\r\nEND\r\n"});
  EXPECT_EQ(merged.merged, 2u);
  EXPECT_EQ(merged.text,
            "STAT pid 10\r\nSTAT uptime 9\r\nSTAT version 1.6.18\r\nSTAT rusage_user 2.000001\r\nSTAT get_hits 15\r\n"
            "STAT limit_maxbytes 300\r\nSTAT accepting_conns 1\r\nEND\r\n");
}

TEST(MemcacheStatsMerge, OneReplyStaysAsItIs) {
  const std::string_view reply =
      "STAT pid 10\r\nSTAT rusage_user 0.003240\r\nSTAT domain_socket \r\nSTAT text two words\r\nSTAT zeros 007x\r\n"
      "END\r\n";
  for (const std::string_view kind : {"", "settings", "items", "slabs", "sizes", "conns"}) {
    EXPECT_EQ(merge(kind, {reply}).text, reply) << kind;
  }
}

TEST(MemcacheStatsMerge, NamesOfSomeRepliesOnlyAreKept) {
  EXPECT_EQ(merge("items", {"STAT items:1:number 1\r\nEND\r\n",
                            "STAT items:2:number 5\r\nSTAT items:1:number 2\r\nEND\r\n", "END\r\n"})
                .text,
            "STAT items:1:number 3\r\nSTAT items:2:number 5\r\nEND\r\n");
}

TEST(MemcacheStatsMerge, RulesByKind) {
  EXPECT_EQ(merge("settings", {"STAT maxbytes 1\r\nEND\r\n", "STAT maxbytes 2\r\nEND\r\n"}).text,
            "STAT maxbytes 1\r\nEND\r\n");
  EXPECT_EQ(merge("items", {"STAT items:3:age 9\r\nEND\r\n", "STAT items:3:age 4\r\nEND\r\n"}).text,
            "STAT items:3:age 9\r\nEND\r\n");
  EXPECT_EQ(merge("slabs", {"STAT 1:chunk_size 96\r\nSTAT 1:used_chunks 1\r\nEND\r\n",
                            "STAT 1:chunk_size 96\r\nSTAT 1:used_chunks 4\r\nEND\r\n"})
                .text,
            "STAT 1:chunk_size 96\r\nSTAT 1:used_chunks 5\r\nEND\r\n");
  EXPECT_EQ(merge("sizes", {"STAT 96 1\r\nEND\r\n", "STAT 96 2\r\nSTAT 192 1\r\nEND\r\n"}).text,
            "STAT 96 3\r\nSTAT 192 1\r\nEND\r\n");
  EXPECT_EQ(merge("conns", {"STAT 9:state a\r\nEND\r\n", "STAT 9:state b\r\nEND\r\n"}).text,
            "STAT 9:state a\r\nSTAT 9:state b\r\nEND\r\n");
  EXPECT_EQ(merge("reset", {"RESET\r\n", "RESET\r\n"}).text, kReset);
  EXPECT_EQ(merge("reset", {"RESET\r\n", "RESET\r\n"}).merged, 2u);
}

TEST(MemcacheStatsMerge, OddValues) {
  // Not a number everywhere: the first one's.
  EXPECT_EQ(merge("", {"STAT x 1\r\nEND\r\n", "STAT x on\r\nEND\r\n", "STAT x 5\r\nEND\r\n"}).text,
            "STAT x 1\r\nEND\r\n");
  EXPECT_EQ(merge("", {"STAT x -1\r\nEND\r\n", "STAT x 5\r\nEND\r\n"}).text, "STAT x -1\r\nEND\r\n");
  EXPECT_EQ(merge("", {"STAT x 18446744073709551615\r\nEND\r\n", "STAT x 5\r\nEND\r\n"}).text,
            "STAT x 18446744073709551615\r\nEND\r\n");
  EXPECT_EQ(merge("", {"STAT x 18446744073709551615.900000\r\nEND\r\n", "STAT x 0.200000\r\nEND\r\n"}).text,
            "STAT x 18446744073709551615.100000\r\nEND\r\n");
}

TEST(MemcacheStatsMerge, FailedRepliesAreLeftOut) {
  const auto merged = merge("", {"SERVER_ERROR backend down\r\n", "STAT x 1\r\nEND\r\n", "STAT x 1\r\n", "",
                                 "STAT x 1\r\nEND\r\nEND\r\n", "STORED\r\n", "STAT x 2\r\nEND\r\n"});
  EXPECT_EQ(merged.text, "STAT x 3\r\nEND\r\n");
  EXPECT_EQ(merged.merged, 2u);
  EXPECT_EQ(merge("", {"", "ERROR\r\n", "SERVER_ERROR x\r\n"}).text, "ERROR\r\n");
  EXPECT_EQ(merge("reset", {"SERVER_ERROR x\r\n"}).text, "SERVER_ERROR x\r\n");
  EXPECT_EQ(merge("", {}).text, kNoBackend);
  EXPECT_EQ(merge("", {}).merged, 0u);
}

}  // namespace
}  // namespace overlord::memcache
