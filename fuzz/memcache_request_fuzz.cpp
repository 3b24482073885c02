// Client bytes into parse_request. What must hold for any input:
//  - sizes are consistent, and views lie inside the first line;
//  - the answer does not depend on what follows the message, and a shorter piece is incomplete, or fatal already;
//  - what would be forwarded is one line without control bytes, and parses to the same request;
//  - the keys of a retrieval are as many as counted, each a legal key.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/memcache/request_parser.h"

namespace {

using namespace overlord::memcache;

void require(bool holds) {
  if (!holds) std::abort();
}

bool plain_line(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return false;
  }
  return true;
}

bool within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_keys(const Request& request) {
  KeyCursor cursor(request.keys);
  uint32_t count = 0;
  for (std::string_view key = cursor.next(); !key.empty(); key = cursor.next()) {
    require(key.size() <= kMaxKey && key.find(' ') == key.npos);
    if (count++ == 0) require(key == request.key);
  }
  require(count == request.key_count && count > 0);
  require(request.head.ends_with(request.keys));
}

void check_accepted(std::string_view bytes, const Limits& limits, const Request& request) {
  const std::string_view line = bytes.substr(0, request.line_size);
  require(line.ends_with('\n') && line.find('\n') == line.size() - 1);
  require(request.size == request.line_size + (is_storage(request.verb) ? request.value_size + 2 : 0));
  require(request.value_size <= limits.max_value && request.swallow == 0 && request.error.empty());
  require(!request.head.empty() && plain_line(request.head) && request.key.size() <= kMaxKey);
  for (const std::string_view part : {request.head, request.key, request.keys, request.exptime, request.arguments}) {
    require(within(part, line));
  }
  require(request.head.starts_with(verb_name(request.verb)));
  if (is_retrieval(request.verb)) check_keys(request);
  if (request.canonical) require(!request.noreply && line.size() == request.head.size() + 2 && line.ends_with("\r\n"));

  const std::string canonical = std::string(request.head) + "\r\n";
  Request again;
  const ParseStatus status = parse_request(canonical, limits, again);
  require(status == (is_storage(request.verb) ? ParseStatus::value : ParseStatus::complete));
  require(again.canonical && !again.noreply && again.verb == request.verb && again.head == request.head);
  require(again.key == request.key && again.keys == request.keys && again.key_count == request.key_count);
  require(again.exptime == request.exptime && again.arguments == request.arguments);
  require(again.value_size == request.value_size);
}

void check_refusal(std::string_view bytes, ParseStatus status, const Request& request) {
  require(request.error.empty() || request.error.ends_with("\r\n"));
  if (status == ParseStatus::fatal) return;
  require(request.size > 0 && request.size <= bytes.size() && bytes[request.size - 1] == '\n');
  require(request.swallow <= 0x7fffffff);
}

void check_first_message(std::string_view bytes, const Limits& limits, ParseStatus status, const Request& request) {
  // The same whatever follows, and nothing (or the same verdict of a hopeless line) before it is whole.
  const size_t line = status == ParseStatus::fatal ? bytes.size() : request.line_size;
  for (const size_t part : {line / 2, line - 1}) {
    Request shorter;
    const ParseStatus early = parse_request(bytes.substr(0, part), limits, shorter);
    require(early == ParseStatus::incomplete || (early == status && status == ParseStatus::fatal));
  }
  if (status == ParseStatus::fatal) return;
  Request alone;
  const ParseStatus exact = parse_request(std::string(bytes.substr(0, line)), limits, alone);
  require(exact == status || (exact == ParseStatus::value && status == ParseStatus::complete));
  require(alone.size == request.size && alone.swallow == request.swallow && alone.error == request.error);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Limits limits{.max_line = 4096, .max_value = 1 << 20};
  while (!bytes.empty()) {
    Request request;
    const ParseStatus status = parse_request(bytes, limits, request);
    if (status == ParseStatus::incomplete) break;
    check_first_message(bytes, limits, status, request);
    if (status == ParseStatus::complete || status == ParseStatus::value) {
      require((status == ParseStatus::complete) == (request.size <= bytes.size()));
      check_accepted(bytes, limits, request);
    } else {
      check_refusal(bytes, status, request);
    }
    if (status == ParseStatus::value || status == ParseStatus::fatal) break;
    const uint64_t taken = request.size + request.swallow;
    bytes.remove_prefix(taken < bytes.size() ? taken : bytes.size());
  }
  return 0;
}
