#include "protocol/redis/reply_scanner.h"

#include <algorithm>

#include "protocol/redis/length_line.h"

namespace overlord::redis {
namespace {

constexpr std::string_view kTypes = "+-:$*_,#!=(%~|";
constexpr uint32_t kMaxDigits = 19;
constexpr uint64_t kMaxInteger = uint64_t{1} << 63;

}  // namespace

ReplyScanner::Status ReplyScanner::advance(std::string_view bytes, size_t& consumed) {
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  bool good = true;
  while (good && elements_left_ != 0 && p != end) {
    switch (state_) {
      case State::type: good = take_value(p, end); break;
      case State::line:
      case State::line_end: good = take_line(p, end); break;
      case State::body: good = take_body(p, end); break;
    }
  }
  consumed = static_cast<size_t>(p - bytes.data());
  if (!good) return Status::error;
  return elements_left_ == 0 ? Status::done : Status::more;
}

// Values from their type byte on; short bulks that are whole stay in this loop.
bool ReplyScanner::take_value(const char*& p, const char* end) {
  do {
    const char type = *p;
    // An attribute's own values keep elements_left_ above one until the value that it describes.
    if (type_ == 0 || (type_ == '|' && elements_left_ == 1)) type_ = type;
    if (++elements_total_ > limits_.max_elements) return false;
    uint32_t length = 0;
    if (const size_t line = type == '$' ? short_length(p, end, '$', length) : 0;
        line != 0 && length <= limits_.max_bulk && static_cast<size_t>(end - p) >= line + length + 2) {
      if (!crlf_at(p + line + length)) return false;
      p += line + length + 2;
      value_done();
      continue;
    }
    if (kTypes.find(type) == std::string_view::npos && !(type == '>' && elements_total_ == 1)) return false;
    line_type_ = type;
    line_length_ = 0;
    number_ = 0;
    signed_ = false;
    state_ = State::line;
    ++p;
    return take_line(p, end);
  } while (elements_left_ != 0 && p != end);
  return true;
}

bool ReplyScanner::take_line(const char*& p, const char* end) {
  if (state_ == State::line) {
    const char* const from = p;
    const size_t room = limits_.max_line - line_length_;
    const char* const stop = static_cast<size_t>(end - p) > room ? p + room : end;
    const bool good =
        line_type_ == '+' || line_type_ == '-' || line_type_ == ',' ? take_text(p, stop) : take_number(p, stop);
    if (!good) return false;
    line_length_ += static_cast<uint32_t>(p - from);
    if (p == end) return true;
    if (*p != '\r') return false;
    ++p;
    state_ = State::line_end;
    if (p == end) return true;
  }
  if (*p != '\n') return false;
  ++p;
  return line_done();
}

bool ReplyScanner::take_text(const char*& p, const char* stop) {
  const char* at = p;
  while (at != stop && *at != '\r') {
    if (*at == '\n') return false;
    ++at;
  }
  p = at;
  return true;
}

// Digits of '(' may be any number; of it number_ says only whether it began with a zero. '#' and '_' come here too.
bool ReplyScanner::take_number(const char*& p, const char* stop) {
  const char* at = p;
  uint64_t number = number_;
  uint32_t digits = line_length_ - (line_length_ != 0 && signed_ ? 1 : 0);
  for (; at != stop && *at != '\r'; ++at) {
    const uint32_t digit = static_cast<uint32_t>(static_cast<unsigned char>(*at)) - '0';
    if (digit > 9) {
      if (at != p || line_length_ != 0 || !begins_line(*at)) return false;
      signed_ = true;
      continue;
    }
    if (line_type_ == '_' || line_type_ == '#') return false;
    if (digits != 0 && number == 0) return false;
    ++digits;
    if (line_type_ == '(') {
      number |= digit;
      continue;
    }
    if (digits > kMaxDigits) return false;
    number = number * 10 + digit;
  }
  number_ = number;
  p = at;
  return true;
}

// What is no digit and may stand first in a line of the present type.
bool ReplyScanner::begins_line(char c) const {
  switch (line_type_) {
    case '#': return c == 't' || c == 'f';
    case ':': return c == '-' || c == '+';
    case '(':
    case '$':
    case '*': return c == '-';
    default: return false;
  }
}

bool ReplyScanner::line_done() {
  state_ = State::type;
  const bool has_digits = line_length_ > (signed_ ? 1u : 0u);
  switch (line_type_) {
    case '#':
    case ',':
      if (line_length_ == 0) return false;
      [[fallthrough]];
    case '+':
    case '-':
    case '_': value_done(); return true;
    case ':':
      if (number_ > kMaxInteger) return false;
      [[fallthrough]];
    case '(': value_done(); return has_digits;
    default: break;
  }
  if (!has_digits) return false;
  if (signed_) {
    value_done();
    return number_ == 1;  // "$-1", "*-1"
  }
  switch (line_type_) {
    case '*':
    case '~':
    case '>': value_done(); return add_elements(number_);
    case '%': value_done(); return number_ <= limits_.max_elements && add_elements(number_ * 2);
    case '|':  // comes before a value and is none
      return number_ <= limits_.max_elements && add_elements(number_ * 2);
    default: return begin_bulk(number_);
  }
}

bool ReplyScanner::begin_bulk(uint64_t length) {
  if (length > limits_.max_bulk) return false;
  body_left_ = length + 2;
  state_ = State::body;
  return true;
}

bool ReplyScanner::take_body(const char*& p, const char* end) {
  if (body_left_ > 2) {
    const uint64_t taken = std::min(body_left_ - 2, static_cast<uint64_t>(end - p));
    p += taken;
    body_left_ -= taken;
  }
  while (body_left_ <= 2 && p != end) {
    if (*p != (body_left_ == 2 ? '\r' : '\n')) return false;
    ++p;
    if (--body_left_ != 0) continue;
    state_ = State::type;
    value_done();
    return true;
  }
  return true;
}

bool ReplyScanner::add_elements(uint64_t count) {
  if (count > limits_.max_elements || elements_left_ + count > limits_.max_elements) return false;
  elements_left_ += count;
  return true;
}

void ReplyScanner::value_done() { --elements_left_; }

}  // namespace overlord::redis
