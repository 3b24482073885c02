#include "protocol/memcache/request_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "protocol/memcache/request_cases.h"

namespace overlord::memcache {
namespace {

using enum ParseStatus;

struct Parsed {
  ParseStatus status;
  Request request;
};

Parsed parse(std::string_view bytes, Limits limits = {}) {
  Parsed parsed;
  parsed.status = parse_request(bytes, limits, parsed.request);
  return parsed;
}

TEST(MemcacheRequest, GoodRequestsParse) {
  for (const Good& good : kGood) {
    SCOPED_TRACE(good.wire);
    const auto [status, request] = parse(good.wire);
    ASSERT_EQ(status, complete);
    EXPECT_EQ(request.verb, good.verb);
    EXPECT_EQ(request.head, good.head);
    EXPECT_EQ(request.key, good.key);
    EXPECT_EQ(request.noreply, good.noreply);
    EXPECT_EQ(request.canonical, good.canonical);
    EXPECT_EQ(request.size, good.wire.size());
    EXPECT_EQ(request.swallow, 0u);
    EXPECT_TRUE(request.error.empty());
    if (request.canonical) {
      EXPECT_EQ(good.wire.substr(0, request.line_size), good.head + "\r\n");
    }
  }
}

TEST(MemcacheRequest, EverySplitIsIncompleteUntilWhole) {
  for (const Good& good : kGood) {
    SCOPED_TRACE(good.wire);
    const size_t line = good.wire.find('\n') + 1;
    for (size_t n = 0; n < good.wire.size(); ++n) {
      // A fresh heap copy, so that AddressSanitizer sees a byte read too far.
      const std::vector<char> part(good.wire.begin(), good.wire.begin() + static_cast<std::ptrdiff_t>(n));
      Request request;
      const ParseStatus status = parse_request({part.data(), part.size()}, {}, request);
      if (n < line) {
        ASSERT_EQ(status, incomplete) << n;
      } else {
        ASSERT_EQ(status, value) << n;
        ASSERT_EQ(request.size, good.wire.size());
        ASSERT_EQ(request.line_size, line);
      }
    }
  }
}

TEST(MemcacheRequest, StopsAtTheEndOfTheFirstMessage) {
  for (const Good& good : kGood) {
    SCOPED_TRACE(good.wire);
    const std::string wire = good.wire + "flush_all\r\n";
    const auto [status, request] = parse(wire);
    ASSERT_EQ(status, complete);
    EXPECT_EQ(request.size, good.wire.size());
    EXPECT_EQ(request.head, good.head);
  }
}

TEST(MemcacheRequest, BadRequestsAreRefusedAsMemcachedDoes) {
  for (const Bad& bad : kBad) {
    SCOPED_TRACE(bad.line);
    const auto [status, request] = parse(bad.line);
    ASSERT_EQ(status, refused);
    EXPECT_EQ(request.error, bad.error);
    EXPECT_EQ(request.swallow, bad.swallow);
    EXPECT_EQ(request.size, bad.line.find('\n') + 1);
  }
}

TEST(MemcacheRequest, RefusedLinesAreIncompleteUntilTheLineIsWhole) {
  for (const Bad& bad : kBad) {
    SCOPED_TRACE(bad.line);
    for (size_t n = 0; n < bad.line.find('\n') + 1; ++n) {
      const std::vector<char> part(bad.line.begin(), bad.line.begin() + static_cast<std::ptrdiff_t>(n));
      Request request;
      ASSERT_EQ(parse_request({part.data(), part.size()}, {}, request), incomplete) << n;
    }
  }
}

TEST(MemcacheRequest, AWebPageIsCutOff) {
  for (const char* line : {"GET / HTTP/1.1\r\n", "POST /x HTTP/1.0\r\n", "xx HTTP/\n"}) {
    const auto [status, request] = parse(line);
    EXPECT_EQ(status, fatal) << line;
    EXPECT_TRUE(request.error.empty());
  }
  EXPECT_EQ(parse("get / HTTP/1.1\r\n").status, complete);  // two keys
}

TEST(MemcacheRequest, BinaryMagicIsFatalAtOnce) {
  const auto [status, request] = parse("\x80");
  EXPECT_EQ(status, fatal);
  EXPECT_EQ(request.error, kError);
}

TEST(MemcacheRequest, LineLimits) {
  const auto same_at_every_length = [](const std::string& line, size_t limit) {
    for (size_t n = limit - 5; n < limit; ++n) EXPECT_EQ(parse({line.data(), n}).status, incomplete) << n;
    for (size_t n = limit; n <= line.size(); n += 97) {
      const auto [status, request] = parse({line.data(), n});
      ASSERT_EQ(status, fatal) << n;
      ASSERT_EQ(request.error, kLineTooLong);
    }
    EXPECT_EQ(parse(line).status, fatal);
  };
  same_at_every_length(std::string(2048, 'x') + "\n", 2048);
  same_at_every_length("set k 0 0 5" + std::string(2048, ' ') + "\r\n", 2048);
  same_at_every_length(std::string(101, ' ') + "get" + std::string(2048, ' ') + "k\r\n", 2048);
  same_at_every_length("gat 0" + std::string(2048, ' ') + "k\r\n", 2048);

  std::string get = "get";
  while (get.size() + 11 < Limits{}.max_line) get += " abcdefghi";
  uint32_t keys = 0;
  const std::string whole = get + "\r\n";
  const auto [status, request] = parse(whole);
  ASSERT_EQ(status, complete);
  KeyCursor cursor(request.keys);
  while (cursor.next() == "abcdefghi") ++keys;
  EXPECT_EQ(keys, request.key_count);
  EXPECT_EQ(keys, (get.size() - 3) / 10);
  same_at_every_length(get + std::string(20, ' ') + "\r\n", Limits{}.max_line);

  // Exactly as long as allowed, and one byte more.
  EXPECT_EQ(parse("set k 0 0 0" + std::string(2048 - 13, ' ') + "\r\n\r\n").status, complete);
  EXPECT_EQ(parse("set k 0 0 0" + std::string(2048 - 12, ' ') + "\r\n\r\n").status, fatal);
}

TEST(MemcacheRequest, ValueLimit) {
  const Limits limits{.max_value = 10};
  EXPECT_EQ(parse("set k 0 0 10\r\n", limits).status, value);
  const auto [status, request] = parse("set k 0 0 11\r\n", limits);
  EXPECT_EQ(status, refused);
  EXPECT_EQ(request.error, kTooLarge);
  EXPECT_EQ(request.swallow, 13u);
  EXPECT_EQ(parse("set k 0 0 11 noreply\r\n", limits).request.error, "");
}

TEST(MemcacheRequest, FieldsOfARetrieval) {
  const std::string wire = "  gats 30  aa   b\xff  c \r\n";
  const auto [status, request] = parse(wire);
  ASSERT_EQ(status, complete);
  EXPECT_EQ(request.exptime, "30");
  EXPECT_EQ(request.key_count, 3u);
  EXPECT_EQ(request.keys, "aa   b\xff  c");
  KeyCursor cursor(request.keys);
  EXPECT_EQ(cursor.next(), "aa");
  EXPECT_EQ(cursor.next(), "b\xff");
  EXPECT_EQ(cursor.next(), "c");
  EXPECT_EQ(cursor.next(), "");
  EXPECT_EQ(cursor.next(), "");
}

TEST(MemcacheRequest, FieldsOfTheOthers) {
  EXPECT_EQ(parse("touch k -5\r\n").request.exptime, "-5");
  EXPECT_EQ(parse("set k 1 9 3\r\n").request.exptime, "9");
  EXPECT_EQ(parse("set k 1 9 3\r\n").request.value_size, 3u);
  EXPECT_EQ(parse("set k 1 9 3\r\n").request.size, 18u);
  EXPECT_EQ(parse("stats items\r\n").request.arguments, "items");
  EXPECT_EQ(parse("flush_all 7 noreply\r\n").request.arguments, "7");
  EXPECT_EQ(parse("verbosity 2\r\n").request.arguments, "2");
  EXPECT_EQ(parse("flush_all\r\n").request.arguments, "");
}

TEST(MemcacheRequest, EveryByteAtEveryPlaceOfAKey) {
  for (const auto& [before, after] : std::vector<std::pair<std::string, std::string>>{
           {"get ", "\r\n"}, {"gets a ", " b\r\n"}, {"delete ", "\r\n"}, {"set ", " 0 0 0\r\n\r\n"}}) {
    for (size_t at = 0; at < 20; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        // A blank makes two words of the key, and a line feed two lines.
        if (byte == ' ' || byte == '\n') continue;
        std::string key(20, 'k');
        key[at] = static_cast<char>(byte);
        const bool plain = byte > ' ' && byte != 0x7f;
        const auto [status, request] = parse(before + key + after);
        ASSERT_EQ(status, plain ? complete : refused) << before << at << " " << byte;
        if (!plain) {
          ASSERT_EQ(request.error, kBadFormat);
        }
      }
    }
  }
}

TEST(MemcacheRequest, VerbNamesAreTheWordsThatParse) {
  for (size_t i = 0; i <= static_cast<size_t>(Verb::quit); ++i) {
    const auto verb = static_cast<Verb>(i);
    std::string line(verb_name(verb));
    if (verb == Verb::gat || verb == Verb::gats)
      line += " 0 k";
    else if (is_retrieval(verb) || verb == Verb::delete_)
      line += " k";
    else if (is_storage(verb))
      line += " k 0 0 0 1";
    else if (verb <= Verb::touch)
      line += " k 1";
    else if (verb == Verb::verbosity)
      line += " 1";
    line += "\r\n\r\n";
    const auto [status, request] = parse(line);
    EXPECT_EQ(status, complete) << line;
    EXPECT_EQ(request.verb, verb) << line;
  }
}

}  // namespace
}  // namespace overlord::memcache
