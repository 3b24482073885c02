#include "protocol/memcache/classic_command.h"

#include <array>
#include <charconv>

#include "protocol/memcache/binary_text.h"
#include "protocol/memcache/scan.h"
#include "protocol/memcache/text.h"

namespace overlord::memcache::classic {
namespace {

using binary::Header;
using binary::kHeaderSize;
using binary::Opcode;
using binary::Status;

// An exptime of incr and decr: what is not there is not made.
constexpr uint32_t kDoNotCreate = 0xffffffff;
// The first second that counts as a date has passed: what is stored with it is gone at once. A negative time says the
// same, but twemproxy refuses it.
constexpr std::string_view kGone = "2592001";

void append_number(uint64_t number, std::string& out) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

class Writer {
 public:
  Writer(std::string_view frame, Command& out) : frame_(frame), header_(binary::read_header(frame.data())), out_(out) {}

  void write() {
    out_.opcode = header_.opcode;
    switch (header_.opcode) {
      case Opcode::get: return line({"gets ", key()});
      case Opcode::gat: return touch_and_get();
      case Opcode::touch: return touch();
      case Opcode::set: return storage(header_.cas != 0 ? "cas " : "set ");
      case Opcode::add: return storage("add ");
      case Opcode::replace: return storage("replace ");
      case Opcode::append: return header_.cas != 0 ? refuse(kNotInClassic) : storage("append ");
      case Opcode::prepend: return header_.cas != 0 ? refuse(kNotInClassic) : storage("prepend ");
      case Opcode::delete_: return header_.cas != 0 ? delete_if_same() : line({"delete ", key()});
      case Opcode::increment: return arithmetic("incr ");
      case Opcode::decrement: return arithmetic("decr ");
      default: return refuse(kCommandNotInClassic);
    }
  }

  std::string_view key() const { return frame_.substr(kHeaderSize + header_.extras_size); }

 private:
  const char* extras() const { return frame_.data() + kHeaderSize; }
  void refuse(std::string_view error) { out_.error = error; }
  void add(std::string_view text) { out_.text.append(text); }
  void number(uint64_t value) {
    out_.text.push_back(' ');
    append_number(value, out_.text);
  }
  void exptime(uint32_t seconds) {
    out_.text.push_back(' ');
    binary::append_exptime(seconds, out_.text);
  }
  void line(std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) add(word);
    add(kCrlf);
  }

  void touch() {
    add("touch ");
    add(key());
    exptime(binary::read_u32(extras()));
    add(kCrlf);
  }

  void touch_and_get() {
    touch();
    line({"gets ", key()});
    out_.opcode = Opcode::gat;
    out_.replies = 2;
  }

  void storage(std::string_view verb) {
    add(verb);
    add(key());
    const bool joins = header_.extras_size == 0;  // append, prepend: the item keeps what it has
    number(joins ? 0 : binary::read_u32(extras()));
    exptime(joins ? 0 : binary::read_u32(extras() + 4));
    number(out_.requested.value_size);
    if (header_.cas != 0) number(header_.cas);
    add(kCrlf);
    out_.value_at = out_.requested.value_at;
  }

  void delete_if_same() {
    add("cas ");
    add(key());
    line({" 0 ", kGone, " 0 ", digits_of(header_.cas)});
    add(kCrlf);  // of the empty value
  }

  void arithmetic(std::string_view verb) {
    if (header_.cas != 0) return refuse(kNotInClassic);
    add(verb);
    add(key());
    number(binary::read_u64(extras()));
    add(kCrlf);
    const uint32_t lifetime = binary::read_u32(extras() + 16);
    if (lifetime == kDoNotCreate) return;
    const std::string_view initial = digits_of(binary::read_u64(extras() + 8));
    add("add ");
    add(key());
    add(" 0");
    exptime(lifetime);
    number(initial.size());
    add(kCrlf);
    line({initial});
    out_.replies = 2;
  }

  std::string_view digits_of(uint64_t value) {
    const auto [end, error] = std::to_chars(digits_.data(), digits_.data() + digits_.size(), value);
    return {digits_.data(), static_cast<size_t>(end - digits_.data())};
  }

