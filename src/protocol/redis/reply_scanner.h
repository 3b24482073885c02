#pragma once
// ReplyScanner: finds where one server reply ends, RESP2 and RESP3, without keeping bytes.
// Source: the RESP2/RESP3 specification.
//
// Use: advance() with bytes in the order received; it stops behind the reply. State is kept between calls, so a
// reply may arrive in any pieces. Nested arrays cost a counter, not a stack: depth is not bounded by memory, but
// the total of elements in one reply is (limits).

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

  // The reply's first byte ('+', '-', ':', '$', '*', '_', ',', '#', '!', '=', '(', '%', '~', '>'); 0 before any.
  char type() const { return type_; }
  bool started() const { return type_ != 0; }
  // '>' : an out-of-band push, not the answer to a request.
  bool is_push() const { return type_ == '>'; }
  // Lower bound of bytes still to come, when a bulk of known length is being received; else 0.
  uint64_t bulk_left() const { return body_left_; }

 private:
  ReplyLimits limits_;
  char type_ = 0;
  uint64_t elements_left_ = 1;
  uint64_t elements_total_ = 0;
  uint64_t body_left_ = 0;      // bytes of the present bulk with its CRLF
  uint32_t line_length_ = 0;    // bytes of the present header line seen so far
  uint64_t number_ = 0;         // its number so far
  uint8_t state_ = 0;
  char line_type_ = 0;
  bool negative_ = false;
};

}  // namespace overlord::redis
