#include "protocol/memcache/meta_request.h"

#include <algorithm>
#include <bitset>
#include <cstring>

#include "base/base64.h"
#include "protocol/memcache/scan.h"
#include "protocol/memcache/text.h"

namespace overlord::memcache {
namespace {

constexpr uint64_t kMaxLength = 0x7fffffff - 2;
constexpr size_t kMaxLine = 2048;

// All that memcached 1.6.18 knows. Others are passed on: a later version may know them.
constexpr std::string_view kKnownFlags = "bcfhklqstuvCDFIJLMNOPRT";
// Those of mg that put something into HD and VA; into EN only O and k do.
constexpr std::string_view kReplyFlags = "cfhlstO";

struct Tokens {
  std::array<std::string_view, kMaxMetaTokens> at;
  size_t count = 0;  // more than fit are counted, not kept
  std::string_view last;
  bool control = false;
};

void tokenize(std::string_view text, Tokens& tokens) {
  size_t i = 0;
  while (i < text.size()) {
    const size_t begin = i;
    // A control character does not end a word: such a line is refused anyway.
    while ((i += plain_run(text.data() + i, text.size() - i)) < text.size() && text[i] != ' ') {
      tokens.control = true;
      ++i;
    }
    if (i > begin) {
      tokens.last = text.substr(begin, i - begin);
      if (tokens.count < tokens.at.size()) tokens.at[tokens.count] = tokens.last;
      ++tokens.count;
    }
    ++i;
  }
}

bool all_plain(std::string_view text) { return plain_run(text.data(), text.size()) == text.size(); }

bool verb_of(char letter, MetaVerb& verb) {
  switch (letter) {
    case 'g': verb = MetaVerb::get; return true;
    case 's': verb = MetaVerb::set; return true;
    case 'd': verb = MetaVerb::delete_; return true;
    case 'a': verb = MetaVerb::arithmetic; return true;
    case 'n': verb = MetaVerb::noop; return true;
    case 'e': verb = MetaVerb::debug; return true;
    default: return false;
  }
}

// One line being judged.
class MetaParser {
 public:
  MetaParser(std::string_view text, size_t line_size, bool bare_lf, MetaRequest& out)
      : text_(text), bare_lf_(bare_lf), out_(out) {
    out_.line_size = line_size;
    out_.size = line_size;
  }

  ParseStatus parse(size_t available, const Limits& limits) {
    const bool leading_blanks = text_.starts_with(' ');
    text_.remove_prefix(std::min(text_.find_first_not_of(' '), text_.size()));
    verb_of(text_[1], out_.verb);
    out_.canonical = !leading_blanks && !bare_lf_;
    if (out_.verb == MetaVerb::noop) return ParseStatus::complete;
    tokenize(text_, tokens_);
    const bool is_set = out_.verb == MetaVerb::set;
    uint64_t length = 0;
    const bool has_length = is_set && tokens_.count > 2 && parse_u64(tokens_.at[2], length) && length <= kMaxLength;
    if (has_length) swallow_ = length + 2;

    if (tokens_.control) return refuse(kBadFormat);
    if (tokens_.count < 2) return refuse(out_.verb == MetaVerb::debug ? kBadFormat : kError);
    out_.key = tokens_.at[1];
    if (out_.key.size() > kMaxKey) return refuse(kBadFormat);
    out_.head = text_.substr(0, static_cast<size_t>(tokens_.last.data() + tokens_.last.size() - text_.data()));
    out_.canonical = out_.canonical && out_.head.size() == text_.size();
    if (out_.verb == MetaVerb::debug) return debug();
    if (is_set && tokens_.count < 3) return refuse(kBadFormat);
    if (tokens_.count > kMaxMetaTokens) {
      return refuse(out_.verb == MetaVerb::get ? kMetaGetTooManyFlags : kMetaTooManyFlags);
    }
    if (is_set && !has_length) return refuse(kBadFormat);
    if (const std::string_view error = flags(is_set ? 3 : 2); !error.empty()) return refuse(error);
    if (!is_set) return ParseStatus::complete;
    if (length > limits.max_value) return refuse(kTooLarge);
    out_.value_size = length;
    out_.size = out_.line_size + length + 2;
    return available >= out_.size ? ParseStatus::complete : ParseStatus::value;
  }

 private:
  ParseStatus refuse(std::string_view error) {
    out_.error = error;
    out_.swallow = swallow_;
    return ParseStatus::refused;
  }

