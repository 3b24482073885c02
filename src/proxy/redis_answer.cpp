#include "proxy/redis_answer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "proxy/answer.h"
#include "proxy/redis_exec_answer.h"
#include "proxy/redis_fanout.h"
#include "proxy/reply_bytes.h"

namespace overlord::proxy {

using routing::Answer;
using routing::Failure;
using routing::Request;
using routing::RequestPool;

namespace {

constexpr std::string_view kOk = "+OK\r\n";
constexpr std::string_view kNull = "_\r\n";  // RESP3
const std::string_view kBadReply = routing::redis_error_line(Failure::bad_reply);

void write_sum(Request& parent, RequestPool& pool, ChunkQueue& out) {
  int64_t sum = 0;
  for (Request* child = parent.children; child != nullptr; child = child->next) {
    int64_t part = 0;
    size_t size = 0;
    if (!read_header(pool.flatten_reply(*child), ':', part, size) || __builtin_add_overflow(sum, part, &sum)) {
      return out.append(pool.chunks(), kBadReply);
    }
  }
  write_number(':', sum, pool, out);
}

void convert_reply(redis::ShapeId shape, Request& request, RequestPool& pool, ChunkQueue& out) {
  const bool sliced = request.reply_chain.empty();
  if (sliced && shape == redis::ShapeId::plain && redis::write_plain_resp3(request.reply_view(), pool.chunks(), out))
      [[likely]]
    return;
  redis::Resp3Converter converter;
  converter.start(shape);
  converter.convert(request.reply_view(), pool.chunks(), out);
  convert_chain(converter, request.reply_chain, pool.chunks(), out);
}

// The reply of `request` for the client of `parent`, which may be the same.
void write_reply_to(const Request& parent, Request& request, RequestPool& pool, ChunkQueue& out) {
  if (parent.shape == redis::ShapeId::resp2) [[likely]]
    return write_reply(request, pool, out);
  convert_reply(parent.shape, request, pool, out);
}

void write_mget(Request& parent, RequestPool& pool, ChunkQueue& out) {
  // reply/reply_size of each child become a cursor over its elements.
  for (Request* child = parent.children; child != nullptr; child = child->next) {
    const std::string_view reply = pool.flatten_reply(*child);
    int64_t count = 0;
    size_t header = 0;
    if (!read_header(reply, '*', count, header) || count != static_cast<int64_t>(child->key_count)) {
      return out.append(pool.chunks(), kBadReply);
    }
    child->reply += header;
    child->reply_size -= header;
  }
  write_number('*', parent.key_count, pool, out);
  const auto* map = reinterpret_cast<const uint16_t*>(parent.key_map.data);
  std::array<Request*, 64> few;
  Request** children = few.data();
  Buffer table;
  if (parent.child_count > few.size()) {
    table = pool.buffers().take(parent.child_count * sizeof(Request*));
    children = reinterpret_cast<Request**>(table.data);
  }
  size_t known = 0;
  for (Request* child = parent.children; child != nullptr; child = child->next) children[known++] = child;
  for (uint32_t i = 0; i < parent.key_count; ++i) {
    Request& child = *children[map[i]];
    const size_t size = element_size(child.reply_view());
    if (parent.shape != redis::ShapeId::resp2 && child.reply_view().starts_with("$-1")) {
      out.append(pool.chunks(), kNull);
    } else {
      out.append(pool.chunks(), child.reply, size);
    }
    child.reply += size;
    child.reply_size -= size;
  }
  pool.buffers().give(table);
}

}  // namespace

void convert_chain(redis::Resp3Converter& converter, ChunkQueue& chain, ChunkPool& pool, ChunkQueue& out) {
  while (!chain.empty()) {
    // The inside of a large string is moved.
    if (const uint64_t as_it_is = std::min<uint64_t>(converter.passing(), chain.size()); as_it_is >= kChunkSize) {
      out.splice_front(pool, chain, as_it_is);
      converter.passed(as_it_is);
      continue;
    }
    const Chunk& front = *chain.front();
    converter.convert({front.data() + front.begin, front.size()}, pool, out);
    chain.consume(pool, front.size());
  }
}

void write_redis_answer(Request& request, RequestPool& pool, ChunkQueue& out) {
  if (request.answer == Answer::reply) [[likely]]
    return write_reply_to(request, request, pool, out);
  if (request.answer == Answer::exec) return write_exec_answer(request, pool, out);
  if (request.answer == Answer::merged) {
    if (request.shape == redis::ShapeId::resp2) return write_merged_answer(request, pool, out);
    ChunkQueue merged;
    write_merged_answer(request, pool, merged);
    redis::Resp3Converter converter;
    converter.start(request.shape);
    return convert_chain(converter, merged, pool.chunks(), out);
  }
  if (write_first_error(request, pool, out, routing::redis_error_line)) return;
  switch (request.answer) {
    case Answer::forward_child: return write_reply_to(request, *request.children, pool, out);
    case Answer::mget: return write_mget(request, pool, out);
    case Answer::sum: return write_sum(request, pool, out);
    default: return out.append(pool.chunks(), kOk);
  }
}

}  // namespace overlord::proxy
