#include "protocol/memcache/binary_command.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "protocol/memcache/scan.h"
#include "protocol/memcache/text.h"

namespace overlord::memcache::binary {
namespace {

// Binary has no negative times. The first second that counts as a date has passed: "at once", as memcached itself does.
constexpr uint32_t kExpired = 60 * 60 * 24 * 30 + 1;
// An exptime of incr and decr: what is not there is not made.
constexpr uint32_t kDoNotCreate = 0xffffffff;
// In binary a cas of 0 means none. In text it is one that no item has; neither has any item this one.
constexpr uint64_t kNoItemsCas = UINT64_MAX;

uint32_t to_exptime(int32_t seconds) { return seconds < 0 ? kExpired : static_cast<uint32_t>(seconds); }

// Of what the parsers have found good.
uint32_t to_exptime(std::string_view text) {
  int32_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return to_exptime(seconds);
}

uint64_t to_number(std::string_view text) {
  uint64_t number = 0;
  return parse_u64(text, number) ? number : 0;
}

void append_number(uint64_t number, std::string& out) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

// Builds the frame: extras first, then finish().
class Builder {
 public:
  Builder(Command& out, uint32_t opaque) : out_(out), opaque_(opaque) {}

  void u32(uint32_t number) {
    write_u32(number, at());
    extras_ += 4;
  }
  void u64(uint64_t number) {
    write_u64(number, at());
    extras_ += 8;
  }
  void finish(Opcode opcode, std::string_view key, uint64_t cas = 0) {
    if (!key.empty()) std::memcpy(at(), key.data(), key.size());
    out_.frame_size = kHeaderSize + extras_ + key.size();
    write_header({.opcode = opcode,
                  .key_size = static_cast<uint16_t>(key.size()),
                  .extras_size = static_cast<uint8_t>(extras_),
                  .body_size = static_cast<uint32_t>(extras_ + key.size() + out_.value_size),
                  .opaque = opaque_,
                  .cas = cas},
                 out_.frame.data());
  }

 private:
  char* at() { return out_.frame.data() + kHeaderSize + extras_; }

