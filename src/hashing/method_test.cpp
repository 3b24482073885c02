#include "hashing/method.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <cstddef>
#include <random>
#include <set>
#include <string>

#include "hashing/algorithms.h"
#include "hashing/bytes.h"
#include "hashing/md5.h"
#include "hashing/slot.h"

namespace overlord::hashing {
namespace {

TEST(Method, EveryNameParsesAndComesBack) {
  std::set<Method> seen;
  for (const std::string_view name : method_names()) {
    const auto method = parse_method(name);
    ASSERT_TRUE(method) << name;
    seen.insert(*method);
    if (name == "one_at_a_time") {
      EXPECT_EQ(method_name(*method), "one_on_time");
    } else {
      EXPECT_EQ(method_name(*method), name);
    }
  }
  EXPECT_EQ(method_names().size(), 13u);
  EXPECT_EQ(seen.size(), 12u);
}

TEST(Method, OtherNamesAreRefused) {
  for (const char* name : {"", "sha1", "FNV1A_64", "fnv1a64", "fnv1a_64 ", "crc", "md5x"}) {
    EXPECT_FALSE(parse_method(name)) << name;
  }
}

// The worked values of the behavioural reference, by name rather than by table position.
TEST(Method, KnownValues) {
  const std::pair<const char*, std::uint32_t> expected[] = {
      {"fnv1a_64", 2336436402},      {"fnv1_64", 1576209164}, {"fnv1a_32", 4185952242},    {"fnv1_32", 1737638188},
      {"crc16", 3227819096},         {"crc32", 9860},         {"crc32a", 2793719750},      {"md5", 610147960},
      {"one_at_a_time", 2451084222}, {"hsieh", 2264676836},   {"one_on_time", 2451084222}, {"murmur", 1957635836},
  };
  for (const auto& [name, value] : expected) {
    for (const Compat compat : {Compat::overlord, Compat::twemproxy}) {
      EXPECT_EQ(hash(parse_method(name).value(), compat, "0123456789"), value) << name;
    }
  }
  EXPECT_EQ(crc16("123456789"), 0x31c3);
  EXPECT_EQ(slot("foo"), 12182);
}

TEST(Method, CrcOfManyBytesAtATimeIsThatOfOneByOne) {
  std::string key;
  for (int length = 0; length < 100; ++length) {
    EXPECT_EQ(crc16(key), static_cast<std::uint16_t>(crc16_wide(key))) << length;
    key.push_back(static_cast<char>(length * 37 + 200));
  }
}

// Sign extension spelled out: a byte above 127 sets the 24 bits above it.
TEST(Method, SignedBytesUnderTwemproxy) {
  constexpr std::uint32_t kByte = 0xffffffe9;
  const std::string key = "\xe9";
  const auto twemproxy = [&](Method method) { return hash(method, Compat::twemproxy, key); };
  EXPECT_EQ(twemproxy(Method::fnv1a_64), (0x84222325u ^ kByte) * 0x1b3u);
  EXPECT_EQ(twemproxy(Method::fnv1_64), (0x84222325u * 0x1b3u) ^ kByte);
  EXPECT_EQ(twemproxy(Method::fnv1a_32), (2166136261u ^ kByte) * 16777619u);
  EXPECT_EQ(twemproxy(Method::fnv1_32), (2166136261u * 16777619u) ^ kByte);
  EXPECT_EQ(twemproxy(Method::hsieh), hash(Method::hsieh, Compat::overlord, key));
}

std::string libcrypto_md5(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EXPECT_EQ(EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr), 1);
  return {reinterpret_cast<const char*>(digest), size};
}

// Every length over two block edges, with bytes of every value.
TEST(Md5, EqualsLibcrypto) {
  std::mt19937 random(20);
  for (std::size_t length = 0; length <= 300; ++length) {
    std::string text(length, '\0');
    for (char& byte : text) byte = static_cast<char>(random());
    const std::string expected = libcrypto_md5(text);
    ASSERT_EQ(expected.size(), 16u);
    const Md5Digest digest = md5(text);
    for (std::size_t i = 0; i < digest.size(); ++i) {
      EXPECT_EQ(digest[i], load_le32(expected, 4 * i)) << "length " << length;
    }
  }
}

}  // namespace
}  // namespace overlord::hashing