  // memcached looks at nothing but a b right behind the key; no more than that is sent.
  ParseStatus debug() {
    if (tokens_.count > 2 && tokens_.at[2] == "b") {
      out_.binary_key = true;
      out_.decoded_size = decode_base64(out_.key, out_.decoded.data());
      if (out_.decoded_size == 0 || !all_plain(out_.routing_key())) return refuse(kBadFormat);
    }
    const std::string_view last = tokens_.at[out_.binary_key ? 2 : 1];
    const size_t whole = out_.head.size();
    out_.head = out_.head.substr(0, static_cast<size_t>(last.data() + last.size() - out_.head.data()));
    out_.canonical = out_.canonical && out_.head.size() == whole;
    return ParseStatus::complete;
  }

  // Left to right, as memcached does: a flag given twice ends it, and so does one that it does not know. Those are
  // passed on unless something else is wrong, for a later version may know them.
  std::string_view flags(size_t first) {
    const bool detailed = out_.verb == MetaVerb::get || out_.verb == MetaVerb::set;
    std::bitset<128> seen;
    bool unknown = false;
    bool bad_key = false;
    uint8_t hit_flags = 0;
    uint8_t miss_flags = 0;
    for (size_t i = first; i < tokens_.count; ++i) {
      const std::string_view token = tokens_.at[i];
      const auto flag = static_cast<unsigned char>(token.front());
      if (flag >= 127 || seen[flag]) {
        if (!detailed) return kMetaBadFlag;
        return unknown ? kMetaInvalidFlag : kMetaDuplicateFlag;
      }
      seen.set(flag);
      unknown = unknown || kKnownFlags.find(token.front()) == kKnownFlags.npos;
      switch (flag) {
        case 'q': out_.quiet_flag = token; break;
        case 'k':
          out_.key_flag = token;
          out_.flags_before_hit = hit_flags;
          out_.flags_before_miss = miss_flags;
          break;
        case 'b':
          out_.binary_key = true;
          out_.decoded_size = decode_base64(out_.key, out_.decoded.data());
          bad_key = out_.decoded_size == 0;
          break;
        default:
          if (kReplyFlags.find(token.front()) != kReplyFlags.npos) ++hit_flags;
          if (flag == 'O') ++miss_flags;
      }
    }
    if (bad_key) {
      if (!detailed) return kMetaBadFlag;
      return unknown ? kMetaInvalidFlag : kMetaBadKey;
    }
    out_.quiet = !out_.quiet_flag.empty();
    out_.hidden_key =
        out_.verb == MetaVerb::get && out_.binary_key && !out_.key_flag.empty() && !all_plain(out_.routing_key());
    if (!out_.hidden_key) out_.key_flag = {};
    if (out_.quiet || out_.hidden_key) out_.canonical = false;
    return {};
  }

  std::string_view text_;  // without line end
  bool bare_lf_;
  uint64_t swallow_ = 0;
  Tokens tokens_;
  MetaRequest& out_;
};

}  // namespace

void MetaRequest::append_line(std::string& out) const {
  std::string_view cuts[] = {quiet_flag, key_flag};
  if (cuts[0].data() > cuts[1].data()) std::swap(cuts[0], cuts[1]);
  std::string_view rest = head;
  for (const std::string_view cut : cuts) {
    if (cut.empty()) continue;
    const auto before = static_cast<size_t>(cut.data() - rest.data());
    out.append(rest.substr(0, rest.find_last_not_of(' ', before - 1) + 1));
    rest.remove_prefix(before + cut.size());
  }
  out.append(rest);
}

bool is_meta(std::string_view bytes) {
  while (bytes.starts_with(' ')) bytes.remove_prefix(1);
  if (bytes.size() < 3 || bytes[0] != 'm') return false;
  MetaVerb verb{};
  return verb_of(bytes[1], verb) && (bytes[2] == ' ' || bytes[2] == '\r' || bytes[2] == '\n');
}

ParseStatus parse_meta_request(std::string_view bytes, const Limits& limits, MetaRequest& out) {
  const auto* end = static_cast<const char*>(std::memchr(bytes.data(), '\n', std::min(bytes.size(), kMaxLine)));
  if (end == nullptr && bytes.size() < kMaxLine) return ParseStatus::incomplete;
  // Member by member: the buffer of the decoded key need not be cleared.
  out.verb = MetaVerb::noop;
  out.quiet = out.binary_key = out.canonical = out.hidden_key = false;
  out.flags_before_hit = out.flags_before_miss = 0;
  out.key = out.head = out.error = out.quiet_flag = out.key_flag = {};
  out.line_size = out.decoded_size = 0;
  out.value_size = out.size = out.swallow = 0;
  if (end == nullptr) {
    out.error = kLineTooLong;
    return ParseStatus::fatal;
  }
  const size_t line_size = static_cast<size_t>(end - bytes.data()) + 1;
  const bool bare_lf = bytes[line_size - 2] != '\r';
  return MetaParser(bytes.substr(0, line_size - (bare_lf ? 1 : 2)), line_size, bare_lf, out)
      .parse(bytes.size(), limits);
}

}  // namespace overlord::memcache
