#include "base/text_escape.h"

#include <cstddef>

namespace overlord {

namespace {

constexpr char kHex[] = "0123456789abcdef";

unsigned char byte_at(std::string_view text, size_t at) { return static_cast<unsigned char>(text[at]); }

// How many bytes the character at the front of the text takes when it is well-formed (Unicode 15, table 3-7) and
// prints; 0 when it does not: a control character, of the second block (C1) too, or no UTF-8.
size_t printable_size(std::string_view text) {
  const unsigned char first = byte_at(text, 0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte_at(text, i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte_at(text, 1);
  switch (first) {
    case 0xc2:
    case 0xe0: return second < 0xa0 ? 0 : size;
    case 0xed: return second > 0x9f ? 0 : size;  // halves of surrogate pairs
    case 0xf0: return second < 0x90 ? 0 : size;
    case 0xf4: return second > 0x8f ? 0 : size;
    default: return size;
  }
}

void append_hex(std::string& out, std::string_view prefix, unsigned char byte) {
  out.append(prefix);
  out.push_back(kHex[byte >> 4]);
  out.push_back(kHex[byte & 15]);
}

}  // namespace

void append_one_line(std::string& out, std::string_view text) {
  while (!text.empty()) {
    size_t size = printable_size(text);
    if (size > 0) {
      out.append(text.substr(0, size));
    } else {
      append_hex(out, "\\x", byte_at(text, 0));
      size = 1;
    }
    text.remove_prefix(size);
  }
}

void append_json_text(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const unsigned char first = byte_at(text, 0);
    size_t size = printable_size(text);
    if (first == '"' || first == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(first));
    } else if (size > 0) {
      out.append(text.substr(0, size));
    } else {
      size = 1;
      append_hex(out, first < 0x80 ? "\\u00" : "\\\\x", first);
    }
    text.remove_prefix(size);
  }
}

}  // namespace overlord
