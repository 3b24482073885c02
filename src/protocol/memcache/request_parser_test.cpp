#include "protocol/memcache/request_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

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

const std::string kLongest(250, 'k');
const std::string kTooLong(251, 'k');

struct Good {
  std::string wire;
  Verb verb;
  std::string head;
  std::string key;
  bool noreply = false;
  bool canonical = true;
};

const std::vector<Good> kGood = {
    {"get k\r\n", Verb::get, "get k", "k"},
    {"get 01234567890123456789012345678901\r\n", Verb::get, "get 01234567890123456789012345678901",
     "01234567890123456789012345678901"},
    {"get abcd\n", Verb::get, "get abcd", "abcd", false, false},
    {"  get   abcd  \r\n", Verb::get, "get   abcd", "abcd", false, false},
    {"get \xd1\x8f\xff\r\n", Verb::get, "get \xd1\x8f\xff", "\xd1\x8f\xff"},
    {"get " + kLongest + "\r\n", Verb::get, "get " + kLongest, kLongest},
    {"get noreply\r\n", Verb::get, "get noreply", "noreply"},
    {"gets a b\r\n", Verb::gets, "gets a b", "a"},
    {"gat 0 a\r\n", Verb::gat, "gat 0 a", "a"},
    {"gats -1 a bb\r\n", Verb::gats, "gats -1 a bb", "a"},
    {"set k 0 0 5\r\nhello\r\n", Verb::set, "set k 0 0 5", "k"},
    {"set k 0 0 5\nhello\r\n", Verb::set, "set k 0 0 5", "k", false, false},
    {"set k 0 0 005 \r\nhello\r\n", Verb::set, "set k 0 0 005", "k", false, false},
    {"set k 4294967295 2147483647 0\r\n\r\n", Verb::set, "set k 4294967295 2147483647 0", "k"},
    {"set k 0 -2147483648 0\r\n\r\n", Verb::set, "set k 0 -2147483648 0", "k"},
    {"set k 0 0 5 noreply\r\nhello\r\n", Verb::set, "set k 0 0 5", "k", true, false},
    {"set k 0 0 5 foonoreplybar\r\nhello\r\n", Verb::set, "set k 0 0 5", "k", false, false},
    {"set noreply 0 0 0\r\n\r\n", Verb::set, "set noreply 0 0 0", "noreply"},
    {"add k 0 0 0 noreply\r\n\r\n", Verb::add, "add k 0 0 0", "k", true, false},
    {"replace k 0 0 0 noreply\r\n\r\n", Verb::replace, "replace k 0 0 0", "k", true, false},
    {"append k 0 0 0 noreply\r\n\r\n", Verb::append, "append k 0 0 0", "k", true, false},
    {"prepend k 0 0 0 noreply\r\n\r\n", Verb::prepend, "prepend k 0 0 0", "k", true, false},
    {"cas k 0 0 1 18446744073709551615\r\nx\r\n", Verb::cas, "cas k 0 0 1 18446744073709551615", "k"},
    {"cas k 0 0 1 7 noreply\r\nx\r\n", Verb::cas, "cas k 0 0 1 7", "k", true, false},
    {"incr k 18446744073709551615\r\n", Verb::incr, "incr k 18446744073709551615", "k"},
    {"incr k 1 noreply\r\n", Verb::incr, "incr k 1", "k", true, false},
    {"decr k 1 foo\r\n", Verb::decr, "decr k 1", "k", false, false},
    {"decr k 1 noreply\r\n", Verb::decr, "decr k 1", "k", true, false},
    {"touch k 10\r\n", Verb::touch, "touch k 10", "k"},
    {"touch k 10 noreply\r\n", Verb::touch, "touch k 10", "k", true, false},
    {"delete k\r\n", Verb::delete_, "delete k", "k"},
    {"delete noreply\r\n", Verb::delete_, "delete noreply", "noreply"},
    {"delete k 0\r\n", Verb::delete_, "delete k", "k", false, false},
    {"delete k noreply\r\n", Verb::delete_, "delete k", "k", true, false},
    {"delete k 0 noreply\r\n", Verb::delete_, "delete k", "k", true, false},
    {"version\r\n", Verb::version, "version", ""},
    {"version noreply\r\n", Verb::version, "version", "", false, false},
    {"verbosity 1\r\n", Verb::verbosity, "verbosity 1", ""},
    {"verbosity 1 noreply\r\n", Verb::verbosity, "verbosity 1", "", true, false},
    {"flush_all\r\n", Verb::flush_all, "flush_all", ""},
    {"flush_all noreply\r\n", Verb::flush_all, "flush_all", "", true, false},
    {"flush_all 10\r\n", Verb::flush_all, "flush_all 10", ""},
    {"flush_all 10 noreply\r\n", Verb::flush_all, "flush_all 10", "", true, false},
    {"stats\r\n", Verb::stats, "stats", ""},
    {"stats items x\r\n", Verb::stats, "stats items", "", false, false},
    {"quit\r\n", Verb::quit, "quit", ""},
};

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

struct Bad {
  std::string line;
  std::string_view error;
  uint64_t swallow = 0;
};

