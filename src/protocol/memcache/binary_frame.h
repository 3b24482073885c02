#pragma once
// The header of the memcache binary protocol: 24 bytes in front of every request and reply, then extras, key, value.
// Source: memcached's doc/protocol-binary.txt and the behaviour of memcached 1.6.
//
// What stands in the bytes is not judged here: read_header takes any 24 bytes. See binary_request.h.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace overlord::memcache::binary {

inline constexpr size_t kHeaderSize = 24;
inline constexpr uint8_t kRequestMagic = 0x80;
inline constexpr uint8_t kReplyMagic = 0x81;

// In the order of their numbers. q: quiet, without the reply that says nothing new (a miss, a success). k: the key
// comes back with the value.
enum class Opcode : uint8_t {
  get = 0x00,
  set = 0x01,
  add = 0x02,
  replace = 0x03,
  delete_ = 0x04,
  increment = 0x05,
  decrement = 0x06,
  quit = 0x07,
  flush = 0x08,
  getq = 0x09,
  noop = 0x0a,
  version = 0x0b,
  getk = 0x0c,
  getkq = 0x0d,
  append = 0x0e,
  prepend = 0x0f,
  stat = 0x10,
  setq = 0x11,
  addq = 0x12,
  replaceq = 0x13,
  deleteq = 0x14,
  incrementq = 0x15,
  decrementq = 0x16,
  quitq = 0x17,
  flushq = 0x18,
  appendq = 0x19,
  prependq = 0x1a,
  verbosity = 0x1b,
  touch = 0x1c,
  gat = 0x1d,
  gatq = 0x1e,
  sasl_list_mechs = 0x20,
  sasl_auth = 0x21,
  sasl_step = 0x22,
  gatk = 0x23,
  gatkq = 0x24
};

bool is_quiet(Opcode opcode);
// The loud form of a quiet opcode, another opcode as it is.
Opcode loud(Opcode opcode);

enum class Status : uint16_t {
  ok = 0x00,
  not_found = 0x01,
  exists = 0x02,
  too_large = 0x03,
  invalid = 0x04,
  not_stored = 0x05,
  not_a_number = 0x06,
  auth_error = 0x20,
  auth_continue = 0x21,
  unknown_command = 0x81,
  out_of_memory = 0x82,
  not_supported = 0x83,
  internal_error = 0x84,
  busy = 0x85,
  temporary_failure = 0x86
};

// The body that memcached sends with it; of the last four, which it never sends, the protocol's wording.
std::string_view status_text(Status status);

struct Header {
  uint8_t magic = kRequestMagic;
  Opcode opcode = Opcode::get;
  uint16_t key_size = 0;
  uint8_t extras_size = 0;
  uint8_t data_type = 0;
  uint16_t status = 0;     // in a request: the vbucket
  uint32_t body_size = 0;  // extras, key and value together
  uint32_t opaque = 0;     // comes back as it was sent
  uint64_t cas = 0;
};

// `bytes` points at kHeaderSize bytes.
Header read_header(const char* bytes);
void write_header(const Header& header, char* bytes);

// Numbers of the extras, big-endian.
uint32_t read_u32(const char* bytes);
uint64_t read_u64(const char* bytes);
void write_u32(uint32_t number, char* bytes);
void write_u64(uint64_t number, char* bytes);

}  // namespace overlord::memcache::binary
