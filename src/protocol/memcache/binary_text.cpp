#include "protocol/memcache/binary_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/base64.h"
#include "protocol/memcache/scan.h"
#include "protocol/memcache/text.h"

namespace overlord::memcache::binary {
namespace {

constexpr uint32_t kLatestExptime = std::numeric_limits<int32_t>::max();

void append_number(uint64_t number, std::string& out) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

void append_flag(std::string_view name, uint64_t number, std::string& out) {
  out.append(name);
  append_number(number, out);
}

std::string_view verb_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::delete_: return "md ";
    case Opcode::increment:
    case Opcode::decrement: return "ma ";
    case Opcode::set:
    case Opcode::add:
    case Opcode::replace:
    case Opcode::append:
    case Opcode::prepend: return "ms ";
    default: return "mg ";
  }
}

// memcached takes any of the three with a unique for "if it is still the same item".
std::string_view mode_of(const Request& request) {
  switch (request.opcode) {
    case Opcode::add: return request.header.cas == 0 ? " ME" : "";
    case Opcode::replace: return request.header.cas == 0 ? " MR" : "";
    case Opcode::append: return " MA";
    case Opcode::prepend: return " MP";
    default: return "";
  }
}

void append_storage_flags(const Request& request, std::string& out) {
  out.append(" ");
  append_number(request.value_size, out);
  out.append(" c").append(mode_of(request));
  if (request.opcode == Opcode::append || request.opcode == Opcode::prepend) return;
  append_flag(" F", request.flags, out);
  out.append(" T");
  append_exptime(request.exptime, out);
}

void append_arithmetic_flags(const Request& request, std::string& out) {
  out.append(request.opcode == Opcode::increment ? " MI v c" : " MD v c");
  append_flag(" D", request.delta, out);
  if (request.exptime == kDoNotCreate) return;
  append_flag(" J", request.initial, out);
  out.append(" N");
  append_exptime(request.exptime, out);
}

std::string_view take_word(std::string_view& line) {
  const size_t blank = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, blank);
  line.remove_prefix(std::min(blank + 1, line.size()));
  return word;
}

uint64_t to_number(std::string_view text) {
  uint64_t number = 0;
  return parse_u64(text, number) ? number : 0;
}

void read_flags(std::string_view words, Outcome& out) {
  while (!words.empty()) {
    const std::string_view word = take_word(words);
    if (word.starts_with('c')) out.cas = to_number(word.substr(1));
    if (word.starts_with('f')) out.flags = static_cast<uint32_t>(to_number(word.substr(1)));
  }
}

Status not_stored_status(Opcode opcode) {
  if (opcode == Opcode::add) return Status::exists;
  return opcode == Opcode::replace ? Status::not_found : Status::not_stored;
}

// The error lines that the binary protocol has a number for.
Outcome read_error(std::string_view line) {
  constexpr std::string_view kClient = "CLIENT_ERROR ";
  constexpr std::string_view kServer = "SERVER_ERROR ";
  const auto known = [](Status status) { return Outcome{.status = status, .text = status_text(status)}; };
  if (line.starts_with(kServer)) {
    const std::string_view text = line.substr(kServer.size());
    if (text.starts_with("object too large")) return known(Status::too_large);
    if (text.starts_with("out of memory") || text.starts_with("Out of memory")) return known(Status::out_of_memory);
    if (kMadeMeanwhile.starts_with(line)) return {.status = Status::temporary_failure, .text = text};
    return {.status = Status::internal_error, .text = text};
  }
  if (line.starts_with(kClient)) {
    const std::string_view text = line.substr(kClient.size());
    if (text.starts_with("cannot increment or decrement")) return known(Status::not_a_number);
    const bool impossible = text.find(" not possible with a backend without") != std::string_view::npos;
    return {.status = impossible ? Status::not_supported : Status::invalid, .text = text};
  }
  return line.starts_with("ERROR") ? known(Status::unknown_command) : known(Status::internal_error);
}

Outcome read_line(Opcode opcode, std::string_view line) {
  std::string_view rest = line;
  const std::string_view word = take_word(rest);
  Outcome out;
  const auto failed = [&out](Status status) {
    out.status = status;
    out.text = status_text(status);
    return out;
  };
  if (word == "VALUE") {
    take_word(rest);
    out.has_value = true;
    out.flags = static_cast<uint32_t>(to_number(take_word(rest)));
    out.value_size = to_number(take_word(rest));
    out.cas = to_number(take_word(rest));
    return out;
  }
  if (word == "VA") {
    out.has_value = true;
    out.value_size = to_number(take_word(rest));
    read_flags(rest, out);
    return out;
  }
  if (word == "HD" || word == "OK") {
    read_flags(rest, out);
    return out;
  }
  if (word == "EN" || word == "NF") return failed(Status::not_found);
  if (word == "EX") return failed(Status::exists);
  if (word == "NS") return failed(not_stored_status(opcode));
  return read_error(line);
}

}  // namespace

void append_exptime(uint32_t exptime, std::string& out) { append_number(std::min(exptime, kLatestExptime), out); }

void append_meta_command(const Request& request, std::string& out) {
  out.append(verb_of(request.opcode));
  if (request.encoded_key) {
    append_base64(request.key, out);
  } else {
    out.append(request.key);
  }
  switch (request.opcode) {
    case Opcode::get:
    case Opcode::getk: out.append(" f c v"); break;
    case Opcode::gat:
    case Opcode::gatk:
    case Opcode::touch:
      out.append(request.opcode == Opcode::touch ? " f c T" : " f c v T");
      append_exptime(request.exptime, out);
      break;
    case Opcode::delete_: break;
    case Opcode::increment:
    case Opcode::decrement: append_arithmetic_flags(request, out); break;
    default: append_storage_flags(request, out);
  }
  if (request.encoded_key) out.append(" b");
  const bool compares = request.opcode != Opcode::get && request.opcode != Opcode::getk &&
                        request.opcode != Opcode::gat && request.opcode != Opcode::gatk &&
                        request.opcode != Opcode::touch;
  if (compares && request.header.cas != 0) append_flag(" C", request.header.cas, out);
  out.append(kCrlf);
}

Outcome read_outcome(Opcode opcode, std::string_view reply) {
  if (reply.empty()) return {.status = Status::not_found, .text = status_text(Status::not_found)};
  const size_t size = std::min(reply.find(kCrlf), reply.size());
  Outcome out = read_line(opcode, reply.substr(0, size));
  out.line_size = std::min(size + kCrlf.size(), reply.size());
  return out;
}

}  // namespace overlord::memcache::binary
