#include "protocol/memcache/binary_request.h"

#include <gtest/gtest.h>

#include <list>
#include <string>
#include <vector>

namespace overlord::memcache::binary {
namespace {

struct Parts {
  Opcode opcode = Opcode::get;
  std::string key;
  std::string extras;
  std::string value;
};

std::string frame(const Parts& parts, int key_more = 0, int body_more = 0) {
  std::string bytes(kHeaderSize, '\0');
  const Header header{.opcode = parts.opcode,
                      .key_size = static_cast<uint16_t>(static_cast<int>(parts.key.size()) + key_more),
                      .extras_size = static_cast<uint8_t>(parts.extras.size()),
                      .body_size = static_cast<uint32_t>(
                          static_cast<int>(parts.extras.size() + parts.key.size() + parts.value.size()) + body_more),
                      .opaque = 0x01020304,
                      .cas = 9};
  write_header(header, bytes.data());
  return bytes + parts.extras + parts.key + parts.value;
}

const std::string kStore("\0\0\0\7\0\0\1\0", 8);
const std::string kCount("\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\xff\xff\xff\xff", 20);
const std::string kFour("\0\0\0\5", 4);

struct Verdict {
  std::string bytes;
  ParseStatus result;
  Status status = Status::ok;
};

// Outlives the request that is parsed from it, whose views point into it.
const std::string& kept_frame(const Parts& parts, int key_more = 0, int body_more = 0) {
  static std::list<std::string> kept;
  return kept.emplace_back(frame(parts, key_more, body_more));
}

Verdict parse(const std::string& bytes, const Limits& limits, Request& out) {
  const ParseStatus result = parse_binary_request(bytes, limits, out);
  return {bytes, result, out.status};
}

TEST(BinaryRequest, FieldsOfGoodOnes) {
  Request r;
  const std::string set = frame({Opcode::setq, "key", kStore, "value"});
  const std::string bytes = set + "more";
  ASSERT_EQ(parse_binary_request(bytes, {}, r), ParseStatus::complete);
  EXPECT_EQ(r.opcode, Opcode::set);
  EXPECT_TRUE(r.quiet);
  EXPECT_FALSE(r.encoded_key);
  EXPECT_EQ(r.key, "key");
  EXPECT_EQ(r.value, "value");
  EXPECT_EQ(r.value_size, 5u);
  EXPECT_EQ(r.flags, 7u);
  EXPECT_EQ(r.exptime, 256u);
  EXPECT_EQ(r.size, set.size());
  EXPECT_EQ(r.header.opaque, 0x01020304u);
  EXPECT_EQ(r.header.cas, 9u);

  ASSERT_EQ(parse_binary_request(kept_frame({Opcode::decrement, "n", kCount, ""}), {}, r), ParseStatus::complete);
  EXPECT_EQ(r.delta, 2u);
  EXPECT_EQ(r.initial, 3u);
  EXPECT_EQ(r.exptime, kDoNotCreate);
  ASSERT_EQ(parse_binary_request(kept_frame({Opcode::gatkq, "k", kFour, ""}), {}, r), ParseStatus::complete);
  EXPECT_EQ(r.opcode, Opcode::gatk);
  EXPECT_EQ(r.exptime, 5u);
  ASSERT_EQ(parse_binary_request(kept_frame({Opcode::flush, "", "", ""}), {}, r), ParseStatus::complete);
  EXPECT_EQ(r.exptime, 0u);
}

TEST(BinaryRequest, KeysThatTextCannotCarryAreMarked) {
  Request r;
  for (const std::string key : {"a b", "\r", "k\x7f", "\n"}) {
    ASSERT_EQ(parse_binary_request(kept_frame({Opcode::get, key, "", ""}), {}, r), ParseStatus::complete);
    EXPECT_TRUE(r.encoded_key);
  }
  ASSERT_EQ(parse_binary_request(kept_frame({Opcode::get, "\x80\xff" + std::string(248, 'k'), "", ""}), {}, r),
            ParseStatus::complete);
  EXPECT_FALSE(r.encoded_key);
  const std::string longest = " " + std::string(kMaxEncodedKey - 1, 'k');
  EXPECT_EQ(parse_binary_request(kept_frame({Opcode::get, longest, "", ""}), {}, r), ParseStatus::complete);
  EXPECT_EQ(parse_binary_request(kept_frame({Opcode::get, longest + "k", "", ""}), {}, r), ParseStatus::refused);
  EXPECT_EQ(r.status, Status::invalid);
}

TEST(BinaryRequest, EveryPieceWaitsForMore) {
  for (const Parts& parts : {Parts{Opcode::get, "key", "", ""}, Parts{Opcode::set, "key", kStore, "value"},
                             Parts{Opcode::append, "key", "", "value"}, Parts{Opcode::increment, "n", kCount, ""},
                             Parts{Opcode::sasl_auth, "PLAIN", "", "secret"}}) {
    const std::string whole = frame(parts);
    for (size_t size = 0; size < whole.size(); ++size) {
      Request r;
      const std::string piece = whole.substr(0, size);
      const bool value = has_value(parts.opcode) && size >= whole.size() - parts.value.size();
      ASSERT_EQ(parse_binary_request(piece, {}, r), value ? ParseStatus::value : ParseStatus::incomplete) << size;
      if (!value) continue;
      EXPECT_EQ(r.value, parts.value.substr(0, size - (whole.size() - parts.value.size())));
      EXPECT_EQ(r.value_size, parts.value.size());
    }
  }
}

TEST(BinaryRequest, WhatDoesNotFitCloses) {
  const std::vector<Verdict> cases = {
      {frame({Opcode::get, "key", "", ""}, 1), ParseStatus::fatal, Status::unknown_command},
      {frame({Opcode::set, "key", kStore, ""}, 0, -4), ParseStatus::fatal, Status::unknown_command},
      {frame({Opcode::get, std::string(251, 'k'), "", ""}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::get, "", "", ""}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::get, "k", "ext", ""}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::get, "k", "", "v"}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::set, "k", kFour, "v"}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::append, "k", kStore, "v"}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::increment, "k", kStore, ""}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::touch, "k", "", ""}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::touch, "k", kFour, "v"}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::flush, "", "ex", ""}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::stat, "items", "", "v"}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::noop, "", "", "v"}), ParseStatus::fatal, Status::invalid},
      {frame({Opcode::sasl_auth, "", "", "v"}), ParseStatus::fatal, Status::invalid},
      {"\x81", ParseStatus::fatal, Status::ok},
      {"get k\r\n", ParseStatus::fatal, Status::ok},
  };
  for (const Verdict& wanted : cases) {
    Request r;
    const Verdict got = parse(wanted.bytes, {}, r);
    EXPECT_EQ(got.result, wanted.result) << wanted.bytes;
    EXPECT_EQ(got.status, wanted.status) << wanted.bytes;
  }
}

