#pragma once
// parse_request: one memcache text request at the front of the bytes received so far. Meta commands have a parser of
// their own (meta_request.h).
// Source: memcached's doc/protocol.txt and the behaviour of memcached 1.6 (error texts, number and key rules,
// bare LF). Stateless: the command line is parsed in one go, the value's bytes are only counted.
//
// A request that memcached would refuse is refused here with memcached's own words and never forwarded: one
// that slipped through would make the backend answer twice and shift every later reply on that connection.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/memcache/text.h"

namespace overlord::memcache {

enum class Verb : uint8_t {
  // Retrieval: keys.
  get,
  gets,
  gat,
  gats,
  // Storage: key and value.
  set,
  add,
  replace,
  append,
  prepend,
  cas,
  // A key.
  incr,
  decr,
  touch,
  delete_,
  // No key.
  version,
  verbosity,
  flush_all,
  stats,
  quit
};

constexpr bool is_retrieval(Verb v) { return v <= Verb::gats; }
constexpr bool is_storage(Verb v) { return v >= Verb::set && v <= Verb::cas; }
std::string_view verb_name(Verb verb);

inline constexpr size_t kMaxKey = 250;  // memcached's KEY_MAX_LENGTH

struct Limits {
  uint32_t max_line = 256 * 1024;              // of get and gets, with its line end; other lines: 2048, as memcached
  uint64_t max_value = 1024ull * 1024 * 1024;  // memcached's largest -I
};

enum class ParseStatus : uint8_t {
  complete,    // the whole request, `size` bytes
  value,       // storage: the line is whole and valid, the value has not all arrived; `size` is what it will be
  incomplete,  // the line is not whole
  // Answer `error` (nothing when it is empty: the line said noreply), drop `size` bytes and then `swallow` more
  // (the value that belongs to the line), go on.
  refused,
  fatal  // answer `error` when not empty, then close
};

struct Request {
  Verb verb = Verb::get;
  bool noreply = false;
  bool too_large = false;  // refused: the value is longer than it may be
  // The wire form that may be sent to a backend as it is: ends in CRLF, no "noreply", single line.
  // When false use head() + CRLF (+ value).
  bool canonical = false;
  std::string_view head;  // the command line without noreply, trailing blanks and line end
  std::string_view key;   // first key; empty for verbs without one
  std::string_view keys;  // retrieval: from the first key to the end of the last one
  uint32_t key_count = 0;
  std::string_view exptime;    // gat, gats, touch and storage: as sent, a decimal number within int32
  std::string_view arguments;  // stats (settings, items, slabs, sizes, conns, reset), verbosity, flush_all: the
                               // first word behind the verb, which is all that is in head; empty when there is none
  size_t line_size = 0;        // bytes of the line with its line end
  uint64_t value_size = 0;     // storage: bytes of the value, without its CRLF
  uint64_t size = 0;           // bytes of the whole message: line, and value with CRLF
  uint64_t swallow = 0;        // refused only
  std::string_view error;      // refused and fatal: a line with CRLF, static storage; may be empty
};

// On `incomplete` nothing but the status is set. Never looks beyond the first message.
ParseStatus parse_request(std::string_view bytes, const Limits& limits, Request& out);

// Walks the keys of a retrieval.
class KeyCursor {
 public:
  explicit KeyCursor(std::string_view keys) : rest_(keys) {}
  // Next key; empty after the last.
  std::string_view next();
  // What has not been walked.
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace overlord::memcache
