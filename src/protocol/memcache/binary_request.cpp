#include "protocol/memcache/binary_request.h"

#include <algorithm>

#include "protocol/memcache/scan.h"

namespace overlord::memcache::binary {
namespace {

// What may stand behind a command's header.
struct Shape {
  bool known = false;
  uint8_t extras = 0;
  bool extras_optional = false;
  enum : uint8_t { none, optional, required } key = none;
  bool value = false;
};

constexpr Shape shape_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::get:
    case Opcode::getk:
    case Opcode::delete_: return {.known = true, .key = Shape::required};
    case Opcode::set:
    case Opcode::add:
    case Opcode::replace: return {.known = true, .extras = 8, .key = Shape::required, .value = true};
    case Opcode::append:
    case Opcode::prepend: return {.known = true, .key = Shape::required, .value = true};
    case Opcode::increment:
    case Opcode::decrement: return {.known = true, .extras = 20, .key = Shape::required};
    case Opcode::touch:
    case Opcode::gat:
    case Opcode::gatk: return {.known = true, .extras = 4, .key = Shape::required};
    case Opcode::flush:
    case Opcode::verbosity: return {.known = true, .extras = 4, .extras_optional = true};
    case Opcode::stat: return {.known = true, .key = Shape::optional};
    case Opcode::quit:
    case Opcode::noop:
    case Opcode::version:
    case Opcode::sasl_list_mechs: return {.known = true};
    case Opcode::sasl_auth:
    case Opcode::sasl_step: return {.known = true, .key = Shape::required, .value = true};
    default: return {};
  }
}

bool fits(const Header& header, const Shape& shape) {
  const bool bare = shape.extras_optional && header.extras_size == 0;
  if (header.extras_size != shape.extras && !bare) return false;
  if (header.key_size == 0 ? shape.key == Shape::required : shape.key == Shape::none) return false;
  return shape.value || header.body_size == uint32_t{header.extras_size} + header.key_size;
}

bool is_sasl(Opcode opcode) { return opcode == Opcode::sasl_auth || opcode == Opcode::sasl_step; }

bool is_login(Opcode opcode) { return is_sasl(opcode) || opcode == Opcode::sasl_list_mechs; }

void read_extras(const char* extras, Request& out) {
  switch (out.opcode) {
    case Opcode::set:
    case Opcode::add:
    case Opcode::replace:
      out.flags = read_u32(extras);
      out.exptime = read_u32(extras + 4);
      break;
    case Opcode::increment:
    case Opcode::decrement:
      out.delta = read_u64(extras);
      out.initial = read_u64(extras + 8);
      out.exptime = read_u32(extras + 16);
      break;
    case Opcode::touch:
    case Opcode::gat:
    case Opcode::gatk:
    case Opcode::flush:
      if (out.header.extras_size > 0) out.exptime = read_u32(extras);
      break;
    default: break;
  }
}

}  // namespace

bool has_value(Opcode opcode) { return shape_of(opcode).value && !is_sasl(opcode); }

ParseStatus parse_binary_request(std::string_view bytes, const Limits& limits, Request& out) {
  if (bytes.empty()) return ParseStatus::incomplete;
  if (static_cast<uint8_t>(bytes.front()) != kRequestMagic) {
    out = Request{};
    return ParseStatus::fatal;
  }
  if (bytes.size() < kHeaderSize) return ParseStatus::incomplete;

  const Header header = read_header(bytes.data());
  Request request;
  request.header = header;
  request.opcode = loud(header.opcode);
  request.quiet = request.opcode != header.opcode;
  request.size = kHeaderSize + uint64_t{header.body_size};
  const auto end = [&](ParseStatus verdict, Status status) {
    request.status = status;
    out = request;
    return verdict;
  };

  const uint32_t front = uint32_t{header.extras_size} + header.key_size;
  const Shape shape = shape_of(request.opcode);
  if (front > header.body_size) return end(ParseStatus::fatal, Status::unknown_command);
  if (!limits.authenticated && !is_login(request.opcode) && request.opcode != Opcode::version)
    return end(ParseStatus::fatal, Status::auth_error);
  if (header.key_size > kMaxKey) return end(ParseStatus::fatal, Status::invalid);
  if (!shape.known) return end(ParseStatus::refused, Status::unknown_command);
  if (!fits(header, shape)) return end(ParseStatus::fatal, Status::invalid);

  if (is_login(request.opcode) && !limits.sasl) return end(ParseStatus::refused, Status::unknown_command);

  request.value_size = header.body_size - front;
  if (is_sasl(request.opcode)) {
    if (header.key_size > kMaxMechanism) return end(ParseStatus::refused, Status::invalid);
    if (request.value_size > kMaxSecret) return end(ParseStatus::refused, Status::auth_error);
  } else if (request.value_size > limits.max_value || request.size > limits.max_request) {
    return end(ParseStatus::refused, Status::too_large);
  }
  if (bytes.size() < kHeaderSize + front) return ParseStatus::incomplete;

  read_extras(bytes.data() + kHeaderSize, request);
  request.key = bytes.substr(kHeaderSize + header.extras_size, header.key_size);
  request.value = bytes.substr(kHeaderSize + front, request.value_size);
  const bool is_item = shape.key == Shape::required && !is_sasl(request.opcode);
  request.encoded_key = is_item && plain_run(request.key.data(), request.key.size()) < request.key.size();
  if (request.encoded_key && request.key.size() > kMaxEncodedKey) return end(ParseStatus::refused, Status::invalid);
  if (bytes.size() >= request.size) return end(ParseStatus::complete, Status::ok);
  return is_item ? end(ParseStatus::value, Status::ok) : ParseStatus::incomplete;
}

}  // namespace overlord::memcache::binary
