#include "mesos/recordio.h"

#include <gtest/gtest.h>

namespace overlord::mesos {
namespace {

using Records = std::vector<std::string>;

TEST(RecordIo, GivesWholeRecordsHoweverTheBytesCome) {
  const std::string text = "20\n{\"type\":\"HEARTBEAT\"}0\n3\na\nb0005\n12345";
  const Records expected{"{\"type\":\"HEARTBEAT\"}", "", "a\nb", "12345"};
  for (size_t step = 1; step <= text.size(); ++step) {
    RecordIo reader(1000);
    Records got;
    for (size_t at = 0; at < text.size(); at += step) {
      ASSERT_TRUE(reader.feed(std::string_view(text).substr(at, step), got)) << step;
    }
    EXPECT_EQ(got, expected) << step;
    EXPECT_TRUE(reader.between());
  }
}

TEST(RecordIo, KnowsWhenARecordIsNotWhole) {
  RecordIo reader(10);
  Records got;
  EXPECT_TRUE(reader.between());
  ASSERT_TRUE(reader.feed("1", got));
  EXPECT_FALSE(reader.between());
  ASSERT_TRUE(reader.feed("\n", got));
  EXPECT_FALSE(reader.between());
  ASSERT_TRUE(reader.feed("x", got));
  EXPECT_TRUE(reader.between());
  EXPECT_EQ(got, Records{"x"});
}

TEST(RecordIo, RefusesWhatIsNoRecord) {
  for (const char* text :
       {"\n", "x", "-1\n", " 1\na", "1 \na", "1a", "11\n", "99999999999999999999\n", "00000000001\nx"}) {
    RecordIo reader(10);
    Records got;
    EXPECT_FALSE(reader.feed(text, got)) << text;
    EXPECT_TRUE(got.empty());
    EXPECT_FALSE(reader.feed("1\na", got)) << "stays broken after " << text;
    reader.clear();
    EXPECT_TRUE(reader.feed("1\na", got));
    EXPECT_EQ(got, Records{"a"});
  }
}

TEST(RecordIo, TakesARecordOfTheLongestLength) {
  RecordIo reader(10);
  Records got;
  ASSERT_TRUE(reader.feed("10\n0123456789", got));
  EXPECT_EQ(got, Records{"0123456789"});
}

}  // namespace
}  // namespace overlord::mesos
