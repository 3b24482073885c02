#include "protocol/redis/request_parser.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "protocol/redis/parse_test_util.h"
#include "protocol/redis/writer.h"

namespace overlord::redis {
namespace {

using test::parse_once;
using test::parse_pieces;
using test::Parsed;

std::string resp(const std::vector<std::string>& args) {
  std::string out;
  append_array_header(out, args.size());
  for (const std::string& arg : args) append_bulk(out, arg);
  return out;
}

// The same answer from one call, from two calls cut anywhere, and byte by byte.
Parsed parse_every_way(std::string_view bytes, RequestLimits limits = {}) {
  const Parsed whole = parse_once(bytes, limits);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(parse_pieces(bytes, {cut}, limits), whole) << "cut at " << cut << " of " << testing::PrintToString(bytes);
  }
  std::vector<size_t> each(bytes.size());
  std::iota(each.begin(), each.end(), size_t{1});
  EXPECT_EQ(parse_pieces(bytes, each, limits), whole);
  return whole;
}

TEST(RequestParser, GivesTheArgumentsOfARequest) {
  const std::string key(32, 'k');
  const std::string message = resp({"GET", key});
  const Parsed got = parse_every_way(message);
  EXPECT_EQ(got.status, ParseStatus::complete);
  EXPECT_EQ(got.args, (std::vector<std::string>{"GET", key}));
  EXPECT_EQ(got.size, message.size());
  EXPECT_EQ(got.wire, message);
  EXPECT_FALSE(got.is_inline);
}

TEST(RequestParser, StopsAtTheEndOfTheFirstOfSeveral) {
  const std::string first = resp({"SET", "a", ""});
  const std::string bytes = first + resp({"GET", "b"});
  const Parsed got = parse_once(bytes);
  EXPECT_EQ(got.size, first.size());
  EXPECT_EQ(got.args, (std::vector<std::string>{"SET", "a", ""}));
  RequestParser parser;
  ASSERT_EQ(parser.parse(bytes), ParseStatus::complete);
  const size_t first_size = parser.size();
  parser.reset();
  ASSERT_EQ(parser.parse(std::string_view(bytes).substr(first_size)), ParseStatus::complete);
  EXPECT_EQ(parser.arg(1), "b");
}

TEST(RequestParser, ArgumentsOfEveryLengthClass) {
  for (const size_t length : {0, 1, 9, 10, 99, 100, 999, 1000, 9999, 65536, 100000}) {
    const std::string value(length, 'v');
    const std::string message = resp({"SET", "key", value});
    const Parsed got = length < 200 ? parse_every_way(message) : parse_once(message);
    ASSERT_EQ(got.status, ParseStatus::complete) << length;
    EXPECT_EQ(got.args[2], value);
  }
}

TEST(RequestParser, BytesOfABulkMayBeAnything) {
  const std::string value("\r\n*1\r\n$-1\r\n\0\xff", 14);
  const Parsed got = parse_every_way(resp({"SET", value, value}));
  ASSERT_EQ(got.status, ParseStatus::complete);
  EXPECT_EQ(got.args, (std::vector<std::string>{"SET", value, value}));
}

TEST(RequestParser, MoreArgumentsThanAreKept) {
  std::vector<std::string> args{"MGET"};
  for (int i = 0; i < 30; ++i) args.push_back("key" + std::to_string(i * i * i));
  const std::string message = resp(args);
  EXPECT_EQ(parse_every_way(message).args, args);
  RequestParser parser;
  ASSERT_EQ(parser.parse(message), ParseStatus::complete);
  for (uint32_t i = 0; i < RequestParser::kFirstArgs; ++i) {
    EXPECT_EQ(parser.arg(i), args[i]);
    EXPECT_EQ(message[parser.arg_header_offset(i)], '$');
  }
  std::string joined = "*31\r\n";
  ArgCursor cursor(parser);
  while (cursor.next()) joined += cursor.wire();
  EXPECT_EQ(joined, message);
}

TEST(RequestParser, CountsThatCarryNoRequestAreSkipped) {
  for (const std::string_view count : {"*0\r\n", "*-1\r\n", "*-5\r\n", "*-9223372036854775808\r\n"}) {
    const Parsed got = parse_every_way(count);
    EXPECT_EQ(got.status, ParseStatus::skip) << count;
    EXPECT_EQ(got.size, count.size());
    EXPECT_EQ(parse_once(std::string(count) + "PING\r\n").size, count.size());
  }
}

TEST(RequestParser, NumbersThatRedisDoesNotTake) {
  const std::string huge(40, '9');
  for (const std::string& number :
       {std::string("+1"), std::string("01"), std::string(""), std::string(" 1"), std::string("1 "), std::string("1a"),
        std::string("-"), std::string("-0"), std::string("00"), std::string("0x1"), std::string("1\n"),
        std::string("--1"), std::string("9223372036854775808"), std::string("18446744073709551617"),
        std::string("-9223372036854775809"), huge, std::string("1\0", 2), std::string("\xb1")}) {
    const Parsed count = parse_every_way("*" + number + "\r\n$4\r\nPING\r\n");
    EXPECT_EQ(count.status, ParseStatus::error) << number;
    EXPECT_EQ(count.error, "-ERR Protocol error: invalid multibulk length\r\n") << number;
    const Parsed length = parse_every_way("*1\r\n$" + number + "\r\nPING\r\n");
    EXPECT_EQ(length.status, ParseStatus::error) << number;
    EXPECT_EQ(length.error, "-ERR Protocol error: invalid bulk length\r\n") << number;
  }
}

TEST(RequestParser, NegativeLengthsAreErrors) {
  // One packet of these ended the Go proxy's process.
  for (const std::string_view bytes :
       {"*1\r\n$-1\r\n", "*2\r\n$3\r\nGET\r\n$-1\r\n", "*1\r\n$-5\r\n", "*2\r\n$3\r\nGET\r\n$-5\r\n"}) {
    EXPECT_EQ(parse_every_way(bytes).error, "-ERR Protocol error: invalid bulk length\r\n");
  }
}

TEST(RequestParser, NestingIsAnErrorAtTheFirstByte) {
  EXPECT_EQ(parse_every_way("*1\r\n*1\r\n").error, "-ERR Protocol error: expected '$', got '*'\r\n");
  std::string bomb;
  for (int i = 0; i < 1'000'000; ++i) bomb += "*1\r\n";
  EXPECT_EQ(parse_once(bomb).error, "-ERR Protocol error: expected '$', got '*'\r\n");
}

TEST(RequestParser, OnlyBulksInARequest) {
  for (int c = 0; c < 256; ++c) {
    if (c == '$') continue;
    const std::string bytes = std::string("*2\r\n$3\r\nGET\r\n") + static_cast<char>(c) + "a\r\n";
    const char shown = c == '\r' || c == '\n' ? ' ' : static_cast<char>(c);
    EXPECT_EQ(parse_once(bytes).error, std::string("-ERR Protocol error: expected '$', got '") + shown + "'\r\n");
  }
  EXPECT_EQ(parse_every_way("*2\r\n$3\r\nGET\r\n+a\r\n").error, "-ERR Protocol error: expected '$', got '+'\r\n");
}

TEST(RequestParser, EveryLineEndIsCrLf) {
  const std::string_view no_crlf = "-ERR Protocol error: bulk not followed by CRLF\r\n";
  for (const std::string_view bytes : {"*1\r\n$4\r\nPINGXX", "*1\r\n$4\r\nPING\rX", "*1\r\n$4\r\nPINGX\n",
                                       "*1\r\n$4\r\nPINGG\r\n", "*2\r\n$1000\r\nGET\r\n"}) {
    std::string padded(bytes);
    if (bytes.find("1000") != std::string_view::npos) padded += std::string(1000, 'x');
    EXPECT_EQ(parse_every_way(padded).error, no_crlf) << bytes;
  }
  EXPECT_EQ(parse_every_way("*1\rX$4\r\nPING\r\n").error, "-ERR Protocol error: invalid multibulk length\r\n");
  EXPECT_EQ(parse_every_way("*1\r\n$4\rXPING\r\n").error, "-ERR Protocol error: invalid bulk length\r\n");
  EXPECT_EQ(parse_every_way("*1\n$4\nPING\n").status, ParseStatus::incomplete);
}

TEST(RequestParser, LimitsOfCountsAndLengths) {
  const RequestLimits limits{.max_args = 5, .max_bulk = 20, .max_inline = 64};
  EXPECT_EQ(parse_every_way("*5\r\n", limits).status, ParseStatus::incomplete);
  EXPECT_EQ(parse_every_way("*6\r\n", limits).error, "-ERR Protocol error: invalid multibulk length\r\n");
  EXPECT_EQ(parse_every_way("*1\r\n$20\r\n", limits).status, ParseStatus::incomplete);
  EXPECT_EQ(parse_every_way("*1\r\n$21\r\n", limits).error, "-ERR Protocol error: invalid bulk length\r\n");
  const RequestLimits large{};
  EXPECT_EQ(parse_once("*1048576\r\n", large).status, ParseStatus::incomplete);
  EXPECT_EQ(parse_once("*1048577\r\n", large).status, ParseStatus::error);
  EXPECT_EQ(parse_once("*1\r\n$536870912\r\n", large).status, ParseStatus::incomplete);
  EXPECT_EQ(parse_once("*1\r\n$536870913\r\n", large).status, ParseStatus::error);
}

TEST(RequestParser, LinesWithoutEndAreBounded) {
  const RequestLimits limits{.max_inline = 64};
  const auto bytes = [](std::string_view front, size_t length) {
    std::string out(front);
    out.resize(length, '1');
    return out;
  };
  EXPECT_EQ(parse_every_way(bytes("*", 64), limits).status, ParseStatus::incomplete);
  EXPECT_EQ(parse_every_way(bytes("*", 65), limits).error, "-ERR Protocol error: too big mbulk count string\r\n");
  EXPECT_EQ(parse_every_way("*1\r\n" + bytes("$", 64), limits).status, ParseStatus::incomplete);
  EXPECT_EQ(parse_every_way("*1\r\n" + bytes("$", 65), limits).error,
            "-ERR Protocol error: too big bulk count string\r\n");
  EXPECT_EQ(parse_every_way(bytes("A", 64), limits).status, ParseStatus::incomplete);
  EXPECT_EQ(parse_every_way(bytes("A", 65), limits).error, "-ERR Protocol error: too big inline request\r\n");
  EXPECT_EQ(parse_every_way(bytes("A", 64) + "\n", limits).status, ParseStatus::complete);
  EXPECT_EQ(parse_every_way(bytes("A", 64) + "\r\n", limits).status, ParseStatus::error);
}

TEST(RequestParser, TellsWhatIsKnownOfAnUnfinishedMessage) {
  const std::string front = "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1000\r\nabc";
  RequestParser parser;
  ASSERT_EQ(parser.parse(front.substr(0, 2)), ParseStatus::incomplete);
  EXPECT_EQ(parser.args_declared(), 0u);
  ASSERT_EQ(parser.parse(front.substr(0, 10)), ParseStatus::incomplete);
  EXPECT_EQ(parser.args_declared(), 3u);
  EXPECT_EQ(parser.args_seen(), 0u);
  EXPECT_EQ(parser.pending_bulk(), 3);
  EXPECT_EQ(parser.pending_bulk_offset(), 8u);
  ASSERT_EQ(parser.parse(front.substr(0, 25)), ParseStatus::incomplete);
  EXPECT_EQ(parser.args_seen(), 2u);
  EXPECT_EQ(parser.pending_bulk(), -1);
  ASSERT_EQ(parser.parse(front), ParseStatus::incomplete);
  EXPECT_EQ(parser.args_seen(), 2u);
  EXPECT_EQ(parser.arg(0), "SET");
  EXPECT_EQ(parser.arg(1), "key");
  EXPECT_EQ(parser.pending_bulk(), 1000);
  EXPECT_EQ(parser.pending_bulk_offset(), front.size() - 3);
}

TEST(RequestParser, AMessageInManyPiecesIsWalkedOnce) {
  // Proof of linear work: what was parsed can be scribbled over, and the parser never looks at it again.
  constexpr uint32_t kArgs = 1'000'000;
  std::string bytes;
  append_array_header(bytes, kArgs);
  for (uint32_t i = 0; i < kArgs; ++i) append_bulk(bytes, "v");
  RequestParser parser;
  size_t before = 0;
  ParseStatus status = ParseStatus::incomplete;
  for (size_t there = 0; there < bytes.size() && status == ParseStatus::incomplete;) {
    there = std::min(bytes.size(), there + 5);
    status = parser.parse({bytes.data(), there});
    if (status != ParseStatus::incomplete) break;
    const size_t now = parser.pending_bulk_offset();
    ASSERT_GE(now, before);
    ASSERT_LE(now, there);
    // The first byte says what the message is; it is the one that may be looked at again.
    if (parser.args_declared() != 0) std::fill(bytes.begin() + before, bytes.begin() + now, '!');
    before = now;
  }
  EXPECT_EQ(status, ParseStatus::complete);
  EXPECT_EQ(parser.size(), bytes.size());
}

TEST(RequestParser, RandomMessagesComeBackWhole) {
  std::mt19937 random(7);
  const auto up_to = [&](size_t n) { return static_cast<size_t>(random() % (n + 1)); };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> args(1 + up_to(20));
    for (std::string& arg : args) {
      arg.resize(up_to(4) == 0 ? up_to(3000) : up_to(20));
      for (char& c : arg) c = "\r\n$*0123ab\0"[up_to(11)];
    }
    const std::string message = resp(args);
    std::vector<size_t> cuts(up_to(5));
    for (size_t& cut : cuts) cut = up_to(message.size());
    std::sort(cuts.begin(), cuts.end());
    const Parsed got = parse_pieces(message + "*9", cuts);
    ASSERT_EQ(got.status, ParseStatus::complete);
    ASSERT_EQ(got.args, args);
    ASSERT_EQ(got.size, message.size());
    ASSERT_EQ(got.wire, message);
  }
}

TEST(RequestParser, IsReusable) {
  RequestParser parser;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(parser.parse("*1\r\n$-1\r\n"), ParseStatus::error);
    parser.reset();
    EXPECT_EQ(parser.parse("*-1\r\n"), ParseStatus::skip);
    parser.reset();
    EXPECT_EQ(parser.parse("SET \"a b\" c\r\n"), ParseStatus::complete);
    EXPECT_EQ(parser.arg(1), "a b");
    parser.reset();
    EXPECT_EQ(parser.parse("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), ParseStatus::complete);
    EXPECT_EQ(parser.arg(1), "k");
    EXPECT_FALSE(parser.is_inline());
    parser.reset();
    EXPECT_EQ(parser.parse("*2\r\n$3\r\nG"), ParseStatus::incomplete);
    parser.reset();
  }
}

}  // namespace
}  // namespace overlord::redis