const std::vector<Bad> kBad = {
    {"\r\n", kError},
    {"\n", kError},
    {"   \r\n", kError},
    {"GET k\r\n", kError},
    {"getx k\r\n", kError},
    {"get\r\n", kError},
    {"get \r\n", kError},
    {"gets   \n", kError},
    {"gat\r\n", kError},
    {"gat 0\r\n", kError},
    {"gat x k\r\n", kBadExptime},
    {"gat 0x1 k\r\n", kBadExptime},
    {"gat 2147483648 k\r\n", kBadExptime},
    {"gat 0 " + kTooLong + "\r\n", kBadFormat},
    {"get " + kTooLong + "\r\n", kBadFormat},
    {"get a " + kTooLong + " b\r\n", kBadFormat},
    {std::string("get a\0b\r\n", 9), kBadFormat},
    {"get abcdefgh\tijk\r\n", kBadFormat},
    {"get abcdefgh\x7f\r\n", kBadFormat},
    {"get abcdefgh\r\r\n", kBadFormat},
    {"get ab\rcdefgh\n", kBadFormat},
    {"get\tk\r\n", kError},
    {"set\r\n", kError},
    {"set k 0 0\r\n", kError},
    {"set k 0 0 5 noreply x\r\n", kError, 7},
    {"set k 0 0 -20\r\n", kBadFormat},
    {"set k 0 0 x\r\n", kBadFormat},
    {"set k 0 0 +5\r\n", kBadFormat},
    {"set k 0 0 2147483645\r\n", kTooLarge, 2147483647},
    {"set k 0 0 2147483646\r\n", kBadFormat},
    {"set k 0 0 4294967301\r\n", kBadFormat},
    {"set k 0 0 99999999999999999999\r\n", kBadFormat},
    {"set k x 0 5\r\n", kBadFormat, 7},
    {"set k -1 0 5\r\n", kBadFormat, 7},
    {"set k 4294967296 0 5\r\n", kBadFormat, 7},
    {"set k 0 x 5\r\n", kBadFormat, 7},
    {"set k 0 2147483648 5\r\n", kBadFormat, 7},
    {"set k 0 0 noreply\r\n", ""},
    {"set k 0 0 -1 noreply\r\n", ""},
    {"set k x 0 5 noreply\r\n", "", 7},
    {"set " + kTooLong + " 0 0 5\r\n", kBadFormat, 7},
    {"set " + kTooLong + " 0 0 5 noreply\r\n", "", 7},
    {"set a\tb 0 0 5\r\n", kBadFormat, 7},
    {"cas k 0 0 3\r\n", kError, 5},
    {"cas k 0 0 3 x\r\n", kBadFormat, 5},
    {"cas k 0 0 3 -1\r\n", kBadFormat, 5},
    {"cas k 0 0 3 noreply\r\n", "", 5},
    {"cas k 0 0 3 18446744073709551616\r\n", kBadFormat, 5},
    {"incr k\r\n", kError},
    {"incr k 1 2 3\r\n", kError},
    {"incr k x\r\n", kBadDelta},
    {"incr k -1\r\n", kBadDelta},
    {"incr k 18446744073709551616\r\n", kBadDelta},
    {"incr k x noreply\r\n", ""},
    {"incr k noreply\r\n", ""},
    {"decr " + kTooLong + " x\r\n", kBadFormat},
    {"touch k\r\n", kError},
    {"touch k x\r\n", kBadExptime},
    {"touch k noreply\r\n", ""},
    {"touch " + kTooLong + " x\r\n", kBadFormat},
    {"delete\r\n", kError},
    {"delete k 1\r\n", kBadDelete},
    {"delete k 00\r\n", kBadDelete},
    {"delete k 0 foo\r\n", kBadDelete},
    {"delete k 1 noreply\r\n", ""},
    {"delete k 0 0 0\r\n", kError},
    {"delete " + kTooLong + "\r\n", kBadFormat},
    {"verbosity\r\n", kError},
    {"verbosity x\r\n", kBadFormat},
    {"verbosity noreply\r\n", ""},
    {"flush_all x\r\n", kBadExptime},
    {"flush_all noreply noreply\r\n", ""},
    {"flush_all 0 0 0\r\n", kError},
    {"stats foo\r\n", kError},
    {"stats detail on\r\n", kError},
    {"mg k v\r\n", kError},
    {"ms k 3\r\n", kError, 5},
    {"ms k 3 T0\r\n", kError, 5},
    {"ms k x\r\n", kError},
    {"ms k\r\n", kError},
    // One line each: the line feed inside ends it, the rest is the next request.
    {"incr k 1 x y\nflush_all\r\n", kError},
    {"touch k x\nflush_all\r\n", kBadExptime},
};

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

TEST(MemcacheRequest, VerbNamesAreTheWordsThatParse) {
  for (size_t i = 0; i <= static_cast<size_t>(Verb::quit); ++i) {
    const auto verb = static_cast<Verb>(i);
    std::string line(verb_name(verb));
    if (verb == Verb::gat || verb == Verb::gats) line += " 0 k";
    else if (is_retrieval(verb) || verb == Verb::delete_) line += " k";
    else if (is_storage(verb)) line += " k 0 0 0 1";
    else if (verb <= Verb::touch) line += " k 1";
    else if (verb == Verb::verbosity) line += " 1";
    line += "\r\n\r\n";
    const auto [status, request] = parse(line);
    EXPECT_EQ(status, complete) << line;
    EXPECT_EQ(request.verb, verb) << line;
  }
}

}  // namespace
}  // namespace overlord::memcache