  Command& out_;
  uint32_t opaque_;
  size_t extras_ = 0;
};

void translate_storage(const memcache::Request& parsed, Builder& frame, Command& out) {
  KeyCursor words(parsed.head);
  for (int i = 0; i < 2; ++i) words.next();
  const auto flags = static_cast<uint32_t>(to_number(words.next()));
  words.next();  // exptime
  words.next();  // bytes
  out.value_size = parsed.value_size;
  out.value_at = parsed.line_size;
  if (parsed.verb == Verb::append || parsed.verb == Verb::prepend) {
    out.form = Form::set;
    return frame.finish(parsed.verb == Verb::append ? Opcode::append : Opcode::prepend, parsed.key);
  }
  frame.u32(flags);
  frame.u32(to_exptime(parsed.exptime));
  switch (parsed.verb) {
    case Verb::add: out.form = Form::add; return frame.finish(Opcode::add, parsed.key);
    case Verb::replace: out.form = Form::replace; return frame.finish(Opcode::replace, parsed.key);
    case Verb::cas: {
      out.form = Form::cas;
      const uint64_t cas = to_number(words.next());
      return frame.finish(Opcode::set, parsed.key, cas == 0 ? kNoItemsCas : cas);
    }
    default: out.form = Form::set; return frame.finish(Opcode::set, parsed.key);
  }
}

void translate_text(const memcache::Request& parsed, Builder& frame, Command& out) {
  if (is_storage(parsed.verb)) return translate_storage(parsed, frame, out);
  KeyCursor words(parsed.head);
  words.next();
  switch (parsed.verb) {
    case Verb::incr:
    case Verb::decr:
      words.next();
      out.form = Form::arithmetic;
      frame.u64(to_number(words.next()));
      frame.u64(0);
      frame.u32(kDoNotCreate);
      return frame.finish(parsed.verb == Verb::incr ? Opcode::increment : Opcode::decrement, parsed.key);
    case Verb::touch:
      out.form = Form::touch;
      frame.u32(to_exptime(parsed.exptime));
      return frame.finish(Opcode::touch, parsed.key);
    case Verb::delete_: out.form = Form::delete_; return frame.finish(Opcode::delete_, parsed.key);
    case Verb::version: out.form = Form::version; return frame.finish(Opcode::version, {});
    case Verb::flush_all:
      out.form = Form::flush;
      if (!parsed.arguments.empty()) frame.u32(to_exptime(parsed.arguments));
      return frame.finish(Opcode::flush, {});
    case Verb::stats:
      out.form = parsed.arguments == "reset" ? Form::stats_reset : Form::stats;
      return frame.finish(Opcode::stat, parsed.arguments);
    default: out.error = kCommandNotInBinary;
  }
}

void translate_get(std::string_view key, const MetaFlags& flags, Builder& frame, Command& out) {
  for (const char flag : {'N', 'R', 'h', 'l', 't', 'u'}) {
    if (flags.has(flag)) {
      out.error = kNotInBinary;
      return;
    }
  }
  out.meta_value = flags.has('v');
  if (!flags.has('T')) return frame.finish(Opcode::get, key);
  frame.u32(to_exptime(flags.exptime));
  frame.finish(flags.has('v') || flags.has('s') ? Opcode::gat : Opcode::touch, key);
}

void translate_set(std::string_view key, const MetaFlags& flags, Builder& frame, Command& out) {
  if (flags.has('I') && flags.has('C')) {
    out.error = kNotInBinary;
    return;
  }
  const uint64_t cas = flags.has('C') && flags.cas == 0 ? kNoItemsCas : flags.cas;
  if (flags.mode == 'A' || flags.mode == 'P') {
    return frame.finish(flags.mode == 'A' ? Opcode::append : Opcode::prepend, key, flags.cas);
  }
  frame.u32(flags.client_flags);
  frame.u32(to_exptime(flags.exptime));
  if (flags.mode == 'E') return frame.finish(Opcode::add, key);
  if (cas != 0 || flags.mode != 'R') return frame.finish(Opcode::set, key, cas);
  frame.finish(Opcode::replace, key);
}

void translate_arithmetic(std::string_view key, const MetaFlags& flags, Builder& frame, Command& out) {
  if (flags.has('T') || flags.has('t')) {
    out.error = kNotInBinary;
    return;
  }
  frame.u64(flags.delta);
  frame.u64(flags.initial);
  frame.u32(flags.has('N') ? to_exptime(flags.vivify) : kDoNotCreate);
  frame.finish(flags.mode == 'D' ? Opcode::decrement : Opcode::increment, key, flags.cas);
}

void translate_meta(std::string_view bytes, Builder& frame, Command& out) {
  MetaRequest parsed;
  const ParseStatus status = parse_meta_request(bytes, {}, parsed);
  if (status != ParseStatus::complete && status != ParseStatus::value) {
    out.error = parsed.error.empty() ? kBadFormat : parsed.error;
    return;
  }
  out.form = Form::meta;
  out.meta_line = bytes.substr(0, parsed.line_size);
  if (parsed.verb == MetaVerb::set) {
    out.value_size = parsed.value_size;
    out.value_at = parsed.line_size;
  }
  MetaFlags flags;
  out.error = read_meta_flags(parsed, flags);
  if (!out.error.empty()) return;
  const std::string_view key = parsed.routing_key();
  switch (parsed.verb) {
    case MetaVerb::get: return translate_get(key, flags, frame, out);
    case MetaVerb::set: return translate_set(key, flags, frame, out);
    case MetaVerb::arithmetic: return translate_arithmetic(key, flags, frame, out);
    case MetaVerb::delete_:
      if (!flags.has('I')) {
        return frame.finish(Opcode::delete_, key, flags.has('C') && flags.cas == 0 ? kNoItemsCas : flags.cas);
      }
      out.error = kNotInBinary;
      return;
    default: out.error = kCommandNotInBinary;
  }
}

bool all_plain(std::string_view text) { return plain_run(text.data(), text.size()) == text.size(); }

// The status of a meta reply in two letters; empty for those that are errors.
std::string_view meta_word(MetaVerb verb, const MetaFlags& flags, uint16_t status) {
  switch (static_cast<Status>(status)) {
    case Status::ok: return "HD";
    case Status::not_found:
      if (verb == MetaVerb::get) return "EN";
      return verb == MetaVerb::set && flags.mode == 'R' && !flags.has('C') ? "NS" : "NF";
    case Status::exists: return verb == MetaVerb::set && flags.mode == 'E' ? "NS" : "EX";
    case Status::not_stored: return "NS";
    default: return {};
  }
}

}  // namespace

void translate(std::string_view bytes, uint32_t opaque, Command& out) {
  out.form = Form::none;
  out.meta_value = false;
  out.frame_size = 0;
  out.value_size = out.value_at = 0;
  out.meta_line = out.error = {};
  Builder frame(out, opaque);
  if (is_meta(bytes)) return translate_meta(bytes, frame, out);
  memcache::Request parsed;
  const ParseStatus status = parse_request(bytes, {}, parsed);
  if (status == ParseStatus::complete || status == ParseStatus::value) return translate_text(parsed, frame, out);
  out.error = parsed.error.empty() ? kError : parsed.error;
}

size_t write_retrieval(std::string_view retrieval, std::string_view key, uint32_t opaque, bool quiet, char* frame) {
  const size_t blank = retrieval.find(' ');
  const bool touches = blank != std::string_view::npos;
  const size_t extras = touches ? 4 : 0;
  Header header{.opcode = quiet ? Opcode::getkq : Opcode::getk,
                .key_size = static_cast<uint16_t>(key.size()),
                .extras_size = static_cast<uint8_t>(extras),
                .body_size = static_cast<uint32_t>(extras + key.size()),
                .opaque = opaque};
  if (touches) {
    header.opcode = quiet ? Opcode::gatkq : Opcode::gatk;
    write_u32(to_exptime(retrieval.substr(blank + 1)), frame + kHeaderSize);
  }
  write_header(header, frame);
  if (!key.empty()) std::memcpy(frame + kHeaderSize + extras, key.data(), key.size());
  return kHeaderSize + extras + key.size();
}

void make_loud(char* frame) { frame[1] = static_cast<char>(loud(static_cast<Opcode>(frame[1]))); }

bool is_error_line(std::string_view line) {
  return line.starts_with("SERVER_ERROR") || line.starts_with("CLIENT_ERROR") || line.starts_with("ERROR");
}

void append_error(uint16_t status, std::string_view text, std::string& out) {
  switch (static_cast<Status>(status)) {
    case Status::too_large: out.append(kTooLarge); return;
    case Status::invalid: out.append(kBadFormat); return;
    case Status::not_a_number: out.append(kNotNumeric); return;
    case Status::unknown_command: out.append(kError); return;
    case Status::out_of_memory: out.append(kStoreOutOfMemory); return;
    default: break;
  }
  constexpr size_t kLongest = 200;
  text = text.substr(0, kLongest);
  if (text.empty() || has_control(text)) text = "binary backend failed";
  out.append("SERVER_ERROR ").append(text).append(kCrlf);
}

bool append_line_reply(Form form, const Reply& reply, std::string& out) {
  const auto status = static_cast<Status>(reply.header.status);
  const auto say = [&out](std::string_view word) {
    out.append(word).append(kCrlf);
    return true;
  };
  if (status == Status::ok) {
    switch (form) {
      case Form::set:
      case Form::add:
      case Form::replace:
      case Form::cas: return say("STORED");
      case Form::delete_: return say("DELETED");
      case Form::touch: return say("TOUCHED");
      case Form::flush: return say("OK");
      case Form::version: out.append(kVersionPrefix); return !has_control(reply.body) && say(reply.body);
      case Form::arithmetic:
        if (reply.body.size() != 8) return false;
        append_number(read_u64(reply.body.data()), out);
        return say("");
      default: return false;
    }
  }
  if (status == Status::not_found && form != Form::flush && form != Form::version) {
    return say(form == Form::replace || form == Form::set ? "NOT_STORED" : "NOT_FOUND");
  }
  if (status == Status::exists && form == Form::add) return say("NOT_STORED");
  if (status == Status::exists && form == Form::cas) return say("EXISTS");
  if (status == Status::not_stored) return say("NOT_STORED");
  append_error(reply.header.status, reply.body, out);
  return true;
}

bool append_value_line(const Reply& reply, bool with_cas, std::string& out) {
  if (reply.extras.size() != 4 || reply.key.empty() || reply.key.size() > kMaxKey || !all_plain(reply.key))
    return false;
  out.append("VALUE ").append(reply.key).append(" ");
  append_number(read_u32(reply.extras.data()), out);
  out.append(" ");
  append_number(reply.value_size, out);
  if (with_cas) {
    out.append(" ");
    append_number(reply.header.cas, out);
  }
  out.append(kCrlf);
  return true;
}

bool append_stat_line(const Reply& reply, std::string& out) {
  if (has_control(reply.key) || has_control(reply.body)) return false;
  out.append(kStatPrefix).append(reply.key).append(" ").append(reply.body).append(kCrlf);
  return true;
}

bool append_meta_reply(std::string_view command_line, const Reply& reply, std::string& out) {
  MetaRequest parsed;
  MetaFlags flags;
  const ParseStatus status = parse_meta_request(command_line, {}, parsed);
  if (status != ParseStatus::complete && status != ParseStatus::value) return false;
  read_meta_flags(parsed, flags);
  const std::string_view word = meta_word(parsed.verb, flags, reply.header.status);
  if (word.empty()) {
    append_error(reply.header.status, reply.body, out);
    return true;
  }
  const bool retrieves = parsed.verb == MetaVerb::get;
  std::string_view number;
  std::array<char, 20> digits;
  if (reply.good() && parsed.verb == MetaVerb::arithmetic) {
    if (reply.body.size() != 8) return false;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), read_u64(reply.body.data()));
    number = {digits.data(), static_cast<size_t>(end - digits.data())};
  }
  if (reply.good() && retrieves && reply.extras.size() != 4) return false;
  const bool shows_value = reply.good() && flags.has('v') && (retrieves || parsed.verb == MetaVerb::arithmetic);
  if (shows_value) {
    out.append("VA ");
    append_number(retrieves ? reply.value_size : number.size(), out);
  } else {
    out.append(word);
  }
  const auto show_number = [&out](char flag, uint64_t value) {
    out.append(" ").push_back(flag);
    append_number(value, out);
  };
  const bool shows_item = reply.good() && retrieves;
  const bool shows_cas = shows_item || parsed.verb == MetaVerb::set || (reply.good() && !number.empty());
  KeyCursor words(flags.words);
  for (std::string_view token = words.next(); !token.empty(); token = words.next()) {
    switch (token.front()) {
      case 'O': out.append(" ").append(token); break;
      case 'k': out.append(" k").append(parsed.key).append(parsed.binary_key ? " b" : ""); break;
      case 'c':
        if (shows_cas) show_number('c', reply.good() ? reply.header.cas : 0);
        break;
      case 'f':
        if (shows_item) show_number('f', read_u32(reply.extras.data()));
        break;
      case 's':
        if (shows_item) show_number('s', reply.value_size);
        break;
      default: break;
    }
  }
  out.append(kCrlf);
  if (shows_value && !retrieves) out.append(number).append(kCrlf);
  return true;
}

}  // namespace overlord::memcache::binary
