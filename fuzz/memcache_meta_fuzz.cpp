// Client bytes into parse_meta_request, and backend bytes into parse_meta_reply_line and insert_key. What must hold
// for any input:
//  - sizes are consistent, and views lie inside the first line;
//  - a shorter piece of the line is incomplete; what follows the message changes nothing;
//  - what would be forwarded is one line without control bytes and without q, and parses to the same request;
//  - a key that is put into a reply leaves it one line of the same kind, longer by the key.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/memcache/meta_reply.h"
#include "protocol/memcache/meta_request.h"

namespace {

using namespace overlord::memcache;

void require(bool holds) {
  if (!holds) std::abort();
}

bool within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

bool plain_line(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return false;
  }
  return true;
}

void check_accepted(std::string_view bytes, const Limits& limits, ParseStatus status, const MetaRequest& request) {
  const std::string_view line = bytes.substr(0, request.line_size);
  require(line.ends_with('\n') && line.find('\n') == line.size() - 1);
  const bool is_set = request.verb == MetaVerb::set;
  require(request.size == request.line_size + (is_set ? request.value_size + 2 : 0));
  require((status == ParseStatus::complete) == (request.size <= bytes.size()));
  require(request.value_size <= limits.max_value && request.swallow == 0 && request.error.empty());
  if (request.verb == MetaVerb::noop) return;
  for (const std::string_view part : {request.head, request.key, request.quiet_flag, request.key_flag}) {
    require(within(part, line));
  }
  require(!request.key.empty() && request.key.size() <= kMaxKey);
  require(request.decoded_size <= request.decoded.size() && !request.routing_key().empty());

  std::string canonical;
  request.append_line(canonical);
  require(plain_line(canonical) && canonical.size() <= request.head.size());
  if (request.canonical) require(line == canonical + "\r\n");
  canonical += "\r\n";
  MetaRequest again;
  require(is_meta(canonical));
  require(parse_meta_request(canonical, limits, again) == (is_set ? ParseStatus::value : ParseStatus::complete));
  require(again.canonical && !again.quiet && !again.hidden_key && again.verb == request.verb);
  require(again.key == request.key && again.routing_key() == request.routing_key());
  require(again.value_size == request.value_size);
}

void check_requests(std::string_view bytes) {
  const Limits limits{.max_line = 4096, .max_value = 1 << 20};
  while (is_meta(bytes)) {
    MetaRequest request;
    const ParseStatus status = parse_meta_request(bytes, limits, request);
    if (status == ParseStatus::incomplete) {
      require(bytes.find('\n') == bytes.npos);
      return;
    }
    if (status == ParseStatus::fatal) return require(request.error.ends_with("\r\n"));
    MetaRequest part;
    const std::string cut(bytes.substr(0, request.line_size - 1));
    if (is_meta(cut)) require(parse_meta_request(cut, limits, part) == ParseStatus::incomplete);
    if (status == ParseStatus::refused) {
      require(request.error.ends_with("\r\n") && request.size <= bytes.size() && bytes[request.size - 1] == '\n');
      require(request.swallow <= 0x7fffffff);
    } else {
      check_accepted(bytes, limits, status, request);
    }
    if (status == ParseStatus::value) return;
    const uint64_t taken = request.size + request.swallow;
    bytes.remove_prefix(taken < bytes.size() ? taken : bytes.size());
  }
}

void check_replies(std::string_view bytes) {
  while (!bytes.empty()) {
    const ReplyLine reply = parse_meta_reply_line(bytes);
    if (reply.kind == ReplyKind::incomplete || reply.kind == ReplyKind::bad) return require(reply.size == 0);
    const std::string_view line = bytes.substr(0, reply.size);
    require(line.ends_with("\r\n") && plain_line(line.substr(0, line.size() - 2)) && line.size() <= kMaxReplyLine);
    require(reply.kind == ReplyKind::value || reply.value_size == 0);
    require(parse_meta_reply_line(line.substr(0, line.size() - 1)).kind == ReplyKind::incomplete);
    for (const size_t before : {0, 1, 9}) {
      std::string shown;
      insert_key(line, "Cg==", before, before, shown);
      require(shown.size() == line.size() + (reply.kind == ReplyKind::error ? 0 : 8));
      const ReplyLine again = parse_meta_reply_line(shown);
      if (shown.size() <= kMaxReplyLine) require(again.kind == reply.kind && again.value_size == reply.value_size);
    }
    const uint64_t taken = reply.size + (reply.kind == ReplyKind::value ? reply.value_size + 2 : 0);
    bytes.remove_prefix(taken < bytes.size() ? taken : bytes.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_requests(bytes);
  check_replies(bytes);
  return 0;
}
