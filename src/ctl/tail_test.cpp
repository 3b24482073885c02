#include "ctl/tail.h"

#include <gtest/gtest.h>

namespace overlord::ctl {
namespace {

TEST(TailLines, PutsPiecesTogether) {
  TailLines lines;
  const std::string one =
      R"({"time":"2026-01-31T12:00:01.000002Z","cluster":"c","client":"10.0.0.1:5","cmd":"get","key":"a\u001b[2J","key_bytes":5,)"
      R"("parts":1,"node":"n:1","total_us":42})"
      "\n";
  std::string shown;
  for (const char byte : one + "\n{\"dropped\":7}\n" + one) {
    const auto text = lines.take({&byte, 1});
    ASSERT_TRUE(text.has_value());
    shown += *text;
  }
  const std::string line =
      "12:00:01.000002 c            10.0.0.1:5            n:1                   42       get        a?[2J\n";
  EXPECT_EQ(shown, line + "(7 more came too fast to be shown)\n" + line);
  EXPECT_TRUE(TailLines::title().starts_with("TIME            CLUSTER"));
}

TEST(TailLines, KnowsOtherPages) {
  TailLines lines;
  EXPECT_FALSE(lines.take("<html>\n").has_value());
  TailLines endless;
  EXPECT_FALSE(endless.take(std::string(100'000, 'x')).has_value());
}

TEST(TailLines, ShowsNumbersOfHiddenKeysAndErrors) {
  TailLines lines;
  const auto text = lines.take("{\"key_hash\":\"00ff\",\"error\":\"timed_out\",\"cmd\":\"set\"}\n");
  ASSERT_TRUE(text.has_value());
  EXPECT_NE(text->find(" 00ff "), std::string::npos);
  EXPECT_TRUE(text->ends_with(" timed_out\n"));
}

}  // namespace
}  // namespace overlord::ctl