  std::string_view frame_;
  Header header_;
  Command& out_;
  std::array<char, 20> digits_;
};

// mg with T: whether its reply shows more than that the item is there.
bool shows_item(std::string_view meta_line) {
  MetaRequest parsed;
  MetaFlags flags;
  parse_meta_request(meta_line, {}, parsed);
  read_meta_flags(parsed, flags);
  return flags.has('v') || flags.has('s') || flags.has('f') || flags.has('c');
}

bool is_retrieval(Opcode opcode) { return opcode == Opcode::get || opcode == Opcode::gat; }

bool read_number(std::string_view text, Outcome& out) {
  out.status = Status::ok;
  return parse_u64(text, out.number);
}

// The one reply, or the one that counts, of a command that is no retrieval.
bool read_word(Opcode opcode, std::string_view word, Outcome& out) {
  const auto is = [&](Status status) {
    out.status = status;
    return true;
  };
  switch (opcode) {
    case Opcode::touch: return word == "TOUCHED" ? is(Status::ok) : word == "NOT_FOUND" && is(Status::not_found);
    case Opcode::increment:
    case Opcode::decrement: return word == "NOT_FOUND" ? is(Status::not_found) : read_number(word, out);
    case Opcode::delete_:
      if (word == "DELETED" || word == "STORED") return is(Status::ok);
      return word == "EXISTS" ? is(Status::exists) : word == "NOT_FOUND" && is(Status::not_found);
    default: break;
  }
  if (word == "STORED") return is(Status::ok);
  if (word == "EXISTS") return is(Status::exists);
  if (word == "NOT_FOUND") return is(Status::not_found);
  if (word != "NOT_STORED") return false;
  if (opcode == Opcode::add) return is(Status::exists);
  return is(opcode == Opcode::replace ? Status::not_found : Status::not_stored);
}

// The add behind incr or decr. Where it has made the item, that was deleted after it was counted, if it was there at
// all: the same as if it had been deleted before. Where somebody else has made it in between, nothing was counted.
bool read_vivified(std::string_view line, std::string_view word, Outcome& out) {
  if (word == "STORED") {
    out.status = Status::ok;
    out.created = true;
    out.error.clear();
    return true;
  }
  const bool nothing_done = out.error.empty() && out.status == Status::not_found;
  if (word == "NOT_STORED") {
    if (nothing_done) out.error = kMadeMeanwhile;
    return true;
  }
  if (!binary::is_error_line(line)) return false;
  if (nothing_done) out.error = line;
  return true;
}

}  // namespace

void translate(std::string_view bytes, Command& out) {
  out.text.clear();
  out.replies = 1;
  out.value_at = 0;
  out.error = {};
  binary::Command& requested = out.requested;
  binary::translate(bytes, 0, requested);
  if (!requested.error.empty()) {
    out.error = requested.error == kNotInBinary          ? kNotInClassic
                : requested.error == kCommandNotInBinary ? kCommandNotInClassic
                                                         : requested.error;
    return;
  }
  if (requested.frame[1] == static_cast<char>(Opcode::touch) && shows_item(requested.meta_line)) {
    requested.frame[1] = static_cast<char>(Opcode::gat);
  }
  Writer writer({requested.frame.data(), requested.frame_size}, out);
  const std::string_view key = writer.key();
  if (plain_run(key.data(), key.size()) != key.size()) {
    out.error = kKeyNotInClassic;
    return;
  }
  out.key = key;
  writer.write();
}

void append_touching_retrieval(std::string_view retrieval, std::string_view key, std::string& out) {
  const size_t blank = retrieval.find(' ');
  out.append("touch ").append(key).append(retrieval.substr(blank)).append(kCrlf);
  out.append(retrieval.starts_with("gats") ? "gets " : "get ").append(key).append(kCrlf);
}

void read_item(std::string_view line, Outcome& out) {
  const binary::Outcome item = binary::read_outcome(Opcode::get, line);
  out.has_item = true;
  out.flags = item.flags;
  out.value_size = item.value_size;
  out.cas = item.cas;
}

bool read_line(Opcode opcode, bool second, bool more, std::string_view line, Outcome& out) {
  const std::string_view word = line.substr(0, line.size() - kCrlf.size());
  const bool arithmetic = opcode == Opcode::increment || opcode == Opcode::decrement;
  if (arithmetic && second) return read_vivified(line, word, out);
  if (binary::is_error_line(line)) {
    if (out.error.empty()) out.error = line;
    return true;
  }
  if (!is_retrieval(opcode)) return read_word(opcode, word, out);
  if (more) return read_word(Opcode::touch, word, out);
  if (word != "END") return false;
  if (!out.has_item) out.status = Status::not_found;
  return true;
}

bool append_reply(std::string_view meta_line, const Outcome& outcome, std::string& out) {
  if (!outcome.error.empty()) {
    out.append(outcome.error);
    return true;
  }
  std::array<char, 4> flags;
  std::array<char, 8> number;
  binary::write_u32(outcome.flags, flags.data());
  uint64_t shown = outcome.number;
  if (outcome.created) {
    MetaRequest parsed;
    MetaFlags asked;
    parse_meta_request(meta_line, {}, parsed);
    read_meta_flags(parsed, asked);
    shown = asked.initial;
  }
  binary::write_u64(shown, number.data());
  const binary::Reply reply{.header = {.status = static_cast<uint16_t>(outcome.status), .cas = outcome.cas},
                            .extras = {flags.data(), flags.size()},
                            .key = {},
                            .body = {number.data(), number.size()},
                            .value_size = outcome.value_size};
  return binary::append_meta_reply(meta_line, reply, out);
}

}  // namespace overlord::memcache::classic
