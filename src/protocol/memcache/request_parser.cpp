#include "protocol/memcache/request_parser.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "protocol/memcache/scan.h"
#include "protocol/memcache/text.h"

namespace overlord::memcache {
namespace {

// memcached refuses lengths that do not fit its int together with the CRLF.
constexpr uint64_t kMaxLength = 0x7fffffff - 2;
constexpr size_t kMaxShortLine = 2048;
constexpr size_t kMaxLeadingBlanks = 100;
// cas has the most: verb, key, flags, exptime, length, unique, noreply; one more tells "too many".
constexpr size_t kMaxTokens = 8;

constexpr std::string_view kNames[] = {"get",     "gets",      "gat",       "gats",  "set",  "add",   "replace",
                                       "append",  "prepend",   "cas",       "incr",  "decr", "touch", "delete",
                                       "version", "verbosity", "flush_all", "stats", "quit"};

// Up to eight bytes as one integer, to switch on.
constexpr uint64_t pack(std::string_view word) {
  uint64_t packed = 0;
  for (size_t i = 0; i < word.size() && i < 8; ++i) {
    packed |= static_cast<uint64_t>(static_cast<unsigned char>(word[i])) << (8 * i);
  }
  return packed;
}

// The first `size` bytes of the line; they hold no control character, so that no NUL is mistaken for padding.
bool find_verb(std::string_view line, size_t size, Verb& verb) {
  const std::string_view word = line.substr(0, size);
  if (size == 0 || size > 9) return false;
  const auto is = [&verb](Verb v) {
    verb = v;
    return true;
  };
  const uint64_t packed =
      line.size() < 8 ? pack(word) : load8(line.data()) & (~uint64_t{0} >> (size < 8 ? 64 - 8 * size : 0));
  switch (packed) {
    case pack("get"): return is(Verb::get);
    case pack("gets"): return is(Verb::gets);
    case pack("gat"): return is(Verb::gat);
    case pack("gats"): return is(Verb::gats);
    case pack("set"): return is(Verb::set);
    case pack("add"): return is(Verb::add);
    case pack("replace"): return is(Verb::replace);
    case pack("append"): return is(Verb::append);
    case pack("prepend"): return is(Verb::prepend);
    case pack("cas"): return is(Verb::cas);
    case pack("incr"): return is(Verb::incr);
    case pack("decr"): return is(Verb::decr);
    case pack("touch"): return is(Verb::touch);
    case pack("delete"): return is(Verb::delete_);
    case pack("version"): return is(Verb::version);
    case pack("stats"): return is(Verb::stats);
    case pack("quit"): return is(Verb::quit);
    case pack("verbosit"): return word == "verbosity" && is(Verb::verbosity);
    case pack("flush_al"): return word == "flush_all" && is(Verb::flush_all);
    default: return false;
  }
}

struct Tokens {
  std::array<std::string_view, kMaxTokens> at;
  size_t count = 0;  // more than kMaxTokens are counted, not kept
  std::string_view last;
  bool control = false;  // some byte of the line is a control character
};

// Into place: a copy would wait for the stores just made.
void tokenize(std::string_view text, Tokens& tokens) {
  size_t begin = 0;
  const auto cut = [&](size_t at) {
    if (at > begin) {
      tokens.last = text.substr(begin, at - begin);
      if (tokens.count < kMaxTokens) tokens.at[tokens.count] = tokens.last;
      ++tokens.count;
    }
    begin = at + 1;
  };
  for (size_t i = 0; i < text.size(); i += 8) {
    for (uint64_t flags = special_bytes(load_upto8(text, i)); flags != 0; flags &= flags - 1) {
      const size_t at = i + static_cast<size_t>(std::countr_zero(flags)) / 8;
      if (at >= text.size()) break;
      if (text[at] == ' ') {
        cut(at);
      } else {
        tokens.control = true;
      }
    }
  }
  cut(text.size());
}

// One request line being judged. Every way out is accept(), value or refuse().
class LineParser {
 public:
  LineParser(std::string_view text, size_t line_size, bool bare_lf, Request& out)
      : text_(text), bare_lf_(bare_lf), out_(out) {
    out_.line_size = line_size;
    out_.size = line_size;
  }

  ParseStatus parse(size_t available, const Limits& limits);

 private:
  ParseStatus retrieval(std::string_view rest);
  ParseStatus storage(size_t available, const Limits& limits);
  ParseStatus keyed();
  ParseStatus keyless();
  ParseStatus unknown();

  ParseStatus accept(std::string_view last) {
    const char* begin = text_.data();
    out_.head = text_.substr(0, static_cast<size_t>(last.data() + last.size() - begin));
    out_.canonical = !leading_blanks_ && !bare_lf_ && out_.head.size() == text_.size();
    return ParseStatus::complete;
  }
  ParseStatus refuse(std::string_view error, uint64_t swallow = 0) {
    out_.error = error;
    out_.swallow = swallow;
    return ParseStatus::refused;
  }
  // memcached has seen the noreply by the time it finds these faults, and answers nothing.
  ParseStatus refuse_quietly(std::string_view error, uint64_t swallow = 0) {
    return refuse(out_.noreply ? std::string_view{} : error, swallow);
  }

