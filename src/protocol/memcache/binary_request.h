#pragma once
// parse_binary_request: one request of the memcache binary protocol at the front of the bytes received so far.
// Source: memcached's doc/protocol-binary.txt, and the behaviour of memcached 1.6.18 wherever that says more: which
// faults close the connection, and in what order they are looked for. Stateless; the value's bytes are only counted.
//
// What memcached would lose its place by (a body longer than the command has use for) is refused here and closes.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/memcache/binary_frame.h"
#include "protocol/memcache/request_parser.h"

namespace overlord::memcache::binary {

// Longest user and password of SASL PLAIN together, and longest name of a mechanism.
inline constexpr size_t kMaxSecret = 4096;
inline constexpr size_t kMaxMechanism = 32;
// Longest key that has bytes which the text protocol cannot carry: it travels as base64 and must be a key again then.
inline constexpr size_t kMaxEncodedKey = kMaxKey / 4 * 3;

struct Limits {
  uint64_t max_value = 1024ull * 1024 * 1024;
  uint64_t max_request = 1ull << 30;  // bytes of a whole message
  bool authenticated = true;          // else only version and SASL are taken
  bool sasl = true;                   // else it is unknown
};

struct Request {
  Header header;
  Opcode opcode = Opcode::noop;  // the loud form
  bool quiet = false;
  bool encoded_key = false;  // the key has bytes that the text protocol cannot carry
  Status status = Status::ok;
  std::string_view key;
  std::string_view value;   // what has arrived of it
  uint32_t value_size = 0;  // of the whole value
  uint64_t size = 0;        // bytes of the whole message
  // From the extras, each 0 where the command has none.
  uint32_t flags = 0;
  uint32_t exptime = 0;  // set, add, replace, increment, decrement, touch, gat, gatk, flush
  uint64_t delta = 0;
  uint64_t initial = 0;
};

// An exptime of increment and decrement: what is not there is not made.
inline constexpr uint32_t kDoNotCreate = 0xffffffff;

// set, add, replace, append, prepend.
bool has_value(Opcode opcode);

// Of ParseStatus:
//   value       set, add, replace, append, prepend: the value has not all arrived, everything before it has
//   incomplete  more bytes are needed; nothing is set
//   refused     answer `status`, drop `size` bytes, go on
//   fatal       answer `status`, then close; with Status::ok close without a word
ParseStatus parse_binary_request(std::string_view bytes, const Limits& limits, Request& out);

}  // namespace overlord::memcache::binary
