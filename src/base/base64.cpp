#include "base/base64.h"

#include <cstdint>

namespace overlord {
namespace {

int8_t base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<int8_t>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<int8_t>(c - 'a' + 26);
  if (c >= '0' && c <= '9') return static_cast<int8_t>(c - '0' + 52);
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

void append_base64(std::string_view bytes, std::string& out) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view three = bytes.substr(i, 3);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < three.size() ? static_cast<unsigned char>(three[k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += k > three.size() ? '=' : kDigits[bits >> (18 - 6 * k) & 63];
  }
}

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  append_base64(bytes, out);
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string out(text.size() / 4 * 3, '\0');
  out.resize(decode_base64(text, out.data()));
  if (to_base64(out) != text) return std::nullopt;
  return out;
}

size_t decode_base64(std::string_view text, char* out) {
  if (text.empty() || text.size() % 4 != 0) return 0;
  size_t padding = 0;
  while (padding < 2 && text[text.size() - 1 - padding] == '=') ++padding;
  const size_t digits = text.size() - padding;
  uint32_t bits = 0;
  size_t size = 0;
  for (size_t i = 0; i < digits; ++i) {
    const int8_t digit = base64_digit(text[i]);
    if (digit < 0) return 0;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if (i % 4 == 0) continue;  // six bits are no byte yet
    out[size++] = static_cast<char>(bits >> (6 - 2 * (i % 4)));
  }
  return size;
}

}  // namespace overlord
