#pragma once
// RequestParser: finds one client request at the front of the bytes received so far.
// Source: the RESP specification (arrays of bulk strings) and redis-server's networking code for limits and
// error texts (inline commands with redis' quoting rules, "Protocol error: ..." lines).
//
// Use: call parse() with the bytes from the start of the message. `incomplete` means: call again with the same
// bytes and more behind them (they may have moved); parsing goes on where it stopped, no byte is looked at
// twice. After `complete`, `skip` or `error` call reset() before the next message. Nothing is copied: the views
// point into the bytes given to the last parse().

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace overlord::redis {

struct RequestLimits {
  uint32_t max_args = 1024 * 1024;                 // redis' own
  uint64_t max_bulk = 512ull * 1024 * 1024;        // redis' proto-max-bulk-len default
  uint32_t max_inline = 64 * 1024;                 // redis' PROTO_INLINE_MAX_SIZE
};

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

  // After complete or skip: length of the message in bytes.
  size_t size() const { return pos_; }
  // After complete. argc >= 1. Inline requests: true, and the arguments (unquoted) live in storage owned by the
  // parser; wire forms for such a request are made with the writer (append_command).
  uint32_t argc() const { return argc_; }
  bool is_inline() const { return inline_; }
  // i < min(argc, kFirstArgs); after `incomplete` also for i < args_seen().
  std::string_view arg(uint32_t i) const;
  // Where in the message the header of argument i begins (the '$'); i < kFirstArgs. RESP form only.
  size_t arg_header_offset(uint32_t i) const { return first_[i].header; }

  // After incomplete: what is known of the message so far.
  uint32_t args_declared() const { return argc_; }  // 0 while the header has not arrived
  uint32_t args_seen() const { return seen_; }      // arguments that are whole
  // Declared length of the argument that has begun but is not whole; -1 when its header is not whole either.
  int64_t pending_bulk() const { return pending_bulk_; }
  size_t pending_bulk_offset() const { return pos_; }  // where its first byte is (or will be) in the message

  // After error: a complete redis error line with CRLF, static storage.
  std::string_view error() const { return error_; }

 private:
  struct Span {
    uint32_t header;
    uint32_t begin;
    uint32_t length;
  };
  friend class ArgCursor;
  // The implementation's own state goes here.
  RequestLimits limits_;
  const char* base_ = nullptr;
  size_t pos_ = 0;  // parsed up to here; after complete the message's length
  uint32_t argc_ = 0;
  uint32_t seen_ = 0;
  int64_t pending_bulk_ = -1;
  bool inline_ = false;
  std::string_view error_;
  std::array<Span, kFirstArgs> first_{};
};

// Walks all arguments of a complete RESP request (or inline one) from the first.
class ArgCursor {
 public:
  explicit ArgCursor(const RequestParser& request);
  bool next();                            // false after the last
  std::string_view value() const;         // the argument
  std::string_view wire() const;          // with its "$n\r\n" and CRLF, ready to be copied; empty for inline requests

 private:
  const RequestParser* request_;
  uint32_t index_ = 0;
  size_t pos_ = 0;
  std::string_view value_;
  std::string_view wire_;
};

// MessageScanner: follows one RESP request of which the front was already forwarded, without keeping its bytes.
// For values too large to keep. Start it with the state of a RequestParser that answered `incomplete` with a
// pending bulk; feed it the bytes after the ones the parser had seen (whole buffer given to parse()).
class MessageScanner {
 public:
  enum class Status : uint8_t { more, done, error };
  // bytes_seen: how many bytes of the message have been received (and forwarded) in all.
  void start(const RequestParser& parser, size_t bytes_seen);
  // Takes bytes up to the end of the message; consumed says how many.
  Status advance(std::string_view bytes, size_t& consumed);
  std::string_view error() const { return error_; }

 private:
  RequestLimits limits_;
  uint32_t args_left_ = 0;   // arguments not begun
  uint64_t body_left_ = 0;   // bytes of the present argument with its CRLF
  uint32_t header_length_ = 0;
  std::array<char, 32> header_{};
  std::string_view error_;
};

}  // namespace overlord::redis
