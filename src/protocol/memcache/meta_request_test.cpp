#include "protocol/memcache/meta_request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/base64.h"
#include "protocol/memcache/meta_reply.h"

namespace overlord::memcache {
namespace {

using enum ParseStatus;

struct Parsed {
  ParseStatus status;
  MetaRequest request;
  std::string line;  // as a node gets it
};

Parsed parse(std::string_view bytes, Limits limits = {}) {
  EXPECT_TRUE(is_meta(bytes)) << bytes;
  Parsed parsed;
  parsed.status = parse_meta_request(bytes, limits, parsed.request);
  if (parsed.status == complete || parsed.status == value) parsed.request.append_line(parsed.line);
  return parsed;
}

TEST(MetaRequest, WhatAMetaCommandIs) {
  for (const std::string_view yes : {"mg k", "ms ", "md\r\n", "ma\n", "mn\r\n", "me k", "   mg k"}) {
    EXPECT_TRUE(is_meta(yes)) << yes;
  }
  for (const std::string_view no :
       {"", "m", "mg", "mgg k", "mx k", "MG k", "mg\tk", "get k", " get k", "mset k", "  "}) {
    EXPECT_FALSE(is_meta(no)) << no;
  }
}

TEST(MetaRequest, LinesThatAreServed) {
  struct Case {
    std::string wire;
    std::string line;
    bool canonical = true;
    bool quiet = false;
  };
  const Case cases[] = {
      {"mg k\r\n", "mg k"},
      {"mg k v\n", "mg k v", false},
      {"  mg  k  v  \r\n", "mg  k  v", false},
      {"mg k v  \r\n", "mg k v", false},
      {"mg k v q\r\n", "mg k v", false, true},
      {"mg k q v\r\n", "mg k v", false, true},
      {"mg k q\r\n", "mg k", false, true},
      {"mg k qx t\r\n", "mg k t", false, true},
      {"mg k s v f t c l h k Oabc u N30 R30 T0\r\n", "mg k s v f t c l h k Oabc u N30 R30 T0"},
      {"mg k E5 Sx z\r\n", "mg k E5 Sx z"},  // the node knows, or says that it does not
      {"md k I T30 q C5\r\n", "md k I T30 C5", false, true},
      {"ma k MD D5 J1 N0 v\r\n", "ma k MD D5 J1 N0 v"},
      {"ms k 3 T0 F5 I q\r\nabc\r\n", "ms k 3 T0 F5 I", false, true},
      {"ms k 0\r\n\r\n", "ms k 0"},
      {"me k\r\n", "me k"},
      {"me k v q\r\n", "me k", false},
      {"me YWJj b v\r\n", "me YWJj b", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.wire);
    const Parsed parsed = parse(c.wire);
    ASSERT_EQ(parsed.status, complete);
    EXPECT_EQ(parsed.line, c.line);
    EXPECT_EQ(parsed.request.canonical, c.canonical);
    EXPECT_EQ(parsed.request.quiet, c.quiet);
    EXPECT_EQ(parsed.request.size, c.wire.size());
    if (c.canonical) EXPECT_EQ(c.wire.substr(0, parsed.request.line_size), c.line + "\r\n");
  }
}

TEST(MetaRequest, EverySplitIsIncompleteUntilWhole) {
  const std::string wire = "ms YWJj 3 b q T0\r\nabc\r\n";
  const size_t line = wire.find('\n') + 1;
  for (size_t n = 3; n < wire.size(); ++n) {
    const std::vector<char> part(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(n));
    MetaRequest request;
    const ParseStatus status = parse_meta_request({part.data(), part.size()}, {}, request);
    ASSERT_EQ(status, n < line ? incomplete : value) << n;
  }
}

TEST(MetaRequest, Refusals) {
  const std::string too_long(251, 'k');
  std::string flags17, flags18;
  for (int i = 0; i < 18; ++i) {
    if (i < 17) flags17 += std::string(" ") + static_cast<char>('A' + i);
    flags18 += std::string(" ") + static_cast<char>('A' + i);
  }
  struct Case {
    std::string line;
    std::string_view error;
    uint64_t swallow = 0;
  };
  const Case cases[] = {
      {"mg\r\n", kError},
      {"mg  \r\n", kError},
      {"ms\r\n", kError},
      {"md\r\n", kError},
      {"ma\r\n", kError},
      {"me\r\n", kBadFormat},
      {"mg " + too_long + " v\r\n", kBadFormat},
      {"ms " + too_long + " 3\r\n", kBadFormat, 5},
      {"mg k\x01 v\r\n", kBadFormat},
      {"mg k v\x7f\r\n", kBadFormat},
      {"ms k\r\n", kBadFormat},
      {"ms k S3\r\n", kBadFormat},
      {"ms k -1\r\n", kBadFormat},
      {"ms k +3\r\n", kBadFormat},
      {"ms k 2147483646\r\n", kBadFormat},
      {"ms k 4294967299\r\n", kBadFormat},
      {"ms k 3 v v\r\n", kMetaDuplicateFlag, 5},
      {"ms k 1048577\r\n", kTooLarge, 1048579},
      {"mg k v v\r\n", kMetaDuplicateFlag},
      {"mg k q q\r\n", kMetaDuplicateFlag},
      {"mg k \x80\r\n", kMetaDuplicateFlag},
      {"mg k z q q\r\n", kMetaInvalidFlag},
      {"md k v v\r\n", kMetaBadFlag},
      {"ma k z v v\r\n", kMetaBadFlag},
      {"mg !!! b\r\n", kMetaBadKey},
      {"mg !!! b z\r\n", kMetaInvalidFlag},
      {"ms YWJ 3 b\r\n", kMetaBadKey, 5},
      {"md YWJ b\r\n", kMetaBadFlag},
      {"me YWJ b\r\n", kBadFormat},
      {"me Cg== b\r\n", kBadFormat},  // a line feed: it may come back undecoded
      {"mg k" + flags18 + "\r\n", kMetaGetTooManyFlags},
      {"md k" + flags18 + "\r\n", kMetaTooManyFlags},
      {"ms k 3" + flags17 + "\r\n", kMetaTooManyFlags, 5},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::PrintToString(c.line));
    const Parsed parsed = parse(c.line, {.max_value = 1 << 20});
    ASSERT_EQ(parsed.status, refused);
    EXPECT_EQ(parsed.request.error, c.error);
    EXPECT_EQ(parsed.request.size, c.line.size());
    EXPECT_EQ(parsed.request.swallow, c.swallow);
  }
  EXPECT_EQ(parse("mg k" + flags17 + "\r\n").status, complete);
  EXPECT_EQ(parse("mg " + std::string(250, 'k') + "\r\n").status, complete);
}

TEST(MetaRequest, LongLinesAreFatal) {
  EXPECT_EQ(parse("mg " + std::string(2040, 'k')).status, incomplete);
  const Parsed parsed = parse("mg " + std::string(2045, 'k'));
  EXPECT_EQ(parsed.status, fatal);
  EXPECT_EQ(parsed.request.error, kLineTooLong);
  EXPECT_EQ(parse("mn " + std::string(2044, 'x') + "\r\n").status, fatal);
}

TEST(MetaRequest, KeysAreRoutedByTheirBytes) {
  EXPECT_EQ(parse("mg abc v\r\n").request.routing_key(), "abc");
  const Parsed binary = parse("mg YWJj b v\r\n");
  EXPECT_EQ(binary.request.routing_key(), "abc");
  EXPECT_EQ(binary.request.key, "YWJj");
  EXPECT_EQ(parse("me YWJj b\r\n").request.routing_key(), "abc");
  // memcached looks for a b right behind the key of me, nowhere else.
  EXPECT_EQ(parse("me YWJj q b\r\n").request.routing_key(), "YWJj");
}

TEST(MetaRequest, Base64) {
  const auto decode = [](std::string_view text) {
    char out[64];
    return std::string(out, decode_base64(text, out));
  };
  EXPECT_EQ(decode("YQ=="), "a");
  EXPECT_EQ(decode("YWI="), "ab");
  EXPECT_EQ(decode("YWJj"), "abc");
  EXPECT_EQ(decode("YWJjZGVm"), "abcdef");
  EXPECT_EQ(decode("//79+w=="), "\xff\xfe\xfd\xfb");
  EXPECT_EQ(decode("AAA="), std::string(2, '\0'));
  for (const std::string_view bad : {"", "Y", "YQ", "YQ=", "=", "====", "Y===", "YQ==YQ==", "Y=Q=", "YW*j", "YWJjZ"}) {
    EXPECT_EQ(decode(bad), "") << bad;
  }
}

// Such keys come back undecoded from items that mg or ma made: the node must not be asked to show them.
TEST(MetaRequest, KeysThatWouldBreakAReplyAreHidden) {
  const Parsed parsed = parse("mg Cg== b t Oo k v\r\n");
  EXPECT_TRUE(parsed.request.hidden_key);
  EXPECT_EQ(parsed.line, "mg Cg== b t Oo v");
  EXPECT_EQ(parsed.request.flags_before_hit, 2);
  EXPECT_EQ(parsed.request.flags_before_miss, 1);
  EXPECT_EQ(parse("mg Cg== k q b\r\n").line, "mg Cg== b");
  EXPECT_EQ(parse("mg Cg== q b k\r\n").line, "mg Cg== b");
  EXPECT_EQ(parse("mg Cg== b\r\n").line, "mg Cg== b");
  EXPECT_EQ(parse("mg YWJj b k\r\n").line, "mg YWJj b k");
  EXPECT_EQ(parse("md Cg== b k\r\n").line, "md Cg== b k");  // shown as it was sent
}

TEST(MetaReply, Kinds) {
  const auto kind = [](std::string_view bytes) { return parse_meta_reply_line(bytes).kind; };
  for (const std::string_view line : {"HD\r\n", "EN\r\n", "NS kk\r\n", "EX Oo\r\n", "NF\r\n", "MN\r\n", "OK\r\n",
                                      "HD c5 t-1 W\r\n", "ME k exp=-1 la=0 cas=1 fetch=no cls=1 size=60\r\n"}) {
    EXPECT_EQ(kind(line), ReplyKind::line) << line;
    EXPECT_EQ(parse_meta_reply_line(line).size, line.size());
  }
  for (const std::string_view line : {"ERROR\r\n", "CLIENT_ERROR invalid flag\r\n", "SERVER_ERROR x\r\n"}) {
    EXPECT_EQ(kind(line), ReplyKind::error) << line;
  }
  const ReplyLine va = parse_meta_reply_line("VA 3 s3 W\r\nabc\r\n");
  EXPECT_EQ(va.kind, ReplyKind::value);
  EXPECT_EQ(va.value_size, 3u);
  EXPECT_EQ(va.size, 11u);
  for (const std::string_view bad : {"VA\r\n", "VA x\r\n", "VA  3\r\n", "VA -1\r\n", "VA 99999999999\r\n", "HDx\r\n",
                                     "HD\n", "\r\n", "STORED\r\n", "END\r\n", "VALUE k 0 1\r\n", "HD k\x01\r\n"}) {
    EXPECT_EQ(kind(bad), ReplyKind::bad) << bad;
  }
  for (const std::string_view part : {"", "H", "HD", "HD\r", "VA 3"}) EXPECT_EQ(kind(part), ReplyKind::incomplete);
  EXPECT_EQ(kind(std::string(kMaxReplyLine, 'x')), ReplyKind::bad);
}

TEST(MetaReply, WhatQuietHides) {
  const auto hidden = [](MetaVerb verb) {
    std::string text;
    for (const std::string_view status :
         {"HD", "EN", "NS", "EX", "NF", "VA", "ERROR", "CLIENT_ERROR", "SERVER_ERROR"}) {
      if (meta_hidden(verb, status)) text.append(status).append(" ");
    }
    return text;
  };
  EXPECT_EQ(hidden(MetaVerb::get), "EN ");
  EXPECT_EQ(hidden(MetaVerb::set), "HD ");
  EXPECT_EQ(hidden(MetaVerb::delete_), "HD ");
  EXPECT_EQ(hidden(MetaVerb::arithmetic), "HD VA ");
}

TEST(MetaReply, AKeyIsPutWhereMemcachedHasIt) {
  const auto insert = [](std::string_view line, size_t hit, size_t miss) {
    std::string out;
    insert_key(line, "Cg==", hit, miss, out);
    return out;
  };
  EXPECT_EQ(insert("HD\r\n", 0, 0), "HD kCg== b\r\n");
  EXPECT_EQ(insert("HD t-1 Oo W\r\n", 2, 1), "HD t-1 Oo kCg== b W\r\n");
  EXPECT_EQ(insert("HD t-1 Oo W\r\n", 0, 0), "HD kCg== b t-1 Oo W\r\n");
  EXPECT_EQ(insert("VA 3 t-1\r\n", 1, 0), "VA 3 t-1 kCg== b\r\n");
  EXPECT_EQ(insert("EN Oo\r\n", 2, 1), "EN Oo kCg== b\r\n");
  EXPECT_EQ(insert("EN Oo\r\n", 2, 0), "EN kCg== b Oo\r\n");
  EXPECT_EQ(insert("SERVER_ERROR x\r\n", 1, 1), "SERVER_ERROR x\r\n");
  EXPECT_EQ(insert("HD\r\n", 7, 7), "HD kCg== b\r\n");  // fewer flags than asked for
}

}  // namespace
}  // namespace overlord::memcache
