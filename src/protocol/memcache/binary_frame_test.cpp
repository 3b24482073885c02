#include "protocol/memcache/binary_frame.h"

#include <gtest/gtest.h>

#include <string>

namespace overlord::memcache::binary {
namespace {

TEST(BinaryFrame, HeaderIsBigEndianInItsPlaces) {
  const Header header{.magic = kReplyMagic,
                      .opcode = Opcode::gatkq,
                      .key_size = 0x0102,
                      .extras_size = 3,
                      .data_type = 4,
                      .status = 0x0506,
                      .body_size = 0x0708090a,
                      .opaque = 0x0b0c0d0e,
                      .cas = 0x0f10111213141516};
  std::string bytes(kHeaderSize, '\0');
  write_header(header, bytes.data());
  EXPECT_EQ(bytes, std::string("\x81\x24\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"
                               "\x0f\x10\x11\x12\x13\x14\x15\x16"));
  const Header again = read_header(bytes.data());
  EXPECT_EQ(again.magic, header.magic);
  EXPECT_EQ(again.opcode, header.opcode);
  EXPECT_EQ(again.key_size, header.key_size);
  EXPECT_EQ(again.extras_size, header.extras_size);
  EXPECT_EQ(again.data_type, header.data_type);
  EXPECT_EQ(again.status, header.status);
  EXPECT_EQ(again.body_size, header.body_size);
  EXPECT_EQ(again.opaque, header.opaque);
  EXPECT_EQ(again.cas, header.cas);
}

TEST(BinaryFrame, NumbersOfTheExtras) {
  char bytes[8];
  write_u32(0xfedcba98, bytes);
  EXPECT_EQ(std::string(bytes, 4), "\xfe\xdc\xba\x98");
  EXPECT_EQ(read_u32(bytes), 0xfedcba98);
  write_u64(0xfedcba9876543210, bytes);
  EXPECT_EQ(std::string(bytes, 8), "\xfe\xdc\xba\x98\x76\x54\x32\x10");
  EXPECT_EQ(read_u64(bytes), 0xfedcba9876543210);
}

TEST(BinaryFrame, QuietFormsHaveALoudOne) {
  int quiet = 0;
  for (int n = 0; n < 256; ++n) {
    const auto opcode = static_cast<Opcode>(n);
    quiet += is_quiet(opcode) ? 1 : 0;
    EXPECT_FALSE(is_quiet(loud(opcode))) << n;
  }
  EXPECT_EQ(quiet, 14);
  EXPECT_EQ(loud(Opcode::getkq), Opcode::getk);
  EXPECT_EQ(loud(Opcode::quitq), Opcode::quit);
  EXPECT_EQ(loud(Opcode::noop), Opcode::noop);
}

TEST(BinaryFrame, EveryErrorHasAText) {
  for (const Status status :
       {Status::not_found, Status::exists, Status::too_large, Status::invalid, Status::not_stored, Status::not_a_number,
        Status::auth_error, Status::auth_continue, Status::unknown_command, Status::out_of_memory,
        Status::not_supported, Status::internal_error, Status::busy, Status::temporary_failure}) {
    EXPECT_FALSE(status_text(status).empty());
  }
  EXPECT_EQ(status_text(Status::ok), "");
}

}  // namespace
}  // namespace overlord::memcache::binary
