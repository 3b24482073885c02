#include "protocol/redis/request_parser.h"

#include <algorithm>
#include <limits>

#include "protocol/redis/inline_request.h"
#include "protocol/redis/length_line.h"
#include "protocol/redis/protocol_errors.h"

namespace overlord::redis {
namespace {

// Offsets are 32 bits wide.
constexpr size_t kMaxMessage = std::numeric_limits<uint32_t>::max();
constexpr size_t kKeptInline = 512;

}  // namespace

ParseStatus RequestParser::parse(std::string_view bytes) {
  const bool clipped = bytes.size() > kMaxMessage;
  const char* const base = bytes.data();
  const char* const end = base + (clipped ? kMaxMessage : bytes.size());
  const char* p = base + pos_;
  base_ = base;

  if (argc_ == 0) {
    if (p == end) return ParseStatus::incomplete;
    if (*p != '*') return parse_inline({base, static_cast<size_t>(end - base)});
    uint32_t count = 0;
    const size_t line = short_length(p, end, '*', count);
    if (line != 0 && count <= limits_.max_args) [[likely]] {
      argc_ = count;
      p += line;
    } else if (const ParseStatus status = long_count(p, end); status != ParseStatus::complete) {
      return status;
    }
  }

  const uint32_t argc = argc_;
  uint32_t i = seen_;
  if (pending_bulk_ >= 0) {
    const auto length = static_cast<uint64_t>(pending_bulk_);
    if (static_cast<uint64_t>(end - p) < length + 2) return wait_for_body(p, end, length, clipped);
    if (!crlf_at(p + length)) return fail(kNoLineEnd);
    p += length + 2;
    pending_bulk_ = -1;
    ++i;
  }

  for (; i < argc; ++i) {
    const char* const header = p;
    uint32_t small = 0;
    uint64_t length = 0;
    const size_t line = short_length(p, end, '$', small);
    if (line != 0 && small <= limits_.max_bulk) [[likely]] {
      length = small;
      p += line;
    } else {
      seen_ = i;
      const ParseStatus status = long_length(p, end, length);
      if (status == ParseStatus::incomplete) return incomplete(p, clipped);
      if (status != ParseStatus::complete) return status;
    }
    if (i < kFirstArgs) {
      first_[i] = {static_cast<uint32_t>(header - base), static_cast<uint32_t>(p - base),
                   static_cast<uint32_t>(length)};
    }
    if (static_cast<uint64_t>(end - p) < length + 2) [[unlikely]] {
      seen_ = i;
      return wait_for_body(p, end, length, clipped);
    }
    if (!crlf_at(p + length)) [[unlikely]]
      return fail(kNoLineEnd);
    p += length + 2;
  }
  seen_ = argc;
  pos_ = static_cast<size_t>(p - base);
  return ParseStatus::complete;
}

ParseStatus RequestParser::incomplete(const char* p, bool clipped) {
  pos_ = static_cast<size_t>(p - base_);
  return clipped ? fail(kTooBigMessage) : ParseStatus::incomplete;
}

ParseStatus RequestParser::wait_for_body(const char* p, const char* end, uint64_t length, bool clipped) {
  // A bulk that is there but for its LF: whoever streams the rest need not look back for the CR.
  if (static_cast<uint64_t>(end - p) > length && p[length] != '\r') return fail(kNoLineEnd);
  pending_bulk_ = static_cast<int64_t>(length);
  return incomplete(p, clipped);
}

ParseStatus RequestParser::fail(std::string_view error, Exceeded exceeded) {
  error_ = error;
  exceeded_ = exceeded;
  return ParseStatus::error;
}

// A line at p of any length: complete with its text (between mark and CRLF), incomplete, or error.
ParseStatus RequestParser::find_line(const char* p, const char* end, std::string_view& line, std::string_view too_long,
                                     std::string_view bad) {
  const char* const window = p + std::min<size_t>(static_cast<size_t>(end - p), size_t{limits_.max_inline} + 1);
  const char* const cr = std::find(std::max(p, base_ + scanned_), window, '\r');
  scanned_ = static_cast<size_t>(cr - base_);
  if (cr == window) return window - p > int64_t{limits_.max_inline} ? fail(too_long) : ParseStatus::incomplete;
  if (end - cr < 2) return ParseStatus::incomplete;
  if (cr[1] != '\n') return fail(bad);
  line = {p + 1, static_cast<size_t>(cr - p - 1)};
  return ParseStatus::complete;
}

ParseStatus RequestParser::long_count(const char*& p, const char* end) {
  std::string_view line;
  if (const ParseStatus status = find_line(p, end, line, kTooBigCount, kInvalidCount);
      status != ParseStatus::complete) {
    return status;
  }
  int64_t count = 0;
  if (!parse_number(line, count)) return fail(kInvalidCount);
  if (count > int64_t{limits_.max_args}) {
    const bool may_log_in = limits_.guest && count <= int64_t{RequestLimits{}.max_args};
    return fail(may_log_in ? kGuestCount : kInvalidCount, Exceeded::args);
  }
  p += line.size() + 3;
  if (count <= 0) {
    pos_ = static_cast<size_t>(p - base_);
    return ParseStatus::skip;
  }
  argc_ = static_cast<uint32_t>(count);
  return ParseStatus::complete;
}

ParseStatus RequestParser::long_length(const char*& p, const char* end, uint64_t& length) {
  if (p == end) return ParseStatus::incomplete;
  if (*p != '$') return fail(expected_dollar(*p));
  std::string_view line;
  if (const ParseStatus status = find_line(p, end, line, kTooBigLength, kInvalidLength);
      status != ParseStatus::complete) {
    return status;
  }
  int64_t number = 0;
  if (!parse_number(line, number) || number < 0) return fail(kInvalidLength);
  if (static_cast<uint64_t>(number) > limits_.max_bulk) {
    const bool may_log_in = limits_.guest && static_cast<uint64_t>(number) <= RequestLimits{}.max_bulk;
    return fail(may_log_in ? kGuestLength : kInvalidLength, Exceeded::bulk);
  }
  length = static_cast<uint64_t>(number);
  p += line.size() + 3;
  return ParseStatus::complete;
}

ParseStatus RequestParser::parse_inline(std::string_view bytes) {
  std::string_view line = bytes.substr(0, size_t{limits_.max_inline} + 1);
  const size_t line_end = line.find('\n', scanned_);
  if (line_end == std::string_view::npos) {
    if (line.size() > limits_.max_inline) return fail(kTooBigInline);
    scanned_ = line.size();
    return ParseStatus::incomplete;
  }
  line = line.substr(0, line_end);
  pos_ = line.size() + 1;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find('\0') != std::string_view::npos) return fail(kNulInline);

  if (inline_wire_ == nullptr) inline_wire_ = std::make_unique<std::string>();
  inline_ = true;
  InlineWords words;
  if (!split_inline(line, *inline_wire_, words)) return fail(kUnbalancedQuotes);
  if (words.count == 0) return ParseStatus::skip;
  if (words.count > limits_.max_args && !limits_.guest) return fail(kInvalidCount, Exceeded::args);

  const size_t message = pos_;
  RequestParser wire_form(RequestLimits{words.count, inline_wire_->size(), limits_.max_inline});
  wire_form.parse(std::string_view(*inline_wire_).substr(words.wire_begin));
  base_ = wire_form.base_;
  wire_size_ = wire_form.pos_;
  first_ = wire_form.first_;
  argc_ = seen_ = words.count;
  pos_ = message;
  return ParseStatus::complete;
}

void RequestParser::drop_inline() {
  inline_ = false;
  wire_size_ = 0;
  if (inline_wire_->capacity() > kKeptInline) inline_wire_.reset();
}

}  // namespace overlord::redis
