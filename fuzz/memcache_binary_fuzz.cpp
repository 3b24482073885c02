// Client bytes into parse_binary_request, and what is made of them for a node. What must hold for any input:
//  - sizes add up, and views lie inside the message;
//  - the verdict does not depend on what follows the message, and a shorter piece gives no other than to wait;
//  - what goes to a node is one line that its parser takes, with the same key and the same length of the value;
//  - a line of a node, whatever it says, is read within its bounds.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/memcache/binary_text.h"
#include "protocol/memcache/meta_request.h"

namespace {

using namespace overlord::memcache;
using binary::Opcode;
using binary::Status;

void require(bool holds) {
  if (!holds) std::abort();
}

bool within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

bool goes_to_a_node(Opcode opcode) {
  switch (opcode) {
    case Opcode::get:
    case Opcode::getk:
    case Opcode::gat:
    case Opcode::gatk:
    case Opcode::touch:
    case Opcode::delete_:
    case Opcode::increment:
    case Opcode::decrement: return true;
    default: return has_value(opcode);
  }
}

void check_translation(const binary::Request& request) {
  require(!request.key.empty() && request.key.size() <= kMaxKey);
  std::string line;
  append_meta_command(request, line);
  require(line.size() < 2048 && line.ends_with("\r\n"));
  require(std::none_of(line.begin(), line.end() - 2,
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
  if (has_value(request.opcode)) line.append(request.value_size, 'v').append("\r\n");
  MetaRequest meta;
  require(is_meta(line) && parse_meta_request(line, {}, meta) == ParseStatus::complete);
  require(meta.canonical && !meta.quiet && meta.binary_key == request.encoded_key);
  require(meta.routing_key() == request.key && meta.value_size == (has_value(request.opcode) ? request.value_size : 0));
  if (request.encoded_key) return;
  const std::string gets = "gets " + std::string(request.key) + "\r\n";
  overlord::memcache::Request text;
  require(parse_request(gets, {}, text) == ParseStatus::complete);
  require(text.key == request.key && text.key_count == 1);
}

void check(std::string_view bytes, const binary::Limits& limits, ParseStatus status, const binary::Request& request) {
  require(request.quiet == is_quiet(request.header.opcode) && request.opcode == loud(request.header.opcode));
  require(request.size == binary::kHeaderSize + uint64_t{request.header.body_size});
  if (status == ParseStatus::refused) return require(request.status != Status::ok);
  require(request.status == Status::ok && request.size <= limits.max_request);
  require(limits.authenticated || !goes_to_a_node(request.opcode));
  const std::string_view message = bytes.substr(0, request.size);
  require(within(request.key, message) && within(request.value, message) && request.value.size() <= request.value_size);
  const uint64_t sum = binary::kHeaderSize + request.header.extras_size + request.key.size() + request.value_size;
  require(sum == request.size && request.value_size <= std::max<uint64_t>(limits.max_value, binary::kMaxSecret));
  require((status == ParseStatus::complete) == (bytes.size() >= request.size));
  if (goes_to_a_node(request.opcode)) check_translation(request);

  binary::Request alone;
  require(parse_binary_request(message, limits, alone) == status && alone.key == request.key);
}

void check_pieces(std::string_view bytes, const binary::Limits& limits, ParseStatus status) {
  for (size_t size = 0; size < std::min<size_t>(bytes.size(), 64); ++size) {
    binary::Request piece;
    const ParseStatus early = parse_binary_request(bytes.substr(0, size), limits, piece);
    require(early == status || early == ParseStatus::incomplete || early == ParseStatus::value);
    if (early == ParseStatus::value) require(status == ParseStatus::value || status == ParseStatus::complete);
  }
}

void check_outcome(std::string_view bytes) {
  for (const Opcode opcode : {Opcode::get, Opcode::add, Opcode::increment, Opcode::flush}) {
    const binary::Outcome outcome = binary::read_outcome(opcode, bytes);
    require(outcome.line_size <= bytes.size());
    require(outcome.status == Status::ok || !outcome.has_value);
    if (!bytes.empty()) require(within(outcome.text, bytes) || outcome.text == status_text(outcome.status));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_outcome(bytes);
  if (bytes.empty()) return 0;
  const auto choice = static_cast<uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  const binary::Limits limits{
      .max_value = 1 << 16, .max_request = 1 << 16, .authenticated = (choice & 1) == 0, .sasl = (choice & 2) == 0};
  while (!bytes.empty()) {
    binary::Request request;
    const ParseStatus status = parse_binary_request(bytes, limits, request);
    check_pieces(bytes, limits, status);
    if (status == ParseStatus::incomplete || status == ParseStatus::fatal) break;
    check(bytes, limits, status, request);
    if (status == ParseStatus::value) break;
    bytes.remove_prefix(std::min<uint64_t>(request.size, bytes.size()));
  }
  return 0;
}