TEST(BinaryRequest, WhatIsRefusedGoesOn) {
  Request r;
  const std::string unknown = frame({static_cast<Opcode>(0x1f), "key", "ex", "value"});
  EXPECT_EQ(parse_binary_request(unknown.substr(0, kHeaderSize), {}, r), ParseStatus::refused);
  EXPECT_EQ(r.status, Status::unknown_command);
  EXPECT_EQ(r.size, unknown.size());
  EXPECT_EQ(parse_binary_request(kept_frame({Opcode::set, "k", kStore, "12345"}), {.max_value = 4}, r),
            ParseStatus::refused);
  EXPECT_EQ(r.status, Status::too_large);
  EXPECT_EQ(parse_binary_request(kept_frame({Opcode::set, "k", kStore, "12345"}), {.max_request = 37}, r),
            ParseStatus::refused);
  EXPECT_EQ(r.status, Status::too_large);
  EXPECT_EQ(
      parse_binary_request(kept_frame({Opcode::set, "k", kStore, "12345"}), {.max_value = 5, .max_request = 38}, r),
      ParseStatus::complete);
}

TEST(BinaryRequest, BeforeTheLogin) {
  Request r;
  const Limits limits{.authenticated = false};
  EXPECT_EQ(parse_binary_request(kept_frame({Opcode::get, "k", "", ""}), limits, r), ParseStatus::fatal);
  EXPECT_EQ(r.status, Status::auth_error);
  EXPECT_EQ(parse_binary_request(kept_frame({Opcode::get, "k", "", ""}, 5), limits, r), ParseStatus::fatal);
  EXPECT_EQ(r.status, Status::unknown_command);
  for (const Parts& parts : {Parts{Opcode::version, "", "", ""}, Parts{Opcode::sasl_list_mechs, "", "", ""},
                             Parts{Opcode::sasl_auth, "PLAIN", "", ""}, Parts{Opcode::sasl_step, "PLAIN", "", "x"}}) {
    EXPECT_EQ(parse_binary_request(kept_frame(parts), limits, r), ParseStatus::complete);
  }
  EXPECT_EQ(parse_binary_request(kept_frame({Opcode::sasl_auth, std::string(33, 'M'), "", ""}), limits, r),
            ParseStatus::refused);
  EXPECT_EQ(r.status, Status::invalid);
  EXPECT_EQ(
      parse_binary_request(kept_frame({Opcode::sasl_auth, "PLAIN", "", std::string(kMaxSecret + 1, 's')}), limits, r),
      ParseStatus::refused);
  EXPECT_EQ(r.status, Status::auth_error);
  EXPECT_EQ(parse_binary_request(kept_frame({Opcode::sasl_auth, "PLAIN", "", ""}), {.sasl = false}, r),
            ParseStatus::refused);
  EXPECT_EQ(r.status, Status::unknown_command);
}

}  // namespace
}  // namespace overlord::memcache::binary
