#include "protocol/memcache/binary_frame.h"

#include <bit>
#include <cstring>

namespace overlord::memcache::binary {
namespace {

template <typename Number>
Number swapped(Number number) {
  if constexpr (std::endian::native == std::endian::big) return number;
  if constexpr (sizeof(Number) == 2) return __builtin_bswap16(number);
  if constexpr (sizeof(Number) == 4) return __builtin_bswap32(number);
  if constexpr (sizeof(Number) == 8) return __builtin_bswap64(number);
}

template <typename Number>
Number load(const char* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof number);
  return swapped(number);
}

template <typename Number>
void store(Number number, char* bytes) {
  number = swapped(number);
  std::memcpy(bytes, &number, sizeof number);
}

}  // namespace

Opcode loud(Opcode opcode) {
  switch (opcode) {
    case Opcode::getq: return Opcode::get;
    case Opcode::getkq: return Opcode::getk;
    case Opcode::setq: return Opcode::set;
    case Opcode::addq: return Opcode::add;
    case Opcode::replaceq: return Opcode::replace;
    case Opcode::deleteq: return Opcode::delete_;
    case Opcode::incrementq: return Opcode::increment;
    case Opcode::decrementq: return Opcode::decrement;
    case Opcode::quitq: return Opcode::quit;
    case Opcode::flushq: return Opcode::flush;
    case Opcode::appendq: return Opcode::append;
    case Opcode::prependq: return Opcode::prepend;
    case Opcode::gatq: return Opcode::gat;
    case Opcode::gatkq: return Opcode::gatk;
    default: return opcode;
  }
}

bool is_quiet(Opcode opcode) { return loud(opcode) != opcode; }

std::string_view status_text(Status status) {
  switch (status) {
    case Status::ok: return "";
    case Status::not_found: return "Not found";
    case Status::exists: return "Data exists for key.";
    case Status::too_large: return "Too large.";
    case Status::invalid: return "Invalid arguments";
    case Status::not_stored: return "Not stored.";
    case Status::not_a_number: return "Non-numeric server-side value for incr or decr";
    case Status::auth_error: return "Auth failure.";
    case Status::auth_continue: return "Auth continue.";
    case Status::unknown_command: return "Unknown command";
    case Status::out_of_memory: return "Out of memory";
    case Status::not_supported: return "Not supported";
    case Status::internal_error: return "Internal error";
    case Status::busy: return "Busy";
    case Status::temporary_failure: return "Temporary failure";
  }
  return "";
}

Header read_header(const char* bytes) {
  Header header;
  header.magic = static_cast<uint8_t>(bytes[0]);
  header.opcode = static_cast<Opcode>(bytes[1]);
  header.key_size = load<uint16_t>(bytes + 2);
  header.extras_size = static_cast<uint8_t>(bytes[4]);
  header.data_type = static_cast<uint8_t>(bytes[5]);
  header.status = load<uint16_t>(bytes + 6);
  header.body_size = load<uint32_t>(bytes + 8);
  header.opaque = load<uint32_t>(bytes + 12);
  header.cas = load<uint64_t>(bytes + 16);
  return header;
}

void write_header(const Header& header, char* bytes) {
  bytes[0] = static_cast<char>(header.magic);
  bytes[1] = static_cast<char>(header.opcode);
  store(header.key_size, bytes + 2);
  bytes[4] = static_cast<char>(header.extras_size);
  bytes[5] = static_cast<char>(header.data_type);
  store(header.status, bytes + 6);
  store(header.body_size, bytes + 8);
  store(header.opaque, bytes + 12);
  store(header.cas, bytes + 16);
}

uint32_t read_u32(const char* bytes) { return load<uint32_t>(bytes); }
uint64_t read_u64(const char* bytes) { return load<uint64_t>(bytes); }
void write_u32(uint32_t number, char* bytes) { store(number, bytes); }
void write_u64(uint64_t number, char* bytes) { store(number, bytes); }

}  // namespace overlord::memcache::binary
