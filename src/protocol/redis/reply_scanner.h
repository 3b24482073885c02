#pragma once
// ReplyScanner: finds where one server reply ends, RESP2 and RESP3, without keeping bytes.
// Source: the RESP2/RESP3 specification.
//
// Use: advance() with bytes in the order received; it stops behind the reply. State is kept between calls, so a
// reply may arrive in any pieces. Nested arrays cost a counter, not a stack: depth is not bounded by memory, but
// the total of elements in one reply is (limits).
//
// Strict, because the bytes go on to a client as they are: lines end with CRLF and hold neither CR nor LF, numbers have
// no leading zeros, counts are not negative but for the RESP2 null (-1), and pushes stand at top level only. Streamed
// RESP3 values ("$?", "*?") are errors: no server sends them.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace overlord::redis {

struct ReplyLimits {
  uint64_t max_bulk = 512ull * 1024 * 1024;
  uint64_t max_elements = 16ull * 1024 * 1024;
  uint32_t max_line = 64 * 1024;  // simple strings, errors, numbers
};

class ReplyScanner {
 public:
  enum class Status : uint8_t { more, done, error };

  explicit ReplyScanner(ReplyLimits limits = {}) : limits_(limits) {}
  void reset();

  // Consumes bytes of one reply; consumed <= bytes.size(). After done: consumed is the end of the reply in
  // `bytes`. After error the stream cannot be followed any further.
  Status advance(std::string_view bytes, size_t& consumed);

  // The reply's first byte ('+', '-', ':', '$', '*', '_', ',', '#', '!', '=', '(', '%', '~', '>'); 0 before any. With an
  // attribute in front ('|', which belongs to the reply's bytes): '|' until the value behind it begins.
  char type() const { return type_; }
  bool started() const { return type_ != 0; }
  // '>' : an out-of-band push, not the answer to a request.
  bool is_push() const { return type_ == '>'; }
  // Lower bound of bytes still to come, when a bulk of known length is being received; else 0.
  uint64_t bulk_left() const { return body_left_; }

 private:
  enum class State : uint8_t { type, line, line_end, body };

  bool take_value(const char*& p, const char* end);
  bool take_line(const char*& p, const char* end);
  bool take_text(const char*& p, const char* stop);
  bool take_number(const char*& p, const char* stop);
  bool begins_line(char c) const;
  bool line_done();
  bool take_body(const char*& p, const char* end);
  bool begin_bulk(uint64_t length);
  bool add_elements(uint64_t count);
  void value_done();

  ReplyLimits limits_;
  uint64_t elements_left_ = 1;  // values not begun or not whole, the whole reply being one
  uint64_t elements_total_ = 0;
  uint64_t body_left_ = 0;    // bytes of the present bulk with its CRLF
  uint64_t number_ = 0;       // the present line's number so far
  uint32_t line_length_ = 0;  // bytes of the present line seen so far, without its type
  char type_ = 0;
  char line_type_ = 0;
  State state_ = State::type;
  bool signed_ = false;  // the present line began with a sign (or is a boolean)
};

inline void ReplyScanner::reset() {
  elements_left_ = 1;
  elements_total_ = 0;
  body_left_ = 0;
  type_ = 0;
  state_ = State::type;
}

}  // namespace overlord::redis
