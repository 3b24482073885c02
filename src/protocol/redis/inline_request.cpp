#include "protocol/redis/inline_request.h"

#include <algorithm>

#include "protocol/redis/writer.h"

namespace overlord::redis {
namespace {

constexpr size_t kHeaderRoom = 16;  // "*" + 10 digits + CRLF fits

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
// What ends a bare word is fewer than what may stand before one.
bool ends_word(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char escaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

class Splitter {
 public:
  explicit Splitter(std::string_view line) : line_(line) {}

  bool skip_space() {
    while (at_ < line_.size() && is_space(line_[at_])) ++at_;
    return at_ < line_.size();
  }

  bool word(std::string& out) {
    while (at_ < line_.size() && !ends_word(line_[at_])) {
      const char c = line_[at_++];
      if (c == '"' || c == '\'') {
        if (!(c == '"' ? double_quoted(out) : single_quoted(out))) return false;
        return at_ == line_.size() || is_space(line_[at_]);
      }
      out.push_back(c);
    }
    return true;
  }

 private:
  bool double_quoted(std::string& out) {
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      if (c == '"') return true;
      if (c != '\\' || at_ == line_.size()) {
        out.push_back(c);
        continue;
      }
      const char next = line_[at_++];
      if (next == 'x' && line_.size() - at_ >= 2 && hex_value(line_[at_]) >= 0 && hex_value(line_[at_ + 1]) >= 0) {
        out.push_back(static_cast<char>(hex_value(line_[at_]) * 16 + hex_value(line_[at_ + 1])));
        at_ += 2;
      } else {
        out.push_back(escaped(next));
      }
    }
    return false;
  }

  bool single_quoted(std::string& out) {
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      if (c == '\'') return true;
      if (c == '\\' && at_ < line_.size() && line_[at_] == '\'') {
        out.push_back('\'');
        ++at_;
      } else {
        out.push_back(c);
      }
    }
    return false;
  }

  std::string_view line_;
  size_t at_ = 0;
};

}  // namespace

bool split_inline(std::string_view line, std::string& wire, InlineWords& words) {
  words = {};
  wire.assign(kHeaderRoom, ' ');
  Splitter splitter(line);
  std::string word;
  while (splitter.skip_space()) {
    word.clear();
    if (!splitter.word(word)) return false;
    append_bulk(wire, word);
    ++words.count;
  }
  std::string header;
  append_array_header(header, words.count);
  words.wire_begin = kHeaderRoom - header.size();
  std::copy(header.begin(), header.end(), wire.begin() + static_cast<std::ptrdiff_t>(words.wire_begin));
  return true;
}

}  // namespace overlord::redis
