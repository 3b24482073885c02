#pragma once
// RequestParser: finds one client request at the front of the bytes received so far.
// Source: the RESP specification (arrays of bulk strings) and redis-server's networking code for limits and
// error texts (inline commands with redis' quoting rules, "Protocol error: ..." lines).
//
// Use: call parse() with the bytes from the start of the message. `incomplete` means: call again with the same
// bytes and more behind them (they may have moved); parsing goes on where it stopped, no byte is looked at
// twice. After `complete`, `skip` or `error` call reset() before the next message. Nothing is copied: the views
// point into the bytes given to the last parse().
//
// Stricter than redis-server, because the bytes go to a backend connection that others share: every line ends with CRLF
// and every bulk is followed by CRLF (the server skips two bytes whatever they are). A message kept in memory is below
// 4 GiB.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace overlord::redis {

struct RequestLimits {
  uint32_t max_args = 1024 * 1024;           // redis' own
  uint64_t max_bulk = 512ull * 1024 * 1024;  // redis' proto-max-bulk-len default
  uint32_t max_inline = 64 * 1024;           // redis' PROTO_INLINE_MAX_SIZE
  bool guest = false;                        // the limits are those below; the errors say so
};
// What the server takes from a client that must log in and has not.
inline constexpr RequestLimits kGuestLimits{.max_args = 10, .max_bulk = 16384, .guest = true};

enum class ParseStatus : uint8_t {
  complete,    // one whole request; size() bytes belong to it
  incomplete,  // more bytes are needed
  skip,        // size() bytes carry no request (empty inline line, "*0", "*-1"): drop them, answer nothing
  error        // not RESP; error() is the line to send before closing
};

class RequestParser {
 public:
  static constexpr uint32_t kFirstArgs = 8;

  explicit RequestParser(RequestLimits limits = {}) : limits_(limits) {}

  ParseStatus parse(std::string_view bytes);
  void reset();
  void set_limits(RequestLimits limits) { limits_ = limits; }  // between messages

  // After complete or skip: length of the message in bytes.
  size_t size() const { return pos_; }
  // After complete. argc >= 1.
  uint32_t argc() const { return argc_; }
  // Inline requests: true, and the request's RESP form (unquoted) lives in storage owned by the parser until reset().
  bool is_inline() const { return inline_; }
  // After complete: the request in RESP form, ready to be copied to a backend. For RESP requests the message itself,
  // for inline ones the form that stands for it (then its size is not size()).
  std::string_view wire() const {
    return inline_ ? std::string_view(base_, wire_size_) : std::string_view(base_, pos_);
  }
  // i < min(argc, kFirstArgs); after `incomplete` for i < args_seen().
  std::string_view arg(uint32_t i) const { return {base_ + first_[i].begin, first_[i].length}; }
  // Where in wire() the header of argument i begins (the '$'); i < min(argc, kFirstArgs).
  size_t arg_header_offset(uint32_t i) const { return first_[i].header; }

  // After incomplete: what is known of the message so far.
  uint32_t args_declared() const { return argc_; }  // 0 while the header has not arrived
  uint32_t args_seen() const { return seen_; }      // arguments that are whole
  // Declared length of the argument that has begun but is not whole; -1 when its header is not whole either.
  int64_t pending_bulk() const { return pending_bulk_; }
  size_t pending_bulk_offset() const { return pos_; }  // where its first byte is (or will be) in the message

  // After error: a complete redis error line with CRLF, static storage.
  std::string_view error() const { return error_; }
  // Likewise: which limit the message is beyond, if that is the error.
  enum class Exceeded : uint8_t { none, args, bulk };
  Exceeded exceeded() const { return exceeded_; }

 private:
  struct Span {
    uint32_t header;
    uint32_t begin;
    uint32_t length;
  };
  friend class ArgCursor;
  friend class MessageScanner;

  ParseStatus parse_inline(std::string_view bytes);
  ParseStatus long_count(const char*& p, const char* end);
  ParseStatus long_length(const char*& p, const char* end, uint64_t& length);
  ParseStatus find_line(const char* p, const char* end, std::string_view& line, std::string_view too_long,
                        std::string_view bad);
  ParseStatus wait_for_body(const char* p, const char* end, uint64_t length, bool clipped);
  ParseStatus incomplete(const char* p, bool clipped);
  ParseStatus fail(std::string_view error, Exceeded exceeded = Exceeded::none);
  void drop_inline();

  RequestLimits limits_;
  const char* base_ = nullptr;
  size_t pos_ = 0;  // parsed up to here; after complete the message's length
  uint32_t argc_ = 0;
  uint32_t seen_ = 0;
  int64_t pending_bulk_ = -1;
  size_t scanned_ = 0;  // up to here the unfinished line holds no line end
  bool inline_ = false;
  size_t wire_size_ = 0;
  std::string_view error_;
  Exceeded exceeded_ = Exceeded::none;
  std::unique_ptr<std::string> inline_wire_;
  std::array<Span, kFirstArgs> first_{};
};

inline void RequestParser::reset() {
  pos_ = 0;
  argc_ = 0;
  seen_ = 0;
  pending_bulk_ = -1;
  scanned_ = 0;
  error_ = {};
  if (inline_) drop_inline();
}

// Walks all arguments of a complete request (RESP or inline) from the first.
class ArgCursor {
 public:
  explicit ArgCursor(const RequestParser& request)
      : at_(request.base_ + request.first_[0].header), left_(request.argc_) {}
  bool next();                                       // false after the last
  std::string_view value() const { return value_; }  // the argument
  std::string_view wire() const { return wire_; }    // with its "$n\r\n" and CRLF, ready to be copied

 private:
  const char* at_;
  uint32_t left_;
  std::string_view value_;
  std::string_view wire_;
};

// MessageScanner: follows one RESP request of which the front was already forwarded, without keeping its bytes.
// For values too large to keep. Start it with the state of a RequestParser that answered `incomplete` to a RESP request
// of which args_declared() is known; feed it the bytes after the ones the parser had seen (the whole buffer given to
// parse(), which must still be there at start()). After `done` or `error`: start() again before the next use.
class MessageScanner {
 public:
  enum class Status : uint8_t { more, done, error };
  // bytes_seen: how many bytes of the message have been received (and forwarded) in all.
  void start(const RequestParser& parser, size_t bytes_seen);
  // Takes bytes up to the end of the message; consumed says how many. After error: how many were good before it; the
  // message can then not be finished any more, so the connection that got its front must be closed.
  Status advance(std::string_view bytes, size_t& consumed);
  // Lower bound of the bytes still to come of the argument being received; 0 in a header.
  uint64_t body_left() const { return body_left_; }
  std::string_view error() const { return error_; }  // as RequestParser::error()

 private:
  bool take_body(const char*& p, const char* end);
  bool take_header(const char*& p, const char* end);

  uint64_t max_bulk_ = 0;
  uint32_t args_left_ = 0;  // arguments not begun
  uint64_t body_left_ = 0;  // bytes of the present argument with its CRLF
  uint32_t header_length_ = 0;
  std::array<char, 24> header_{};  // the front of a header line that came in pieces
  std::string_view error_;
};

}  // namespace overlord::redis
