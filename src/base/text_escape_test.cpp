#include "base/text_escape.h"

#include <gtest/gtest.h>

namespace overlord {
namespace {

using std::string_view_literals::operator""sv;

std::string one_line(std::string_view text) {
  std::string out;
  append_one_line(out, text);
  return out;
}

std::string json_text(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out;
}

TEST(TextEscape, PrintableTextStays) {
  const std::string_view text =
      "key a/b {} %v \"q\" \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xed\x9f\xbf \xf4\x8f\xbf\xbf";
  EXPECT_EQ(one_line(text), text);
}

TEST(TextEscape, ControlCharactersCannotForgeALine) {
  EXPECT_EQ(one_line("a\r\nb\0c\x1b[31m\x7f"sv), "a\\x0d\\x0ab\\x00c\\x1b[31m\\x7f");
  EXPECT_EQ(one_line("\xc2\x9b[31m"), "\\xc2\\x9b[31m");  // the same sequence begun by a C1 control
  EXPECT_EQ(json_text("a\r\nb\0c\x1b"sv), "a\\u000d\\u000ab\\u0000c\\u001b");
}

TEST(TextEscape, WhatIsNotUtf8IsEscapedByteByByte) {
  EXPECT_EQ(one_line("\xff"), "\\xff");
  EXPECT_EQ(one_line("\xc3"), "\\xc3");                             // cut off
  EXPECT_EQ(one_line("\xc3("), "\\xc3(");                           // no continuation
  EXPECT_EQ(one_line("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(one_line("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");           // overlong
  EXPECT_EQ(one_line("\xf0\x80\x80\xaf"), "\\xf0\\x80\\x80\\xaf");  // overlong
  EXPECT_EQ(one_line("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // half of a surrogate pair
  EXPECT_EQ(one_line("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond the last character
  EXPECT_EQ(json_text("k\xff!"), "k\\\\xff!");
}

TEST(TextEscape, JsonNeedsQuotesAndBackslashesEscaped) {
  EXPECT_EQ(json_text("say \"a\\b\" \xc3\xa9"), "say \\\"a\\\\b\\\" \xc3\xa9");
}

}  // namespace
}  // namespace overlord
