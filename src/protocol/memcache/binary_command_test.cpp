#include "protocol/memcache/binary_command.h"

#include <gtest/gtest.h>

#include <string>

#include "protocol/memcache/text.h"

namespace overlord::memcache::binary {
namespace {

struct Translated {
  Command command;
  Header header;
  std::string extras;
  std::string key;
};

Translated ask(std::string_view bytes) {
  Translated out;
  translate(bytes, 7, out.command);
  if (!out.command.error.empty()) return out;
  const char* at = out.command.frame.data();
  out.header = read_header(at);
  out.extras.assign(at + kHeaderSize, out.header.extras_size);
  out.key.assign(at + kHeaderSize + out.header.extras_size, out.header.key_size);
  EXPECT_EQ(out.command.frame_size, kHeaderSize + out.extras.size() + out.key.size());
  EXPECT_EQ(out.header.body_size, out.extras.size() + out.key.size() + out.command.value_size);
  EXPECT_EQ(out.header.opaque, 7u);
  EXPECT_EQ(out.header.magic, kRequestMagic);
  return out;
}

uint32_t word(const std::string& extras, size_t at) { return read_u32(extras.data() + at); }

TEST(BinaryCommand, StorageCommands) {
  const Translated set = ask("set k 5 60 3\r\nabc\r\n");
  EXPECT_EQ(set.header.opcode, Opcode::set);
  EXPECT_EQ(set.key, "k");
  EXPECT_EQ(word(set.extras, 0), 5u);
  EXPECT_EQ(word(set.extras, 4), 60u);
  EXPECT_EQ(set.command.value_size, 3u);
  EXPECT_EQ(set.command.value_at, 14u);
  EXPECT_EQ(ask("add k 0 0 1\r\na\r\n").header.opcode, Opcode::add);
  EXPECT_EQ(ask("replace k 0 0 1\r\na\r\n").header.opcode, Opcode::replace);
  EXPECT_EQ(ask("append k 0 0 1\r\na\r\n").extras, "");
  EXPECT_EQ(ask("prepend k 0 0 1\r\na\r\n").header.opcode, Opcode::prepend);
  EXPECT_EQ(ask("cas k 0 0 1 99\r\na\r\n").header.cas, 99u);
  EXPECT_EQ(ask("cas k 0 0 1 0\r\na\r\n").header.cas, UINT64_MAX);
  // Times before now have no number of their own: the first second that counts as a date.
  EXPECT_EQ(word(ask("set k 0 -1 1\r\na\r\n").extras, 4), 2592001u);
  EXPECT_EQ(word(ask("touch k -5\r\n").extras, 0), 2592001u);
}

TEST(BinaryCommand, OtherTextCommands) {
  const Translated incr = ask("incr k 5\r\n");
  EXPECT_EQ(incr.header.opcode, Opcode::increment);
  EXPECT_EQ(read_u64(incr.extras.data()), 5u);
  EXPECT_EQ(word(incr.extras, 16), 0xffffffffu);
  EXPECT_EQ(ask("decr k 5\r\n").header.opcode, Opcode::decrement);
  EXPECT_EQ(ask("delete k\r\n").header.opcode, Opcode::delete_);
  EXPECT_EQ(ask("flush_all\r\n").extras, "");
  EXPECT_EQ(word(ask("flush_all 10\r\n").extras, 0), 10u);
  EXPECT_EQ(ask("stats items\r\n").key, "items");
  EXPECT_EQ(ask("stats reset\r\n").command.form, Form::stats_reset);
  EXPECT_EQ(ask("version\r\n").header.opcode, Opcode::version);
  EXPECT_EQ(ask("verbosity 1\r\n").command.error, kCommandNotInBinary);
  EXPECT_EQ(ask("nonsense\r\n").command.error, kError);
  EXPECT_EQ(ask("get").command.error, kError);
}

TEST(BinaryCommand, MetaCommands) {
  EXPECT_EQ(ask("mg k v\r\n").header.opcode, Opcode::get);
  EXPECT_TRUE(ask("mg k v\r\n").command.meta_value);
  EXPECT_FALSE(ask("mg k s\r\n").command.meta_value);
  EXPECT_EQ(ask("mg k T30\r\n").header.opcode, Opcode::touch);
  EXPECT_EQ(ask("mg k T30 s\r\n").header.opcode, Opcode::gat);
  EXPECT_EQ(word(ask("mg k T30 v\r\n").extras, 0), 30u);
  EXPECT_EQ(ask("mg YWJj b\r\n").key, "abc");
  const Translated set = ask("ms k 3 F9 T60 C5\r\nabc\r\n");
  EXPECT_EQ(set.header.opcode, Opcode::set);
  EXPECT_EQ(set.header.cas, 5u);
  EXPECT_EQ(word(set.extras, 0), 9u);
  EXPECT_EQ(ask("ms k 1 ME\r\na\r\n").header.opcode, Opcode::add);
  EXPECT_EQ(ask("ms k 1 MR\r\na\r\n").header.opcode, Opcode::replace);
  EXPECT_EQ(ask("ms k 1 MR C5\r\na\r\n").header.opcode, Opcode::set);
  EXPECT_EQ(ask("ms k 1 MA\r\na\r\n").header.opcode, Opcode::append);
  EXPECT_EQ(ask("ms k 1 C0\r\na\r\n").header.cas, UINT64_MAX);
  EXPECT_EQ(ask("md k C5\r\n").header.cas, 5u);
  const Translated arithmetic = ask("ma k MD D5 J9 N60\r\n");
  EXPECT_EQ(arithmetic.header.opcode, Opcode::decrement);
  EXPECT_EQ(read_u64(arithmetic.extras.data()), 5u);
  EXPECT_EQ(read_u64(arithmetic.extras.data() + 8), 9u);
  EXPECT_EQ(word(arithmetic.extras, 16), 60u);
  EXPECT_EQ(word(ask("ma k\r\n").extras, 16), 0xffffffffu);
}

TEST(BinaryCommand, WhatBinaryHasNoWordsFor) {
  for (const std::string_view line :
       {"mg k N30\r\n", "mg k R30\r\n", "mg k t\r\n", "mg k h\r\n", "mg k l\r\n", "mg k u\r\n", "md k I\r\n",
        "ma k T1\r\n", "ma k t\r\n", "ms k 1 I C5\r\na\r\n"}) {
    EXPECT_EQ(ask(line).command.error, kNotInBinary) << line;
  }
  EXPECT_EQ(ask("me k\r\n").command.error, kCommandNotInBinary);
  EXPECT_EQ(ask("mg k Tx\r\n").command.error, kMetaBadToken);
  EXPECT_EQ(ask("mg k z\r\n").command.error, kMetaInvalidFlag);
  EXPECT_EQ(ask("md k Cx\r\n").command.error, kMetaBadFlag);
  EXPECT_EQ(ask("ms k 1 MX\r\n").command.error, kMetaBadSetMode);
  EXPECT_EQ(ask("ma k MX\r\n").command.error, kMetaBadArithmeticMode);
}

TEST(BinaryCommand, Retrievals) {
  char frame[kMaxRetrieval];
  const std::string key(250, 'k');
  ASSERT_EQ(write_retrieval("gats 60", key, 3, true, frame), kMaxRetrieval);
  EXPECT_EQ(read_header(frame).opcode, Opcode::gatkq);
  EXPECT_EQ(read_u32(frame + kHeaderSize), 60u);
  make_loud(frame);
  EXPECT_EQ(read_header(frame).opcode, Opcode::gatk);
  ASSERT_EQ(write_retrieval("get", "k", 3, false, frame), kHeaderSize + 1);
  EXPECT_EQ(read_header(frame).opcode, Opcode::getk);
  EXPECT_EQ(read_header(frame).opaque, 3u);
}

std::string line(Form form, Status status, std::string_view body = {}) {
  std::string out;
  const Reply reply{.header = {.status = static_cast<uint16_t>(status)}, .extras = {}, .key = {}, .body = body};
  EXPECT_TRUE(append_line_reply(form, reply, out));
  return out;
}

TEST(BinaryCommand, RepliesToTextCommands) {
  EXPECT_EQ(line(Form::set, Status::ok), "STORED\r\n");
  EXPECT_EQ(line(Form::set, Status::not_stored), "NOT_STORED\r\n");  // append to nothing
  EXPECT_EQ(line(Form::add, Status::exists), "NOT_STORED\r\n");
  EXPECT_EQ(line(Form::replace, Status::not_found), "NOT_STORED\r\n");
  EXPECT_EQ(line(Form::cas, Status::exists), "EXISTS\r\n");
  EXPECT_EQ(line(Form::cas, Status::not_found), "NOT_FOUND\r\n");
  EXPECT_EQ(line(Form::delete_, Status::ok), "DELETED\r\n");
  EXPECT_EQ(line(Form::delete_, Status::not_found), "NOT_FOUND\r\n");
  EXPECT_EQ(line(Form::arithmetic, Status::ok, std::string_view("\0\0\0\0\0\0\1\0", 8)), "256\r\n");
  EXPECT_EQ(line(Form::arithmetic, Status::not_a_number), kNotNumeric);
  EXPECT_EQ(line(Form::touch, Status::ok), "TOUCHED\r\n");
  EXPECT_EQ(line(Form::flush, Status::ok), "OK\r\n");
  EXPECT_EQ(line(Form::version, Status::ok, "1.6.18"), "VERSION 1.6.18\r\n");
  EXPECT_EQ(line(Form::set, Status::too_large, "Too large."), kTooLarge);
  EXPECT_EQ(line(Form::set, Status::out_of_memory), kStoreOutOfMemory);
  EXPECT_EQ(line(Form::set, Status::unknown_command), kError);
  EXPECT_EQ(line(Form::set, Status::busy, "Too busy"), "SERVER_ERROR Too busy\r\n");
  EXPECT_EQ(line(Form::set, Status::internal_error, "a\r\nb"), "SERVER_ERROR binary backend failed\r\n");
  std::string out;
  EXPECT_FALSE(append_line_reply(Form::arithmetic, {.header = {}, .extras = {}, .key = {}, .body = "short"}, out));
  EXPECT_FALSE(append_line_reply(Form::version, {.header = {}, .extras = {}, .key = {}, .body = "1\r\n2"}, out));
}

std::string meta(std::string_view command, Status status, std::string_view extras = {}, std::string_view body = {},
                 uint64_t value_size = 0) {
  std::string out;
  const Reply reply{.header = {.status = static_cast<uint16_t>(status), .cas = 77},
                    .extras = extras,
                    .key = {},
                    .body = body,
                    .value_size = value_size};
  EXPECT_TRUE(append_meta_reply(command, reply, out));
  return out;
}

TEST(BinaryCommand, RepliesToMetaCommands) {
  constexpr std::string_view kFive("\0\0\0\5", 4);
  constexpr std::string_view kNumber("\0\0\0\0\0\0\0\14", 8);
  EXPECT_EQ(meta("mg k v s f c k Oo\r\n", Status::ok, kFive, {}, 3), "VA 3 s3 f5 c77 kk Oo\r\n");
  EXPECT_EQ(meta("mg YWJj b k f\r\n", Status::ok, kFive, {}, 3), "HD kYWJj b f5\r\n");
  EXPECT_EQ(meta("mg k v s f c k Oo\r\n", Status::not_found), "EN kk Oo\r\n");
  EXPECT_EQ(meta("ms k 3 c k\r\n", Status::ok), "HD c77 kk\r\n");
  EXPECT_EQ(meta("ms k 3 c MR\r\n", Status::not_found), "NS c0\r\n");
  EXPECT_EQ(meta("ms k 3 MR C5\r\n", Status::not_found), "NF\r\n");
  EXPECT_EQ(meta("ms k 3 ME\r\n", Status::exists), "NS\r\n");
  EXPECT_EQ(meta("ms k 3 C5\r\n", Status::exists), "EX\r\n");
  EXPECT_EQ(meta("ms k 3 MA\r\n", Status::not_stored), "NS\r\n");
  EXPECT_EQ(meta("ms k 3\r\n", Status::too_large), kTooLarge);
  EXPECT_EQ(meta("md k C5 Oo\r\n", Status::exists), "EX Oo\r\n");
  EXPECT_EQ(meta("ma k v c\r\n", Status::ok, {}, kNumber), "VA 2 c77\r\n12\r\n");
  EXPECT_EQ(meta("ma k c\r\n", Status::ok, {}, kNumber), "HD c77\r\n");
  EXPECT_EQ(meta("ma k c k\r\n", Status::not_found), "NF kk\r\n");
  EXPECT_EQ(meta("ma k\r\n", Status::not_a_number), kNotNumeric);
  std::string out;
  EXPECT_FALSE(append_meta_reply("mg k f\r\n", {.header = {}, .extras = "ab", .key = {}, .body = {}}, out));
  EXPECT_FALSE(append_meta_reply("ma k\r\n", {.header = {}, .extras = {}, .key = {}, .body = "1"}, out));
}

TEST(BinaryCommand, ItemsAndStatistics) {
  std::string out;
  Reply reply{.header = {.cas = 9}, .extras = std::string_view("\0\0\0\5", 4), .key = "k", .body = {}, .value_size = 3};
  EXPECT_TRUE(append_value_line(reply, false, out));
  EXPECT_TRUE(append_value_line(reply, true, out));
  EXPECT_EQ(out, "VALUE k 5 3\r\nVALUE k 5 3 9\r\n");
  reply.key = "a b";
  EXPECT_FALSE(append_value_line(reply, false, out));
  reply.key = {};
  EXPECT_FALSE(append_value_line(reply, false, out));
  out.clear();
  EXPECT_TRUE(append_stat_line({.header = {}, .extras = {}, .key = "pid", .body = "1"}, out));
  EXPECT_EQ(out, "STAT pid 1\r\n");
  EXPECT_FALSE(append_stat_line({.header = {}, .extras = {}, .key = "pid", .body = "1\r\nEND"}, out));
}

}  // namespace
}  // namespace overlord::memcache::binary
