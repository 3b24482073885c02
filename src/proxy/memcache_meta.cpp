// The meta commands of a memcache client. They go to their key's node as the client wrote them, but for q: replies on
// a shared connection must all come. What a quiet client is not to see is left out when the answer is written.

#include <cstring>

#include "protocol/memcache/text.h"
#include "proxy/memcache_session.h"

namespace overlord::proxy {

using memcache::MetaRequest;
using memcache::MetaVerb;
using memcache::ParseStatus;
using routing::Answer;
using routing::Request;
using routing::Wire;

namespace {

Answer answer_of(const MetaRequest& parsed) {
  if (!parsed.quiet) return Answer::reply;
  switch (parsed.verb) {
    case MetaVerb::get: return Answer::quiet_mg;
    case MetaVerb::set:
    case MetaVerb::delete_: return Answer::quiet_ms;
    case MetaVerb::arithmetic: return Answer::quiet_ma;
    default: return Answer::reply;
  }
}

// mg makes an item (N) or changes when it expires (T) if it is asked to.
bool writes(const MetaRequest& parsed) {
  if (parsed.verb != MetaVerb::get) return parsed.verb != MetaVerb::noop && parsed.verb != MetaVerb::debug;
  const size_t key_end = parsed.head.find(' ', parsed.head.find(parsed.key));
  for (size_t at = key_end; at != std::string_view::npos; at = parsed.head.find(' ', at + 1)) {
    if (const char flag = at + 1 < parsed.head.size() ? parsed.head[at + 1] : ' '; flag == 'N' || flag == 'T')
      return true;
  }
  return false;
}

}  // namespace

Session::Step MemcacheSession::consume_meta(std::string_view bytes, size_t& used) {
  MetaRequest parsed;
  const ParseStatus status = memcache::parse_meta_request(bytes, limits(), parsed);
  tag_ = tag_of(status, parsed);
  switch (status) {
    case ParseStatus::incomplete: return Step::need_more;
    case ParseStatus::value: {
      if (read_only()) return refuse(kReadOnly, parsed.size, 0, bytes, used);
      if (parsed.value_size <= kStreamValue) return Step::need_more;
      if (refused(parsed)) return refuse(denial(false), parsed.size, 0, bytes, used);
      if (in_flight()) {
        wait_for_answers();
        return Step::need_more;
      }
      cluster_.counters().requests.add();
      return upload_value(new_meta_request(parsed, bytes), parsed.size, bytes, used);
    }
    case ParseStatus::complete:
      if (read_only() && writes(parsed)) return refuse(kReadOnly, parsed.size, 0, bytes, used);
      if (refused(parsed)) [[unlikely]]
        return refuse(denial(false), parsed.size, 0, bytes, used);
      cluster_.counters().requests.add();
      used = parsed.size;
      if (parsed.verb == MetaVerb::noop) {
        answer_static(memcache::kMetaNoop);
      } else {
        route(new_meta_request(parsed, bytes.substr(0, parsed.size)));
      }
      return Step::consumed;
    case ParseStatus::refused:
      if (parsed.error == memcache::kTooLarge) cluster_.counters().hit(Limit::max_value_size);
      return refuse(parsed.error, parsed.size, parsed.swallow, bytes, used);
    case ParseStatus::fatal: answer_and_close(parsed.error); return Step::stop;
  }
  return Step::stop;
}

// Its key and bytes are valid while `parsed` and `message` are, and until the next one is made: send it at once.
Request& MemcacheSession::new_meta_request(const MetaRequest& parsed, std::string_view message) {
  Request& request = new_request(Wire::memcache_meta, answer_of(parsed));
  request.key = parsed.routing_key();
  request.bytes = message;
  if (!parsed.canonical) {
    std::string& wire = cluster_.scratch();
    wire.clear();
    parsed.append_line(wire);
    wire.append(memcache::kCrlf).append(message.substr(parsed.line_size));
    request.bytes = wire;
  }
  if (parsed.hidden_key) {
    request.key_map = turn_.buffers.take(parsed.key.size());
    std::memcpy(request.key_map.data, parsed.key.data(), parsed.key.size());
    request.key_count = static_cast<uint32_t>(parsed.key.size());
    request.key_before_hit = parsed.flags_before_hit;
    request.key_before_miss = parsed.flags_before_miss;
  }
  return request;
}

}  // namespace overlord::proxy
