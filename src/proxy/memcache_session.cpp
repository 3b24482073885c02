#include "proxy/memcache_session.h"

#include <algorithm>

#include "protocol/memcache/text.h"
#include "proxy/memcache_answer.h"

namespace overlord::proxy {

using memcache::ParseStatus;
using memcache::Verb;
using routing::Answer;
using routing::Request;
using routing::Wire;

namespace {

constexpr std::string_view kVersionLine = "VERSION " OVERLORD_VERSION "\r\n";

}  // namespace

Session::Step MemcacheSession::consume(std::string_view bytes, size_t& used) {
  if (swallow_ > 0) {
    used = std::min<uint64_t>(swallow_, bytes.size());
    swallow_ -= used;
    return Step::consumed;
  }
  if (dialect_ != Dialect::text) [[unlikely]]
    return consume_greeting(bytes, used);
  if (memcache::is_meta(bytes)) return consume_meta(bytes, used);
  memcache::Request parsed;
  const ParseStatus status = memcache::parse_request(bytes, limits(), parsed);
  tag_ = tag_of(status, parsed);
  switch (status) {
    case ParseStatus::incomplete: return Step::need_more;
    case ParseStatus::value:
      if (read_only()) return refuse(parsed.noreply ? "" : kReadOnly, parsed.size, 0, bytes, used);
      if (parsed.value_size <= kStreamValue) return Step::need_more;
      if (refused(parsed)) return refuse(denial(parsed.noreply), parsed.size, 0, bytes, used);
      return take_value(parsed, bytes, used);
    case ParseStatus::complete:
      if (read_only() && memcache::writes(memcache::command_id(parsed.verb))) {
        return refuse(parsed.noreply ? "" : kReadOnly, parsed.size, 0, bytes, used);
      }
      cluster_.counters().requests.add();
      handle(parsed, bytes.substr(0, parsed.size));
      used = parsed.size;
      return parsed.verb == Verb::quit ? Step::stop : Step::consumed;
    case ParseStatus::refused:
      if (parsed.too_large) cluster_.counters().hit(Limit::max_value_size);
      return refuse(parsed.error, parsed.size, parsed.swallow, bytes, used);
    case ParseStatus::fatal: answer_and_close(parsed.error); return Step::stop;
  }
  return Step::stop;
}

memcache::Limits MemcacheSession::limits() const {
  memcache::Limits limits;
  limits.max_value = cluster_.config().limits.max_value_size;
  return limits;
}

Session::Step MemcacheSession::refuse(std::string_view error, uint64_t size, uint64_t swallow, std::string_view bytes,
                                      size_t& used) {
  cluster_.counters().requests.add();
  if (!error.empty()) answer_static(error);
  used = std::min<uint64_t>(size, bytes.size());
  swallow_ = swallow + (size - used);
  return Step::consumed;
}

// request.bytes: what is here of the message; size: of the whole message as the client sends it.
Session::Step MemcacheSession::upload_value(Request& request, uint64_t size, std::string_view bytes, size_t& used) {
  upload_left_ = size - bytes.size();
  used = bytes.size();
  begin_upload(request);
  return Step::consumed;
}

Session::Step MemcacheSession::take_value(const memcache::Request& parsed, std::string_view bytes, size_t& used) {
  if (in_flight()) {
    wait_for_answers();
    return Step::need_more;
  }
  cluster_.counters().requests.add();
  Request& request = new_request(Wire::memcache_line, Answer::reply);
  request.noreply = parsed.noreply;
  request.key = parsed.key;
  request.bytes = bytes;
  if (!parsed.canonical) {
    std::string& wire = cluster_.scratch();
    wire.assign(parsed.head).append(memcache::kCrlf).append(bytes.substr(parsed.line_size));
    request.bytes = wire;
  }
  return upload_value(request, parsed.size, bytes, used);
}

Session::Step MemcacheSession::consume_upload(std::string_view bytes, size_t& used) {
  if (dialect_ == Dialect::binary) return MemcacheBinarySession::consume_upload(bytes, used);
  // memcached takes exactly this many bytes too, and judges the closing CRLF itself.
  used = std::min<uint64_t>(upload_left_, bytes.size());
  upload_left_ -= used;
  continue_upload(bytes.substr(0, used));
  if (upload_left_ == 0) end_upload();
  return Step::consumed;
}

void MemcacheSession::answer_unless(bool noreply, std::string_view text) {
  if (!noreply) answer_static(text);
}

std::string_view MemcacheSession::denial(bool noreply) {
  cluster_.counters().refused_calls.add();
  return noreply ? std::string_view{} : memcache::kPermissionDenied;
}

void MemcacheSession::handle(const memcache::Request& parsed, std::string_view message) {
  if (refused(parsed)) [[unlikely]] {
    if (const std::string_view answer = denial(parsed.noreply); !answer.empty()) answer_static(answer);
    return;
  }
  if (memcache::is_retrieval(parsed.verb)) return retrieve(parsed);
  switch (parsed.verb) {
    case Verb::version: return answer_static(kVersionLine);
    case Verb::verbosity: return answer_unless(parsed.noreply, memcache::kOk);
    case Verb::quit: return close_when_answered();
    case Verb::stats: return stats(parsed);
    case Verb::flush_all: return flush_all(parsed);
    default: return forward(parsed, message);
  }
}

void MemcacheSession::forward(const memcache::Request& parsed, std::string_view message) {
  Request& request = new_request(Wire::memcache_line, Answer::reply);
  request.noreply = parsed.noreply;
  request.key = parsed.key;
  request.bytes = message;
  if (!parsed.canonical) {
    // noreply is not passed on: an error that the server sends all the same would shift every later reply.
    std::string& wire = cluster_.scratch();
    wire.assign(parsed.head).append(memcache::kCrlf).append(message.substr(parsed.line_size));
    request.bytes = wire;
  }
  route(request);
}

void MemcacheSession::retrieve(const memcache::Request& parsed) {
  std::string_view retrieval = memcache::verb_name(parsed.verb);
  if (parsed.verb == Verb::gat || parsed.verb == Verb::gats) {
    retrieval = cluster_.scratch().assign(retrieval).append(" ").append(parsed.exptime);
  }
  if (parsed.key_count == 1) {
    Request& request = new_request(Wire::memcache_value, Answer::retrieval);
    request.retrieval = retrieval;
    request.key = parsed.key;
    return route(request);
  }
  Request& parent = new_request(Wire::none, Answer::retrieval);
  add_weight(parent, parsed.key_count - 1);
  // All children exist before the first is sent: one that fails at once must not complete the parent.
  memcache::KeyCursor keys(parsed.keys);
  for (std::string_view key = keys.next(); !key.empty(); key = keys.next()) {
    Request& child = turn_.requests.take_child(parent, Wire::memcache_value);
    child.retrieval = retrieval;
    child.key = key;
  }
  for (Request* child = parent.children; child != nullptr;) {
    Request* next = child->next;
    route(*child);
    child = next;
  }
}

void MemcacheSession::stats(const memcache::Request& parsed) {
  Request& parent = new_request(Wire::none, Answer::stats);
  std::string& wire = cluster_.scratch();
  wire.assign(parsed.head).append(memcache::kCrlf);
  // The merge needs to know which statistics these are, after the client's bytes are gone.
  turn_.requests.set_reply(parent, parsed.arguments);
  parent.key = parent.reply_view();
  cluster_.root().broadcast(parent, Wire::memcache_stats, wire);
}

void MemcacheSession::flush_all(const memcache::Request& parsed) {
  if (!cluster_.config().flush_all_enabled) return answer_unless(parsed.noreply, memcache::kFlushNotAllowed);
  Request& parent = new_request(Wire::none, Answer::all_ok);
  parent.noreply = parsed.noreply;
  std::string& wire = cluster_.scratch();
  wire.assign(parsed.head).append(memcache::kCrlf);
  cluster_.root().broadcast(parent, Wire::memcache_line, wire);
}

void MemcacheSession::write_answer(Request& request, ChunkQueue& out) {
  if (dialect_ == Dialect::binary) [[unlikely]]
    return MemcacheBinarySession::write_answer(request, out);
  if (request.answer == Answer::stats) {
    const std::string own = request.key.empty() ? own_memcache_stats(cluster_) : std::string();
    return out.append(turn_.chunks(), merged_memcache_stats(request, turn_.requests, own));
  }
  write_memcache_answer(request, turn_.requests, out);
}

void MemcacheSession::write_part(Request& request, ChunkQueue& out) {
  if (dialect_ == Dialect::binary) return MemcacheBinarySession::write_part(request, out);
  Session::write_part(request, out);  // NOLINT(bugprone-parent-virtual-call): not what the binary dialect does
}

void MemcacheSession::write_failure(Request& request, ChunkQueue& out) {
  if (dialect_ == Dialect::binary) return MemcacheBinarySession::write_failure(request, out);
  Session::write_failure(request, out);  // NOLINT(bugprone-parent-virtual-call): likewise
}

std::unique_ptr<Session> make_memcache_session(Cluster& cluster, uint64_t id) {
  return std::make_unique<MemcacheSession>(cluster, id);
}

}  // namespace overlord::proxy
