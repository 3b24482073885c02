#include "protocol/memcache/reply_line.h"

#include <algorithm>

#include "protocol/memcache/request_parser.h"
#include "protocol/memcache/scan.h"

namespace overlord::memcache {
namespace {

constexpr std::string_view kValue = "VALUE ";

// Takes the digits at the front and the one byte behind them.
bool take_number(std::string_view& text, uint64_t& number, char& stop) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  if (digits == text.size() || !parse_u64(text.substr(0, digits), number)) return false;
  stop = text[digits];
  text.remove_prefix(digits + 1);
  return true;
}

// `line` ends in CRLF. Exactly one blank between the fields, none behind the last.
bool parse_value(std::string_view line, ReplyLine& out) {
  std::string_view rest = line.substr(kValue.size());
  const size_t key = plain_run(rest.data(), std::min(rest.size(), kMaxKey + 1));
  if (key == 0 || key > kMaxKey || rest[key] != ' ') return false;
  out.key = rest.substr(0, key);
  rest.remove_prefix(key + 1);
  uint64_t number = 0;
  char stop = 0;
  if (!take_number(rest, number, stop) || stop != ' ') return false;
  if (!take_number(rest, out.value_size, stop) || out.value_size > kMaxReplyValue) return false;
  if (stop == ' ') {
    if (!take_number(rest, number, stop)) return false;
    out.has_cas = true;
  }
  return stop == '\r' && rest.size() == 1;
}

bool is_number(std::string_view text) {
  uint64_t number = 0;
  return parse_u64(text, number);
}

// The word, alone or with a blank or a colon ("ERROR: shutdown not enabled") and a text behind it.
bool starts_error(std::string_view text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  return text.size() == word.size() || text[word.size()] == ' ' || text[word.size()] == ':';
}

ReplyKind classify(std::string_view text) {
  constexpr std::string_view kWords[] = {"STORED",  "NOT_STORED", "EXISTS", "NOT_FOUND",
                                         "DELETED", "TOUCHED",    "OK",     "RESET"};
  if (text == "END") return ReplyKind::end;
  if (std::find(std::begin(kWords), std::end(kWords), text) != std::end(kWords)) return ReplyKind::line;
  if (text.starts_with("STAT ") && text.size() > 5) return ReplyKind::stat;
  if (is_number(text)) return ReplyKind::line;
  for (const std::string_view word : {"SERVER_ERROR", "CLIENT_ERROR", "ERROR"}) {
    if (starts_error(text, word)) return ReplyKind::error;
  }
  return text.starts_with("VERSION ") && text.size() > 8 ? ReplyKind::line : ReplyKind::bad;
}

}  // namespace

ReplyLine parse_reply_line(std::string_view bytes) {
  ReplyLine out;
  const std::string_view line = first_reply_line(bytes, out.kind);
  if (line.empty()) return out;
  if (line.starts_with(kValue)) {
    ReplyLine value;
    if (!parse_value(line, value)) return out;
    value.kind = ReplyKind::value;
    value.size = line.size();
    return value;
  }
  const std::string_view text = line.substr(0, line.size() - 2);
  if (has_control(text)) return out;
  out.kind = classify(text);
  if (out.kind != ReplyKind::bad) out.size = line.size();
  return out;
}

}  // namespace overlord::memcache
