#include "protocol/memcache/meta_reply.h"

#include <algorithm>
#include <cstring>

#include "protocol/memcache/scan.h"
#include "protocol/memcache/text.h"

namespace overlord::memcache {
namespace {

// Two letters, alone or with a blank behind them.
bool is_status(std::string_view text) {
  if (text.size() < 2 || (text.size() > 2 && text[2] != ' ')) return false;
  constexpr std::string_view kStatuses[] = {"HD", "EN", "NS", "EX", "NF", "MN", "ME", "OK"};
  return std::find(std::begin(kStatuses), std::end(kStatuses), text.substr(0, 2)) != std::end(kStatuses);
}

}  // namespace

ReplyLine parse_meta_reply_line(std::string_view bytes) {
  ReplyLine out;
  const std::string_view line = first_reply_line(bytes, out.kind);
  if (line.empty()) return out;
  const std::string_view text = line.substr(0, line.size() - 2);
  if (has_control(text)) return out;
  if (text.starts_with("VA ")) {
    const std::string_view number = text.substr(3, text.find(' ', 3) - 3);
    if (!parse_u64(number, out.value_size) || out.value_size > kMaxReplyValue) {
      out.value_size = 0;
      return out;
    }
    out.kind = ReplyKind::value;
  } else if (is_status(text)) {
    out.kind = ReplyKind::line;
  } else if (parse_reply_line(bytes).kind == ReplyKind::error) {
    out.kind = ReplyKind::error;
  } else {
    return out;
  }
  out.size = line.size();
  return out;
}

bool meta_hidden(MetaVerb verb, std::string_view reply) {
  const std::string_view status = reply.substr(0, 2);
  const bool done = status == "HD" || status == "OK";
  switch (verb) {
    case MetaVerb::get: return status == "EN";
    case MetaVerb::set:
    case MetaVerb::delete_: return done;
    case MetaVerb::arithmetic: return done || status == "VA";
    default: return false;
  }
}

void insert_key(std::string_view line, std::string_view key, size_t before_hit, size_t before_miss, std::string& out) {
  const std::string_view status = line.substr(0, 2);
  if (parse_meta_reply_line(line).kind == ReplyKind::error) {
    out.append(line);
    return;
  }
  // The words to pass over: the status, the size of VA, and the flags in front.
  size_t words = 1;
  if (status == "VA") ++words;
  words += status == "EN" ? before_miss : before_hit;
  size_t at = 0;
  const size_t end = line.size() - kCrlf.size();
  for (; words > 0 && at < end; --words) at = std::min(line.find(' ', at + (at > 0 ? 1 : 0)), end);
  out.append(line.substr(0, at)).append(" k").append(key).append(" b").append(line.substr(at));
}

}  // namespace overlord::memcache
