// How a binary client's answers are written: the nodes' text replies as frames.

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "protocol/memcache/binary_text.h"
#include "protocol/memcache/scan.h"
#include "protocol/memcache/text.h"
#include "proxy/answer.h"
#include "proxy/memcache_answer.h"
#include "proxy/memcache_binary_session.h"

namespace overlord::proxy {

using memcache::binary::Header;
using memcache::binary::kHeaderSize;
using memcache::binary::Opcode;
using memcache::binary::Outcome;
using memcache::binary::Status;
using routing::Answer;
using routing::Failure;
using routing::Request;

namespace {

constexpr size_t kFlagsSize = 4;

Opcode loud_opcode(const Request& request) { return loud(static_cast<Opcode>(request.opcode)); }
bool is_quiet(const Request& request) { return is_quiet(static_cast<Opcode>(request.opcode)); }

bool is_retrieval(Opcode opcode) {
  return opcode == Opcode::get || opcode == Opcode::getk || opcode == Opcode::gat || opcode == Opcode::gatk;
}

std::string_view shown_key(const Request& request) {
  if (!request.key_map) return {};
  return {request.key_map.data + 1, static_cast<unsigned char>(request.key_map.data[0])};
}

Header reply_header(const Request& request, Status status, size_t body_size) {
  return {.magic = memcache::binary::kReplyMagic,
          .opcode = static_cast<Opcode>(request.opcode),
          .status = static_cast<uint16_t>(status),
          .body_size = static_cast<uint32_t>(body_size),
          .opaque = request.opaque};
}

// The front of the reply: all of a slice, or the first piece of a chain, which holds the whole line.
std::string_view front_of(const Request& request) {
  const Chunk* chunk = request.reply_chain.front();
  if (chunk == nullptr) return request.reply_view();
  return {chunk->data() + chunk->begin, chunk->size()};
}

// What stands in front of the value: the header, the flags and the key if it is to be shown.
void write_value_head(const Request& request, const Outcome& outcome, ChunkPool& pool, ChunkQueue& out) {
  const std::string_view key = shown_key(request);
  Header header = reply_header(request, Status::ok, kFlagsSize + key.size() + outcome.value_size);
  header.key_size = static_cast<uint16_t>(key.size());
  header.extras_size = kFlagsSize;
  header.cas = outcome.cas;
  std::array<char, kHeaderSize + kFlagsSize> head;
  write_header(header, head.data());
  memcache::binary::write_u32(outcome.flags, head.data() + kHeaderSize);
  out.append(pool, head.data(), head.size());
  if (!key.empty()) out.append(pool, key);
}

void write_bare(const Request& request, uint64_t cas, ChunkPool& pool, ChunkQueue& out) {
  Header header = reply_header(request, Status::ok, 0);
  header.cas = cas;
  std::array<char, kHeaderSize> head;
  write_header(header, head.data());
  out.append(pool, head.data(), head.size());
}

Status failure_status(Failure failure) {
  switch (failure) {
    case Failure::queue_full: return Status::busy;
    case Failure::backend_down:
    case Failure::connection_lost:
    case Failure::timed_out:
    case Failure::no_backend:
    case Failure::shutting_down: return Status::temporary_failure;
    default: return Status::internal_error;
  }
}

std::string_view failure_text(Failure failure) {
  constexpr std::string_view kPrefix = "SERVER_ERROR ";
  std::string_view line = routing::memcache_error_line(failure);
  if (line.starts_with(kPrefix)) line.remove_prefix(kPrefix.size());
  return line.substr(0, line.find('\r'));
}

}  // namespace

void MemcacheBinarySession::write_error(const Request& request, Status status, std::string_view text, ChunkQueue& out) {
  std::array<char, kHeaderSize> head;
  write_header(reply_header(request, status, text.size()), head.data());
  out.append(turn_.chunks(), head.data(), head.size());
  out.append(turn_.chunks(), text);
}

void MemcacheBinarySession::write_failure(Request& request, ChunkQueue& out) {
  write_error(request, failure_status(request.failure), failure_text(request.failure), out);
}

void MemcacheBinarySession::write_answer(Request& request, ChunkQueue& out) {
  if (request.answer == Answer::stats) return write_stats(request, out);
  if (request.answer == Answer::all_ok) return write_flushed(request, out);
  if (request.wire == routing::Wire::none) return write_reply(request, turn_.requests, out);
  if (request.streaming) {
    write_part(request, out);
    part_begun_ = false;
    return;
  }
  const Opcode opcode = loud_opcode(request);
  const std::string_view front = front_of(request);
  const Outcome outcome = read_outcome(opcode, front);
  if (outcome.status == Status::not_found && is_retrieval(opcode)) {
    if (is_quiet(request)) return;
    const std::string_view key = shown_key(request);
    if (key.empty()) return write_error(request, outcome.status, outcome.text, out);
    Header header = reply_header(request, outcome.status, key.size());
    header.key_size = static_cast<uint16_t>(key.size());
    std::array<char, kHeaderSize> head;
    write_header(header, head.data());
    out.append(turn_.chunks(), head.data(), head.size());
    return out.append(turn_.chunks(), key);
  }
  if (outcome.status != Status::ok) return write_error(request, outcome.status, outcome.text, out);
  if (is_retrieval(opcode)) {
    write_value_head(request, outcome, turn_.chunks(), out);
    if (request.reply_chain.empty()) {
      return out.append(turn_.chunks(), front.substr(outcome.line_size, outcome.value_size));
    }
    request.reply_chain.consume(turn_.chunks(), outcome.line_size);
    return out.splice_front(turn_.chunks(), request.reply_chain, outcome.value_size);
  }
  if (opcode == Opcode::touch) return write_value_head(request, outcome, turn_.chunks(), out);
  if (is_quiet(request)) return;
  if (opcode == Opcode::increment || opcode == Opcode::decrement) return write_number(request, out);
  write_bare(request, outcome.cas, turn_.chunks(), out);
}

void MemcacheBinarySession::write_part(Request& request, ChunkQueue& out) {
  ChunkQueue& chain = request.reply_chain;
  if (!part_begun_) {
    if (chain.empty()) return;
    const Outcome outcome = read_outcome(loud_opcode(request), front_of(request));
    write_value_head(request, outcome, turn_.chunks(), out);
    chain.consume(turn_.chunks(), outcome.line_size);
    part_begun_ = true;
    part_left_ = outcome.value_size;
  }
  const size_t part = std::min<uint64_t>(part_left_, chain.size());
  out.splice_front(turn_.chunks(), chain, part);
  part_left_ -= part;
  chain.clear(turn_.chunks());  // the line end behind the value
}

void MemcacheBinarySession::write_number(Request& request, ChunkQueue& out) {
  const std::string_view reply = turn_.requests.flatten_reply(request);
  const Outcome outcome = read_outcome(loud_opcode(request), reply);
  uint64_t number = 0;
  if (!outcome.has_value || !memcache::parse_u64(reply.substr(outcome.line_size, outcome.value_size), number)) {
    return write_error(request, Status::internal_error, failure_text(Failure::bad_reply), out);
  }
  Header header = reply_header(request, Status::ok, sizeof number);
  header.cas = outcome.cas;
  std::array<char, kHeaderSize + sizeof number> frame;
  write_header(header, frame.data());
  memcache::binary::write_u64(number, frame.data() + kHeaderSize);
  out.append(turn_.chunks(), frame.data(), frame.size());
}

void MemcacheBinarySession::write_flushed(Request& request, ChunkQueue& out) {
  for (Request* child = request.children; child != nullptr; child = child->next) {
    if (child->failure != Failure::none) {
      return write_error(request, failure_status(child->failure), failure_text(child->failure), out);
    }
    const Outcome outcome = read_outcome(Opcode::flush, turn_.requests.flatten_reply(*child));
    if (outcome.status != Status::ok) return write_error(request, outcome.status, outcome.text, out);
  }
  if (!is_quiet(request)) write_bare(request, 0, turn_.chunks(), out);
}

void MemcacheBinarySession::write_stats(Request& request, ChunkQueue& out) {
  const std::string text = merged_memcache_stats(request, turn_.requests,
                                                 request.key.empty() ? own_memcache_stats(cluster_) : std::string());
  std::string_view rest = text;
  while (rest.starts_with(memcache::kStatPrefix)) {
    std::string_view line = rest.substr(memcache::kStatPrefix.size(), rest.find('\r') - memcache::kStatPrefix.size());
    rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
    const size_t blank = std::min(line.find(' '), line.size());
    const std::string_view name = line.substr(0, blank);
    const std::string_view value = line.substr(std::min(blank + 1, line.size()));
    Header header = reply_header(request, Status::ok, name.size() + value.size());
    header.key_size = static_cast<uint16_t>(name.size());
    std::array<char, kHeaderSize> head;
    write_header(header, head.data());
    out.append(turn_.chunks(), head.data(), head.size());
    out.append(turn_.chunks(), name);
    out.append(turn_.chunks(), value);
  }
  if (rest == memcache::kEnd || rest == memcache::kReset) return write_bare(request, 0, turn_.chunks(), out);
  const Outcome outcome = read_outcome(Opcode::stat, rest);
  write_error(request, outcome.status, outcome.text, out);
}

}  // namespace overlord::proxy
