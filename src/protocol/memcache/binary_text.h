#pragma once
// Between the binary protocol and the text one: a binary client's request as the command that asks a node the same,
// and the node's reply as what the client is to be told.
// Source: memcached's doc/protocol.txt and doc/protocol-binary.txt; the answers are those of memcached 1.6.18.
//
// Retrievals with plain keys are not here: they are ordinary `gets` and `gats <exptime>`, so that they share commands
// with those of text clients. All else is meta commands, which give the unique (cas) back and carry any key.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/memcache/binary_request.h"

namespace overlord::memcache::binary {

// Appends the command line with its CRLF. For get, getk, gat, gatk, touch, delete_, increment, decrement, and the
// storage commands, whose value and CRLF must follow.
void append_meta_command(const Request& request, std::string& out);

// The exptime in text: beyond 2^31-1, which other commands do not take, it becomes that (in 2038).
void append_exptime(uint32_t exptime, std::string& out);

struct Outcome {
  Status status = Status::ok;
  size_t line_size = 0;    // of the reply's line with its CRLF
  bool has_value = false;  // VALUE or VA: value_size + 2 bytes follow the line
  uint64_t value_size = 0;
  uint32_t flags = 0;
  uint64_t cas = 0;
  std::string_view text;  // the body of an error
};

// reply: begins with the whole line of a reply to what `opcode` (loud) was sent as. An empty reply is a miss.
Outcome read_outcome(Opcode opcode, std::string_view reply);

}  // namespace overlord::memcache::binary
