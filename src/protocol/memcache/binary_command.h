#pragma once
// Between the text and meta protocol and a node that speaks binary only: a text command as the binary request that
// asks the same, and the node's reply as the text one that the command would have had.
// Source: memcached's doc/protocol-binary.txt and doc/protocol.txt, and the behaviour of memcached 1.6.18.
//
// The other direction, a binary client before text nodes, is binary_text.h.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/memcache/binary_frame.h"
#include "protocol/memcache/meta_flags.h"
#include "protocol/memcache/request_parser.h"

namespace overlord::memcache::binary {

// What a reply is turned into.
enum class Form : uint8_t {
  none,
  set,          // STORED; also append and prepend
  add,          // STORED, NOT_STORED
  replace,      // the same
  cas,          // STORED, EXISTS, NOT_FOUND
  arithmetic,   // a number, NOT_FOUND
  delete_,      // DELETED, NOT_FOUND
  touch,        // TOUCHED, NOT_FOUND
  flush,        // OK
  version,      // VERSION
  stats,        // STAT lines and END
  stats_reset,  // RESET
  meta          // as the meta command says
};

// A request without its value: header, extras and key; body_size counts the value too.
struct Command {
  Form form = Form::none;
  bool meta_value = false;  // mg with v: the value of the reply is passed on
  std::array<char, kHeaderSize + 20 + kMaxKey> frame;
  size_t frame_size = 0;
  uint64_t value_size = 0;     // bytes of the value that follow the frame
  uint64_t value_at = 0;       // where it begins in the text command
  std::string_view meta_line;  // meta: the command line with its line end, which append_meta_reply() needs
  std::string_view error;      // set: the command cannot be sent, this is its answer
};

// bytes: one whole command as text nodes get it, without noreply and without q; of a value only what has arrived need
// be there. The frame has `opaque`.
void translate(std::string_view bytes, uint32_t opaque, Command& out);

// A retrieval of one key: "get", "gets", "gat <exptime>", "gats <exptime>". The key comes back. Returns the size of
// what it writes to `frame`, which takes kMaxRetrieval bytes. A quiet one is not answered on a miss.
inline constexpr size_t kMaxRetrieval = kHeaderSize + 4 + kMaxKey;
size_t write_retrieval(std::string_view retrieval, std::string_view key, uint32_t opaque, bool quiet, char* frame);
// Makes it loud.
void make_loud(char* frame);

struct Reply {
  Header header;
  std::string_view extras;
  std::string_view key;
  std::string_view body;    // behind the key; of a value that is passed on: nothing
  uint64_t value_size = 0;  // of the value that is passed on
  bool good() const { return header.status == 0; }
};

// Appends the whole line. False when the reply is not one that the form can have.
bool append_line_reply(Form form, const Reply& reply, std::string& out);
// VALUE <key> <flags> <bytes> [<cas>]
bool append_value_line(const Reply& reply, bool with_cas, std::string& out);
// STAT <name> <value>
bool append_stat_line(const Reply& reply, std::string& out);
// The line; a number that ma shows follows with its CRLF, the value of mg does not.
bool append_meta_reply(std::string_view command_line, const Reply& reply, std::string& out);
// The error line for a status that none of the forms has a word for.
void append_error(uint16_t status, std::string_view text, std::string& out);

// Whether what was just appended is an error line.
bool is_error_line(std::string_view line);

}  // namespace overlord::memcache::binary
