#include "proxy/memcache_classic.h"

#include <cstring>

#include "protocol/memcache/request_parser.h"

namespace overlord::proxy {

using memcache::ReplyKind;
using memcache::binary::Opcode;
using routing::Request;
using routing::Wire;

namespace {

// In front of the key and of the meta command's line, in the buffer that the reply will take over.
struct Kept {
  uint16_t line_size = 0;
  uint8_t key_size = 0;
  Opcode opcode = Opcode::noop;
  bool wants_value = false;
};

// One that has timed out has let go of it.
bool is_kept(const Request& request) { return static_cast<bool>(request.reply_buffer); }

Kept kept(const Request& request) {
  Kept out;
  std::memcpy(&out, request.reply_buffer.data, sizeof out);
  return out;
}

std::string_view kept_key(const Request& request) {
  return {request.reply_buffer.data + sizeof(Kept), kept(request).key_size};
}

std::string_view kept_line(const Request& request) {
  const Kept what = kept(request);
  return {request.reply_buffer.data + sizeof(Kept) + what.key_size, what.line_size};
}

}  // namespace

std::string_view ClassicExchange::begin(Request& request) {
  Kept what;
  std::string_view line;
  std::string_view key = request.key;
  if (request.wire == Wire::memcache_value) {
    command_.text.clear();
    command_.value_at = 0;
    command_.replies = 2;
    memcache::classic::append_touching_retrieval(request.retrieval, key, command_.text);
    what.opcode = Opcode::gat;
    what.wants_value = true;
  } else {
    memcache::classic::translate(request.bytes, command_);
    if (!command_.error.empty()) return {};
    line = command_.requested.meta_line;
    key = command_.key;
    what.opcode = command_.opcode;
    what.wants_value = command_.requested.meta_value;
  }
  what.line_size = static_cast<uint16_t>(line.size());
  what.key_size = static_cast<uint8_t>(key.size());
  request.reply_buffer = turn_.buffers.take(sizeof what + key.size() + line.size());
  char* at = request.reply_buffer.data;
  std::memcpy(at, &what, sizeof what);
  std::memcpy(at + sizeof what, key.data(), key.size());
  if (!line.empty()) std::memcpy(at + sizeof what + key.size(), line.data(), line.size());
  request.classic = true;
  request.preludes = command_.replies - 1;
  return command_.text;
}

ClassicExchange::Step ClassicExchange::take(Request& head, const memcache::ReplyLine& line, std::string_view text) {
  reply_.clear();
  if (line.kind == ReplyKind::value) return take_item(head, line, text) ? Step::item : Step::broken;
  if (line.kind == ReplyKind::stat) return Step::broken;
  const bool more = head.preludes > 0;
  if (passed_) {
    if (line.kind != ReplyKind::end) return Step::broken;
  } else if (is_kept(head)) {
    if (!memcache::classic::read_line(kept(head).opcode, second_, more, text, outcome_)) return Step::broken;
  }
  if (more) {
    --head.preludes;
    second_ = true;
    return Step::more;
  }
  if (is_kept(head) && (!passed_ || discards_) && !finish(head)) return Step::broken;
  second_ = passed_ = discards_ = false;
  outcome_ = {};
  return Step::done;
}

bool ClassicExchange::take_item(const Request& head, const memcache::ReplyLine& line, std::string_view text) {
  if (passed_ || head.preludes > 0) return false;
  passed_ = true;
  discards_ = true;
  if (!is_kept(head)) return true;
  const Kept what = kept(head);
  if (line.key != kept_key(head) || (what.opcode != Opcode::get && what.opcode != Opcode::gat)) return false;
  memcache::classic::read_item(text, outcome_);
  discards_ = !what.wants_value || !outcome_.good();
  if (discards_) return true;
  if (what.line_size == 0) {
    reply_ = text;
    return true;
  }
  return memcache::classic::append_reply(kept_line(head), outcome_, reply_);
}

bool ClassicExchange::finish(const Request& head) {
  if (kept(head).line_size > 0) return memcache::classic::append_reply(kept_line(head), outcome_, reply_);
  reply_ = outcome_.error;
  return true;
}

void ClassicExchange::reset() {
  second_ = passed_ = discards_ = false;
  outcome_ = {};
}

}  // namespace overlord::proxy
