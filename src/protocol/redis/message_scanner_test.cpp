#include <gtest/gtest.h>

#include <random>

#include "protocol/redis/request_parser.h"
#include "protocol/redis/writer.h"

namespace overlord::redis {
namespace {

using Status = MessageScanner::Status;

// Parses the first `front` bytes, gives the rest to the scanner in pieces of `piece` bytes. The message's size, as the
// scanner found it; npos when it answered an error.
size_t follow(std::string_view bytes, size_t front, size_t piece, std::string* error = nullptr) {
  RequestParser parser;
  if (parser.parse(bytes.substr(0, front)) != ParseStatus::incomplete || parser.args_declared() == 0) return front;
  MessageScanner scanner;
  scanner.start(parser, front);
  size_t at = front;
  while (at < bytes.size()) {
    size_t consumed = 0;
    const std::string_view next = bytes.substr(at, piece);
    const Status status = scanner.advance(next, consumed);
    EXPECT_LE(consumed, next.size());
    at += consumed;
    if (status == Status::done) return at;
    if (status == Status::error) {
      if (error != nullptr) *error = scanner.error();
      return std::string_view::npos;
    }
    EXPECT_EQ(consumed, next.size());
  }
  ADD_FAILURE() << "no end found";
  return at;
}

TEST(MessageScanner, FindsTheEndFromEveryPoint) {
  std::string message;
  append_array_header(message, 5);
  for (const std::string_view arg : {"MSET", "k1", "\r\n$", "", "0123456789abcdef"}) append_bulk(message, arg);
  const std::string bytes = message + "*1\r\n$4\r\nPING\r\n";
  for (size_t front = 4; front < message.size(); ++front) {
    for (size_t piece = 1; piece <= message.size(); ++piece) {
      ASSERT_EQ(follow(bytes, front, piece), message.size()) << front << " " << piece;
    }
  }
}

TEST(MessageScanner, LongBodiesAreCountedNotKept) {
  RequestParser parser;
  const std::string front = "*2\r\n$4\r\nECHO\r\n$536870912\r\nxyz";
  ASSERT_EQ(parser.parse(front), ParseStatus::incomplete);
  MessageScanner scanner;
  scanner.start(parser, front.size());
  EXPECT_EQ(scanner.body_left(), 536870912u - 3 + 2);
  const std::string block(1 << 20, 'x');
  uint64_t left = 536870912 - 3;
  size_t consumed = 0;
  while (left > block.size()) {
    ASSERT_EQ(scanner.advance(block, consumed), Status::more);
    ASSERT_EQ(consumed, block.size());
    left -= consumed;
  }
  ASSERT_EQ(scanner.advance(block.substr(0, left) + "\r\n*1", consumed), Status::done);
  EXPECT_EQ(consumed, left + 2);
}

TEST(MessageScanner, ErrorsAreThoseOfTheParser) {
  const std::string_view front = "*3\r\n$3\r\nSET\r\n$2\r\nk";
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"kX\n$1\r\nv\r\n", "-ERR Protocol error: bulk not followed by CRLF\r\n"},
      {"k\rX$1\r\nv\r\n", "-ERR Protocol error: bulk not followed by CRLF\r\n"},
      {"k\r\n*1\r\nv\r\n", "-ERR Protocol error: expected '$', got '*'\r\n"},
      {"k\r\n$-1\r\nv\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
      {"k\r\n$01\r\nv\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
      {"k\r\n$1\rXv\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
      {"k\r\n$536870913\r\nv\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
      {"k\r\n$99999999999999999999999999999\r\nv\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
      {"k\r\n$\r\nv\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
  };
  for (const auto& [rest, text] : cases) {
    const std::string bytes = std::string(front) + std::string(rest);
    for (size_t piece = 1; piece <= rest.size(); ++piece) {
      std::string error;
      ASSERT_EQ(follow(bytes, front.size(), piece, &error), std::string_view::npos) << rest;
      ASSERT_EQ(error, text) << rest;
    }
  }
}

TEST(MessageScanner, RandomMessages) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::string message;
    const size_t count = 1 + random() % 12;
    append_array_header(message, count);
    for (size_t i = 0; i < count; ++i) append_bulk(message, std::string(random() % 300, "\r\n$x"[random() % 4]));
    const size_t front = 5 + random() % (message.size() - 5);
    ASSERT_EQ(follow(message + "$$", front, 1 + random() % 100), message.size());
  }
}

}  // namespace
}  // namespace overlord::redis
