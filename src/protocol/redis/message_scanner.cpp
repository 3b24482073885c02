// Following requests that are whole (ArgCursor) or too large to be kept (MessageScanner).
#include <algorithm>
#include <cstring>

#include "protocol/redis/length_line.h"
#include "protocol/redis/protocol_errors.h"
#include "protocol/redis/request_parser.h"

namespace overlord::redis {

bool ArgCursor::next() {
  if (left_ == 0) return false;
  --left_;
  // The parser has checked every line, so digits up to CR are all there is.
  const char* p = at_ + 1;
  uint64_t length = 0;
  while (*p != '\r') length = length * 10 + static_cast<uint64_t>(*p++ - '0');
  p += 2;
  value_ = {p, length};
  const char* const next = p + length + 2;
  wire_ = {at_, static_cast<size_t>(next - at_)};
  at_ = next;
  return true;
}

void MessageScanner::start(const RequestParser& parser, size_t bytes_seen) {
  max_bulk_ = parser.limits_.max_bulk;
  error_ = {};
  header_length_ = 0;
  args_left_ = parser.argc_ - parser.seen_;
  body_left_ = 0;
  const size_t past = bytes_seen - parser.pos_;
  if (parser.pending_bulk_ >= 0) {
    --args_left_;
    body_left_ = static_cast<uint64_t>(parser.pending_bulk_) + 2 - past;
    return;
  }
  // A longer front than fits is none of a valid header; the next byte will show it.
  header_length_ = static_cast<uint32_t>(std::min(past, header_.size()));
  std::memcpy(header_.data(), parser.base_ + parser.pos_, header_length_);
}

MessageScanner::Status MessageScanner::advance(std::string_view bytes, size_t& consumed) {
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  bool good = true;
  while (good && p != end && (body_left_ != 0 || args_left_ != 0)) {
    good = body_left_ != 0 ? take_body(p, end) : take_header(p, end);
  }
  consumed = static_cast<size_t>(p - bytes.data());
  if (!good) return Status::error;
  return body_left_ == 0 && args_left_ == 0 ? Status::done : Status::more;
}

bool MessageScanner::take_body(const char*& p, const char* end) {
  if (body_left_ > 2) {
    const uint64_t taken = std::min(body_left_ - 2, static_cast<uint64_t>(end - p));
    p += taken;
    body_left_ -= taken;
    return true;
  }
  if (*p != (body_left_ == 2 ? '\r' : '\n')) {
    error_ = kNoLineEnd;
    return false;
  }
  ++p;
  --body_left_;
  return true;
}

bool MessageScanner::take_header(const char*& p, const char* end) {
  uint32_t small = 0;
  if (const size_t line = header_length_ == 0 ? short_length(p, end, '$', small) : 0; line != 0 && small <= max_bulk_) {
    p += line;
    body_left_ = uint64_t{small} + 2;
    --args_left_;
    return true;
  }
  if (header_length_ == 0 && *p != '$') {
    error_ = expected_dollar(*p);
    return false;
  }
  if (header_length_ == header_.size()) {
    error_ = kInvalidLength;
    return false;
  }
  header_[header_length_++] = *p;
  const std::string_view line(header_.data(), header_length_);
  if (line.size() >= 2 && line[line.size() - 2] == '\r') {
    int64_t number = 0;
    if (line.back() != '\n' || !parse_number(line.substr(1, line.size() - 3), number) || number < 0 ||
        static_cast<uint64_t>(number) > max_bulk_) {
      error_ = kInvalidLength;
      return false;
    }
    body_left_ = static_cast<uint64_t>(number) + 2;
    header_length_ = 0;
    --args_left_;
  }
  ++p;
  return true;
}

}  // namespace overlord::redis
