#include "hashing/md5.h"

#include <bit>
#include <cstddef>

#include "hashing/bytes.h"

namespace overlord::hashing {
namespace {

constexpr std::size_t kBlock = 64;

// floor(2^32 * |sin(i + 1)|)
constexpr std::array<std::uint32_t, 64> kSine = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

constexpr std::array<std::array<int, 4>, 4> kShift = {{
    {7, 12, 17, 22},
    {5, 9, 14, 20},
    {4, 11, 16, 23},
    {6, 10, 15, 21},
}};

template <int kRound>
constexpr std::uint32_t mix(std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  if constexpr (kRound == 0) return d ^ (b & (c ^ d));
  if constexpr (kRound == 1) return c ^ (d & (b ^ c));
  if constexpr (kRound == 2) return b ^ c ^ d;
  if constexpr (kRound == 3) return c ^ (b | ~d);
}

template <int kRound>
constexpr unsigned word_of_step(unsigned i) {
  constexpr std::array<unsigned, 4> kStride = {1, 5, 3, 7};
  constexpr std::array<unsigned, 4> kStart = {0, 1, 5, 0};
  return (kStart[kRound] + kStride[kRound] * i) % 16;
}

template <int kRound>
inline void round(Md5Digest& state, const std::array<std::uint32_t, 16>& words) {
  auto [a, b, c, d] = state;
#pragma GCC unroll 16
  for (unsigned i = 0; i < 16; ++i) {
    const std::uint32_t sum = a + mix<kRound>(b, c, d) + kSine[kRound * 16 + i] + words[word_of_step<kRound>(i)];
    a = d;
    d = c;
    c = b;
    b += std::rotl(sum, kShift[kRound][i % 4]);
  }
  state = {a, b, c, d};
}

// The first kBlock bytes of the text.
void add_block(Md5Digest& state, std::string_view text) noexcept {
  std::array<std::uint32_t, 16> words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = load_le32(text, 4 * i);
  Md5Digest next = state;
  round<0>(next, words);
  round<1>(next, words);
  round<2>(next, words);
  round<3>(next, words);
  for (std::size_t i = 0; i < state.size(); ++i) state[i] += next[i];
}

}  // namespace

Md5Digest md5(std::string_view text) noexcept {
  Md5Digest state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const std::uint64_t bits = std::uint64_t{text.size()} * 8;
  while (text.size() >= kBlock) {
    add_block(state, text);
    text.remove_prefix(kBlock);
  }
  // The rest, a 1 bit, zeros, and the length in bits as the last 8 bytes: one block or two.
  std::array<char, 2 * kBlock> tail{};
  text.copy(tail.data(), text.size());
  tail[text.size()] = static_cast<char>(0x80);
  const std::size_t tail_size = text.size() + 9 <= kBlock ? kBlock : 2 * kBlock;
  for (std::size_t i = 0; i < 8; ++i) tail[tail_size - 8 + i] = static_cast<char>(bits >> (8 * i));
  const std::string_view padded(tail.data(), tail_size);
  for (std::size_t at = 0; at < tail_size; at += kBlock) add_block(state, padded.substr(at));
  return state;
}

}  // namespace overlord::hashing
