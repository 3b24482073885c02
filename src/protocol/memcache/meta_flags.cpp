#include "protocol/memcache/meta_flags.h"

#include <charconv>

#include "protocol/memcache/scan.h"
#include "protocol/memcache/text.h"

namespace overlord::memcache {
namespace {

constexpr size_t kMaxOpaque = 32;  // with its letter

bool parse_exptime(std::string_view text, int32_t& out) {
  if (!is_exptime(text)) return false;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return true;
}

bool parse_u32(std::string_view text, uint32_t& out) {
  uint64_t number = 0;
  if (!parse_u64(text, number) || number > UINT32_MAX) return false;
  out = static_cast<uint32_t>(number);
  return true;
}

// The refusal of one flag; empty when it is good.
std::string_view read_flag(std::string_view token, MetaFlags& flags) {
  const std::string_view argument = token.substr(1);
  switch (token.front()) {
    case 'T': return parse_exptime(argument, flags.exptime) ? "" : kMetaBadToken;
    case 'N': return parse_exptime(argument, flags.vivify) ? "" : kMetaBadToken;
    case 'R': return is_exptime(argument) ? "" : kMetaBadToken;
    case 'C': return parse_u64(argument, flags.cas) ? "" : kMetaBadToken;
    case 'F': return parse_u32(argument, flags.client_flags) ? "" : kBadFormat;
    case 'D': return parse_u64(argument, flags.delta) ? "" : kMetaBadDelta;
    case 'J': return parse_u64(argument, flags.initial) ? "" : kMetaBadInitial;
    case 'M':
      if (argument.size() != 1) return kMetaBadModeLength;
      flags.mode = argument.front();
      return "";
    default: return "";
  }
}

bool good_mode(MetaVerb verb, char& mode) {
  if (mode == 0) return true;
  if (verb == MetaVerb::set) return std::string_view("SEAPR").find(mode) != std::string_view::npos;
  if (verb != MetaVerb::arithmetic) return true;
  if (mode == '+') mode = 'I';
  if (mode == '-') mode = 'D';
  return mode == 'I' || mode == 'D';
}

}  // namespace

std::string_view read_meta_flags(const MetaRequest& request, MetaFlags& flags) {
  const bool detailed = request.verb == MetaVerb::get || request.verb == MetaVerb::set;
  KeyCursor cursor(request.head);
  cursor.next();  // the verb
  cursor.next();  // the key
  if (request.verb == MetaVerb::set) cursor.next();
  flags.words = cursor.rest();
  std::string_view refusal;
  bool long_opaque = false;
  for (std::string_view token = cursor.next(); !token.empty(); token = cursor.next()) {
    const uint32_t bit = MetaFlags::bit(token.front());
    if (bit == 0) return detailed ? kMetaInvalidFlag : kMetaBadFlag;
    flags.present |= bit;
    // The last one is told, but for F, which has no words of its own.
    const std::string_view bad = read_flag(token, flags);
    if (!bad.empty() && (refusal.empty() || token.front() != 'F')) refusal = bad;
    long_opaque = long_opaque || (token.front() == 'O' && token.size() > kMaxOpaque);
  }
  if (!refusal.empty()) return detailed ? refusal : kMetaBadFlag;
  if (!good_mode(request.verb, flags.mode)) {
    return request.verb == MetaVerb::set ? kMetaBadSetMode : kMetaBadArithmeticMode;
  }
  return long_opaque ? kMetaLongOpaque : std::string_view{};
}

}  // namespace overlord::memcache
