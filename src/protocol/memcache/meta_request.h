#pragma once
// parse_meta_request: one memcache meta command (mg ms md ma mn me) at the front of the bytes received so far.
// Source: memcached's doc/protocol.txt and the behaviour of memcached 1.6.18. Stateless, as parse_request.
//
// The flags are judged by the node that gets the command: whatever they are, it answers exactly once and takes
// exactly the announced value. Refused here is only what would break that, what tells nothing about the node
// (a flag given twice, a key that is not base64), and lines that are out of shape.
//
// `q` is never sent to a node: connections are shared, and a reply that may or may not come cannot be matched. Who
// asked for quiet is told in `quiet`; what to leave out is meta_hidden()'s to say (meta_reply.h).

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/memcache/request_parser.h"

namespace overlord::memcache {

enum class MetaVerb : uint8_t {
  get,         // mg
  set,         // ms, with a value
  delete_,     // md
  arithmetic,  // ma
  noop,        // mn, without a key
  debug        // me
};

// A verb and its key, a length for ms, and flags.
inline constexpr size_t kMaxMetaTokens = 19;

struct MetaRequest {
  MetaVerb verb = MetaVerb::noop;
  bool quiet = false;       // the line has q
  bool binary_key = false;  // the line has b: the key is base64
  // The message may be sent to a node as it is. When false: append_line() + CRLF (+ value).
  bool canonical = false;
  // mg with b and k, whose decoded key holds control characters or blanks. memcached 1.6.18 may echo such a key
  // undecoded and so break its own reply in two: k is not sent, and the key is put into the reply by insert_key().
  bool hidden_key = false;
  uint8_t flags_before_hit = 0;   // hidden_key: reply flags in front of k in HD and VA
  uint8_t flags_before_miss = 0;  // the same in EN
  std::string_view key;           // as sent; empty for noop
  std::string_view head;          // the line without leading and trailing blanks and line end
  size_t line_size = 0;           // bytes of the line with its line end
  uint64_t value_size = 0;        // ms: bytes of the value, without its CRLF
  uint64_t size = 0;              // bytes of the whole message
  uint64_t swallow = 0;           // refused only: bytes behind `size` that belong to it
  std::string_view error;         // refused and fatal: a line with CRLF, static storage

  // What decides the node: the bytes of the key, so that base64 and plain forms of one key meet.
  std::string_view routing_key() const { return binary_key ? std::string_view(decoded.data(), decoded_size) : key; }
  // The line as a node gets it: without q, and without k when hidden_key. No line end.
  void append_line(std::string& out) const;

  std::string_view quiet_flag;  // where q and the hidden k stand in head; empty when they do not
  std::string_view key_flag;
  size_t decoded_size = 0;
  std::array<char, kMaxKey> decoded;  // the key's bytes when binary_key
};

// Whether a meta command begins here, as far as the bytes tell: leading blanks, the verb, and what ends a word.
bool is_meta(std::string_view bytes);

// For bytes of which is_meta() is true. On `incomplete` nothing but the status is set.
ParseStatus parse_meta_request(std::string_view bytes, const Limits& limits, MetaRequest& out);

}  // namespace overlord::memcache
