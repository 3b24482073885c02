#include "protocol/memcache/binary_text.h"

#include <gtest/gtest.h>

#include <string>

#include "base/base64.h"

namespace overlord::memcache::binary {
namespace {

std::string command(Request request) {
  std::string out = ">";  // what is there stays
  append_meta_command(request, out);
  return out;
}

Request request(Opcode opcode, std::string_view key, uint64_t cas = 0) {
  Request r;
  r.opcode = opcode;
  r.key = key;
  r.header.cas = cas;
  return r;
}

TEST(BinaryText, Storage) {
  Request r = request(Opcode::set, "k");
  r.value_size = 5;
  r.flags = 7;
  r.exptime = 100;
  EXPECT_EQ(command(r), ">ms k 5 c F7 T100\r\n");
  r.exptime = 0xffffffff;
  r.header.cas = 12;
  EXPECT_EQ(command(r), ">ms k 5 c F7 T2147483647 C12\r\n");
  r.opcode = Opcode::add;
  EXPECT_EQ(command(r), ">ms k 5 c F7 T2147483647 C12\r\n");
  r.header.cas = 0;
  EXPECT_EQ(command(r), ">ms k 5 c ME F7 T2147483647\r\n");
  r.opcode = Opcode::replace;
  EXPECT_EQ(command(r), ">ms k 5 c MR F7 T2147483647\r\n");
  r = request(Opcode::append, "a b", 3);
  r.encoded_key = true;
  EXPECT_EQ(command(r), ">ms YSBi 0 c MA b C3\r\n");
  r.opcode = Opcode::prepend;
  EXPECT_EQ(command(r), ">ms YSBi 0 c MP b C3\r\n");
}

TEST(BinaryText, OtherCommands) {
  Request r = request(Opcode::get, " ", 5);
  r.encoded_key = true;
  EXPECT_EQ(command(r), ">mg IA== f c v b\r\n");
  EXPECT_EQ(command(request(Opcode::touch, "k", 5)), ">mg k f c T0\r\n");
  EXPECT_EQ(command(request(Opcode::gatk, "k", 5)), ">mg k f c v T0\r\n");
  EXPECT_EQ(command(request(Opcode::delete_, "k", 5)), ">md k C5\r\n");
  EXPECT_EQ(command(request(Opcode::delete_, "k")), ">md k\r\n");
  r = request(Opcode::increment, "n");
  r.delta = UINT64_MAX;
  r.initial = 4;
  r.exptime = 9;
  EXPECT_EQ(command(r), ">ma n MI v c D18446744073709551615 J4 N9\r\n");
  r.opcode = Opcode::decrement;
  r.exptime = kDoNotCreate;
  EXPECT_EQ(command(r), ">ma n MD v c D18446744073709551615\r\n");
}

TEST(BinaryText, Base64) {
  const std::string_view cases[][2] = {{"", ""},          {"f", "Zg=="},        {"fo", "Zm8="},
                                       {"foo", "Zm9v"},   {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"},
                                       {"\x80?>", "gD8+"}};
  for (const auto& [bytes, text] : cases) {
    std::string out;
    append_base64(bytes, out);
    EXPECT_EQ(out, text);
  }
}

TEST(BinaryText, Values) {
  const Outcome value = read_outcome(Opcode::get, "VALUE key 4294967295 5 18446744073709551615\r\nhello\r\n");
  EXPECT_EQ(value.status, Status::ok);
  EXPECT_TRUE(value.has_value);
  EXPECT_EQ(value.line_size, 45u);
  EXPECT_EQ(value.value_size, 5u);
  EXPECT_EQ(value.flags, 4294967295u);
  EXPECT_EQ(value.cas, UINT64_MAX);
  const Outcome meta = read_outcome(Opcode::get, "VA 5 f7 c9\r\nhello\r\n");
  EXPECT_TRUE(meta.has_value);
  EXPECT_EQ(meta.line_size, 12u);
  EXPECT_EQ(meta.value_size, 5u);
  EXPECT_EQ(meta.flags, 7u);
  EXPECT_EQ(meta.cas, 9u);
}

TEST(BinaryText, Statuses) {
  struct Case {
    Opcode opcode;
    std::string_view reply;
    Status status;
    std::string_view text;
  };
  constexpr std::string_view kMiss = "Not found";
  constexpr std::string_view kExists = "Data exists for key.";
  const Case cases[] = {
      {Opcode::get, "", Status::not_found, kMiss},
      {Opcode::gat, "EN\r\n", Status::not_found, kMiss},
      {Opcode::set, "HD c5\r\n", Status::ok, ""},
      {Opcode::set, "NF\r\n", Status::not_found, kMiss},
      {Opcode::set, "EX c0\r\n", Status::exists, kExists},
      {Opcode::add, "NS c0\r\n", Status::exists, kExists},
      {Opcode::replace, "NS c0\r\n", Status::not_found, kMiss},
      {Opcode::append, "NS c0\r\n", Status::not_stored, "Not stored."},
      {Opcode::set, "SERVER_ERROR object too large for cache\r\n", Status::too_large, "Too large."},
      {Opcode::set, "SERVER_ERROR out of memory storing object\r\n", Status::out_of_memory, "Out of memory"},
      {Opcode::increment, "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", Status::not_a_number,
       "Non-numeric server-side value for incr or decr"},
      {Opcode::set, "CLIENT_ERROR bad command line format\r\n", Status::invalid, "bad command line format"},
      {Opcode::set, "SERVER_ERROR what\r\n", Status::internal_error, "what"},
      {Opcode::set, "ERROR\r\n", Status::unknown_command, "Unknown command"},
      {Opcode::flush, "OK\r\n", Status::ok, ""},
      {Opcode::set, "WHAT\r\n", Status::internal_error, "Internal error"},
  };
  for (const Case& c : cases) {
    const Outcome got = read_outcome(c.opcode, c.reply);
    EXPECT_EQ(got.status, c.status) << c.reply;
    EXPECT_EQ(got.text, c.text) << c.reply;
    EXPECT_FALSE(got.has_value);
    EXPECT_EQ(got.line_size, c.reply.size());
  }
  EXPECT_EQ(read_outcome(Opcode::set, "HD c5\r\n").cas, 5u);
}

}  // namespace
}  // namespace overlord::memcache::binary