  std::string_view text_;  // without line end; after parse() began also without leading blanks
  bool bare_lf_;
  bool leading_blanks_ = false;
  Tokens tokens_;
  Request& out_;
};

ParseStatus LineParser::parse(size_t available, const Limits& limits) {
  leading_blanks_ = text_.starts_with(' ');
  while (text_.starts_with(' ')) text_.remove_prefix(1);
  const size_t word = plain_run(text_.data(), text_.size());
  const bool ends = word == text_.size() || text_[word] == ' ';
  if (!ends || !find_verb(text_, word, out_.verb)) {
    tokenize(text_, tokens_);
    return unknown();
  }
  if (is_retrieval(out_.verb)) return retrieval(text_.substr(word));
  tokenize(text_, tokens_);
  if (is_storage(out_.verb)) return storage(available, limits);
  return out_.verb <= Verb::delete_ ? keyed() : keyless();
}

ParseStatus LineParser::retrieval(std::string_view rest) {
  const auto skip_blanks = [&rest] {
    while (rest.starts_with(' ')) rest.remove_prefix(1);
  };
  skip_blanks();
  if (out_.verb == Verb::gat || out_.verb == Verb::gats) {
    if (rest.empty()) return refuse(kError);
    out_.exptime = rest.substr(0, rest.find(' '));
    if (!is_exptime(out_.exptime)) return refuse(kBadExptime);
    rest.remove_prefix(out_.exptime.size());
    skip_blanks();
  }
  if (rest.empty()) return refuse(kError);
  const char* const first = rest.data();
  std::string_view key;
  while (!rest.empty()) {
    key = rest.substr(0, plain_run(rest.data(), rest.size()));
    if (key.size() > kMaxKey || (key.size() < rest.size() && rest[key.size()] != ' ')) return refuse(kBadFormat);
    if (out_.key_count++ == 0) out_.key = key;
    rest.remove_prefix(key.size());
    skip_blanks();
  }
  out_.keys = std::string_view(first, static_cast<size_t>(key.data() + key.size() - first));
  return accept(key);
}

ParseStatus LineParser::storage(size_t available, const Limits& limits) {
  const size_t wanted = out_.verb == Verb::cas ? 6 : 5;
  // A value follows whenever the length can be read, whatever else is wrong with the line: it is dropped with the
  // line, for otherwise it would run as commands.
  uint64_t length = 0;
  const bool has_length = tokens_.count >= 5 && parse_u64(tokens_.at[4], length) && length <= kMaxLength;
  const uint64_t swallow = has_length ? length + 2 : 0;

  if (tokens_.count < wanted || tokens_.count > wanted + 1) return refuse(kError, swallow);
  out_.noreply = tokens_.last == "noreply";
  uint64_t number = 0;
  const bool good = !tokens_.control && tokens_.at[1].size() <= kMaxKey && parse_u64(tokens_.at[2], number) &&
                    number <= UINT32_MAX && is_exptime(tokens_.at[3]) && has_length &&
                    (out_.verb != Verb::cas || parse_u64(tokens_.at[5], number));
  if (!good) return refuse_quietly(kBadFormat, swallow);
  out_.too_large = length > limits.max_value;
  if (out_.too_large) return refuse_quietly(kTooLarge, swallow);

  out_.key = tokens_.at[1];
  out_.key_count = 1;
  out_.exptime = tokens_.at[3];
  out_.value_size = length;
  out_.size = out_.line_size + length + 2;
  accept(tokens_.at[wanted - 1]);
  return available >= out_.size ? ParseStatus::complete : ParseStatus::value;
}

// incr, decr, touch, delete.
ParseStatus LineParser::keyed() {
  const bool is_delete = out_.verb == Verb::delete_;
  const size_t needed = is_delete ? 2 : 3;
  if (tokens_.count < needed || tokens_.count > 4) return refuse(kError);
  out_.noreply = tokens_.count > 2 && tokens_.last == "noreply";
  if (is_delete && tokens_.count > 2) {
    // An old client's "time" is taken when it is 0 and is not passed on.
    const bool zero = tokens_.at[2] == "0";
    const bool good = tokens_.count == 3 ? zero || out_.noreply : zero && out_.noreply;
    if (!good) return refuse_quietly(kBadDelete);
  }
  if (tokens_.control || tokens_.at[1].size() > kMaxKey) return refuse_quietly(kBadFormat);
  out_.key = tokens_.at[1];
  out_.key_count = 1;
  if (out_.verb == Verb::touch) {
    out_.exptime = tokens_.at[2];
    if (!is_exptime(out_.exptime)) return refuse_quietly(kBadExptime);
  } else if (!is_delete) {
    uint64_t delta = 0;
    if (!parse_u64(tokens_.at[2], delta)) return refuse_quietly(kBadDelta);
  }
  return accept(tokens_.at[needed - 1]);
}

// version, verbosity, flush_all, stats, quit. What memcached ignores behind them is not passed on.
ParseStatus LineParser::keyless() {
  if (tokens_.control) return refuse(kBadFormat);
  const std::string_view argument = tokens_.count > 1 ? tokens_.at[1] : std::string_view{};
  uint64_t level = 0;
  switch (out_.verb) {
    case Verb::verbosity:
      if (tokens_.count < 2 || tokens_.count > 3) return refuse(kError);
      out_.noreply = tokens_.last == "noreply";
      if (!parse_u64(argument, level)) return refuse_quietly(kBadFormat);
      break;
    case Verb::flush_all: {
      if (tokens_.count > 3) return refuse(kError);
      out_.noreply = tokens_.count > 1 && tokens_.last == "noreply";
      if (tokens_.count == (out_.noreply ? 2u : 1u)) return accept(tokens_.at[0]);
      if (!is_exptime(argument)) return refuse_quietly(kBadExptime);
      break;
    }
    case Verb::stats: {
      if (argument.empty()) return accept(tokens_.at[0]);
      constexpr std::string_view kKinds[] = {"settings", "items", "slabs", "sizes", "conns", "reset"};
      if (std::find(std::begin(kKinds), std::end(kKinds), argument) == std::end(kKinds)) return refuse(kError);
      break;
    }
    default: return accept(tokens_.at[0]);
  }
  out_.arguments = argument;
  return accept(argument);
}

ParseStatus LineParser::unknown() {
  // A web browser, or a page that makes one talk to us: what follows are its headers and its form.
  if (tokens_.count > 0 && tokens_.at[0].size() > 1 && tokens_.last.starts_with("HTTP/")) {
    out_.error = {};
    return ParseStatus::fatal;
  }
  return refuse(kError);
}

// Only get and gets may be longer than kMaxShortLine, as with memcached. The answer does not depend on how much
// of the line has arrived.
bool may_be_long(std::string_view bytes) {
  const size_t blanks = bytes.find_first_not_of(' ');
  if (blanks > kMaxLeadingBlanks) return false;  // npos, nothing but blanks, too
  bytes.remove_prefix(blanks);
  if (!bytes.starts_with("get")) return false;
  bytes.remove_prefix(3);
  if (bytes.starts_with('s')) bytes.remove_prefix(1);
  return bytes.starts_with(' ');
}

// "get <key>\r\n", which is most of all traffic. False when it is anything else, or not all here.
bool parse_single_get(std::string_view bytes, Request& out) {
  constexpr size_t kVerb = 4;
  if (bytes.size() < kVerb + 4 || (load8(bytes.data()) & 0xffffffff) != pack("get ")) return false;
  const size_t key = plain_run(bytes.data() + kVerb, std::min(bytes.size() - kVerb, kMaxKey + 1));
  const size_t end = kVerb + key;
  if (key == 0 || key > kMaxKey || end + 2 > bytes.size() || bytes[end] != '\r' || bytes[end + 1] != '\n') return false;
  out = Request{};
  out.canonical = true;
  out.head = bytes.substr(0, end);
  out.key = bytes.substr(kVerb, key);
  out.keys = out.key;
  out.key_count = 1;
  out.line_size = end + 2;
  out.size = end + 2;
  return true;
}

ParseStatus fatal(std::string_view error, Request& out) {
  out = Request{};
  out.error = error;
  return ParseStatus::fatal;
}

}  // namespace

std::string_view verb_name(Verb verb) { return kNames[static_cast<size_t>(verb)]; }

ParseStatus parse_request(std::string_view bytes, const Limits& limits, Request& out) {
  if (parse_single_get(bytes, out)) return ParseStatus::complete;
  if (bytes.empty()) return ParseStatus::incomplete;
  // The binary protocol's magic: no line end may ever come, so say it now.
  if (bytes.front() == '\x80') return fatal(kError, out);

  const size_t longest = std::max<size_t>(limits.max_line, kMaxShortLine);
  const auto* end = static_cast<const char*>(std::memchr(bytes.data(), '\n', std::min(bytes.size(), longest)));
  const size_t line_size = end != nullptr ? static_cast<size_t>(end - bytes.data()) + 1 : bytes.size() + 1;
  if (line_size > kMaxShortLine && (line_size > longest || !may_be_long(bytes))) return fatal(kLineTooLong, out);
  if (end == nullptr) return ParseStatus::incomplete;

  const bool bare_lf = line_size < 2 || bytes[line_size - 2] != '\r';
  out = Request{};
  return LineParser(bytes.substr(0, line_size - (bare_lf ? 1 : 2)), line_size, bare_lf, out)
      .parse(bytes.size(), limits);
}

std::string_view KeyCursor::next() {
  rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
  const std::string_view key = rest_.substr(0, rest_.find(' '));
  rest_.remove_prefix(key.size());
  return key;
}

}  // namespace overlord::memcache
