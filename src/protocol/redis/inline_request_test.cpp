#include "protocol/redis/inline_request.h"

#include <gtest/gtest.h>

#include "protocol/redis/parse_test_util.h"
#include "protocol/redis/writer.h"

namespace overlord::redis {
namespace {

using Words = std::vector<std::string>;

test::Parsed parse_cut_everywhere(std::string_view line) {
  const test::Parsed whole = test::parse_once(line);
  for (size_t cut = 0; cut < line.size(); ++cut) EXPECT_EQ(test::parse_pieces(line, {cut}), whole) << cut;
  return whole;
}

TEST(InlineRequest, SplitsWords) {
  const std::pair<std::string, Words> cases[] = {
      {"PING", {"PING"}},
      {"  set  a\tb ", {"set", "a", "b"}},
      {"ECHO a\rb", {"ECHO", "a", "b"}},
      {"ECHO \v\fa", {"ECHO", "a"}},
      {"ECHO a\vb", {"ECHO", "a\vb"}},
      {"ECHO \"a b\" 'c d'", {"ECHO", "a b", "c d"}},
      {"ECHO \"\" ''", {"ECHO", "", ""}},
      {"ECHO a\"b c\"", {"ECHO", "ab c"}},
      {R"(ECHO "\x41\n\r\t\b\a\q\"\\\xzz\x4")", {"ECHO", "A\n\r\t\b\aq\"\\xzzx4"}},
      {R"(ECHO 'a\'b\n"')", {"ECHO", R"(a'b\n")"}},
      {R"(ECHO "\x00\xfF")", {"ECHO", std::string("\0\xff", 2)}},
      {"GET / HTTP/1.1", {"GET", "/", "HTTP/1.1"}},
      {"$4", {"$4"}},
      {":1", {":1"}},
  };
  for (const auto& [line, words] : cases) {
    for (const std::string& line_end : {std::string("\r\n"), std::string("\n")}) {
      const test::Parsed got = parse_cut_everywhere(line + line_end);
      ASSERT_EQ(got.status, ParseStatus::complete) << line;
      EXPECT_EQ(got.args, words) << line;
      EXPECT_EQ(got.size, line.size() + line_end.size());
      EXPECT_TRUE(got.is_inline);
      std::string wire;
      append_command(wire, std::vector<std::string_view>(words.begin(), words.end()));
      EXPECT_EQ(got.wire, wire);
    }
  }
}

TEST(InlineRequest, QuotesMustBeBalanced) {
  for (const std::string_view line :
       {"\"abc", "'abc", "ECHO \"a\"b", "ECHO 'a'b", "ECHO \"a\\\"", "'", "\"", "ECHO \"a\"\"b\"", "ECHO 'a\\'"}) {
    EXPECT_EQ(parse_cut_everywhere(std::string(line) + "\r\n").error,
              "-ERR Protocol error: unbalanced quotes in request\r\n")
        << line;
  }
}

TEST(InlineRequest, BlankLinesCarryNothing) {
  for (const std::string_view line : {"\n", "\r\n", "  \t \r\n", "\v\n"}) {
    const test::Parsed got = parse_cut_everywhere(line);
    EXPECT_EQ(got.status, ParseStatus::skip);
    EXPECT_EQ(got.size, line.size());
  }
}

TEST(InlineRequest, NulIsRefused) {
  EXPECT_EQ(parse_cut_everywhere(std::string_view("ECHO a\0b\r\n", 10)).error,
            "-ERR Protocol error: NUL in inline request\r\n");
}

TEST(InlineRequest, LongLinesAndManyWords) {
  std::string line;
  Words words;
  for (int i = 0; i < 20000; ++i) {
    words.push_back(std::to_string(i % 100));
    line += words.back() + " ";
  }
  const test::Parsed got = test::parse_once(line + "\r\n");
  ASSERT_EQ(got.status, ParseStatus::complete);
  EXPECT_EQ(got.args, words);
  const std::string value(65000, 'x');
  EXPECT_EQ(test::parse_once("SET k " + value + "\n").args, (Words{"SET", "k", value}));
}

}  // namespace
}  // namespace overlord::redis
