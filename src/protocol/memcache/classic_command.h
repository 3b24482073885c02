#pragma once
// Between meta commands and a node that speaks text without them (memcached before 1.6, twemproxy): a meta command as
// the older commands that do the same, and their replies as the meta reply that it would have had.
// Source: memcached's doc/protocol.txt, and the behaviour of memcached 1.6.18.
//
// The unique (c) of what a storage or arithmetic command has made is 0, for the node does not tell it. What cannot be
// asked at all is refused and nothing is done: all that a binary backend cannot be asked (binary_command.h), C with MA,
// MP and ma, and a key that text cannot carry.
//
// Two commands leave for mg with T that shows something of the item (touch, gets) and for ma with N (incr or decr, then
// add). They travel together. What other clients of the node do between the two is told by the second reply: see
// read_line().

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/memcache/binary_command.h"

namespace overlord::memcache::classic {

struct Command {
  std::string text;           // whole lines; of a storage command the value and its CRLF follow
  uint32_t replies = 1;       // a retrieval has one, up to its END
  uint64_t value_at = 0;      // ms: where the value begins in the meta command
  std::string_view error;     // set: the command cannot be sent, this is its answer
  binary::Command requested;  // what it comes to; its meta_line is for append_reply()
  binary::Opcode opcode = binary::Opcode::noop;
  std::string_view key;  // as bytes
};

// bytes: one whole meta command without q; of a value only what has arrived need be there.
void translate(std::string_view bytes, Command& out);

// A retrieval of one key with a time, "gat <exptime>" or "gats <exptime>", which memcached 1.4 does not know: touch and
// get or gets. Two replies.
void append_touching_retrieval(std::string_view retrieval, std::string_view key, std::string& out);

// What the replies of one command have said so far.
struct Outcome {
  binary::Status status = binary::Status::ok;
  uint64_t number = 0;    // of incr, decr
  bool created = false;   // by the add behind them
  bool has_item = false;  // an item came: its flags, value_size and cas are here
  uint32_t flags = 0;
  uint64_t value_size = 0;
  uint64_t cas = 0;
  std::string error;  // a line with its line end: the answer, whatever else came
  bool good() const { return status == binary::Status::ok && error.empty(); }
};

// Takes one reply line of the command with this opcode; END of a retrieval counts as one, its item does not. second: a
// reply has come before; more: another is to come. False: the command has no such reply.
bool read_line(binary::Opcode opcode, bool second, bool more, std::string_view line, Outcome& out);
// VALUE <key> <flags> <bytes> [<cas>]
void read_item(std::string_view line, Outcome& out);

// The meta reply to meta_line; the value of mg does not follow.
bool append_reply(std::string_view meta_line, const Outcome& outcome, std::string& out);

}  // namespace overlord::memcache::classic
