#include "proxy/redis_exec_answer.h"

#include <algorithm>
#include <string_view>

#include "protocol/redis/resp3.h"
#include "proxy/answer.h"
#include "proxy/reply_bytes.h"

namespace overlord::proxy {

using routing::Failure;
using routing::Request;
using routing::RequestPool;

namespace {

const std::string_view kBadReply = routing::redis_error_line(Failure::bad_reply);

// A command that the backend would not queue: as the server words it when EXEC itself is refused.
void write_queue_error(Request& transaction, RequestPool& pool, ChunkQueue& out) {
  std::string_view line = pool.flatten_reply(transaction);
  line.remove_prefix(std::min<size_t>(line.size(), line.starts_with("-ERR ") ? 5 : 1));
  out.append(pool.chunks(), "-EXECABORT Transaction discarded because of: ");
  out.append(pool.chunks(), line);
}

void write_shaped(redis::ShapeId shape, std::string_view reply, RequestPool& pool, ChunkQueue& out) {
  if (shape == redis::ShapeId::resp2) return out.append(pool.chunks(), reply);
  redis::Resp3Converter converter;
  converter.start(shape);
  converter.convert(reply, pool.chunks(), out);
}

// The transaction's own child, when it has one, and children with the answers of the proxy, their places in key_count.
void write_merged_exec(Request& parent, RequestPool& pool, ChunkQueue& out) {
  Request* const transaction = parent.children->wire == routing::Wire::redis ? parent.children : nullptr;
  Request* local = transaction != nullptr ? transaction->next : parent.children;
  std::string_view rest;
  int64_t count = 0;
  if (transaction != nullptr) {
    if (transaction->queue_error) return write_queue_error(*transaction, pool, out);
    rest = pool.flatten_reply(*transaction);
    size_t header = 0;
    if (!read_header(rest, '*', count, header)) return out.append(pool.chunks(), kBadReply);
    if (count < 0) return write_shaped(parent.shape, rest, pool, out);  // a watched key has changed
    if (count != static_cast<int64_t>(transaction->key_count)) return out.append(pool.chunks(), kBadReply);
    rest.remove_prefix(header);
  }
  const uint32_t total = static_cast<uint32_t>(count) + parent.child_count - (transaction != nullptr ? 1 : 0);
  write_number('*', total, pool, out);
  for (uint32_t place = 0; place < total; ++place) {
    const redis::ShapeId shape =
        parent.key_map ? static_cast<redis::ShapeId>(parent.key_map.data[place]) : redis::ShapeId::resp2;
    if (local != nullptr && local->key_count == place) {
      write_shaped(shape, pool.flatten_reply(*local), pool, out);
      local = local->next;
      continue;
    }
    const size_t size = element_size(rest);
    write_shaped(shape, rest.substr(0, size), pool, out);
    rest.remove_prefix(size);
  }
}

}  // namespace

void write_exec_answer(Request& request, RequestPool& pool, ChunkQueue& out) {
  if (request.children == nullptr) {
    if (request.queue_error) return write_queue_error(request, pool, out);
    if (request.shape == redis::ShapeId::resp2) return write_reply(request, pool, out);
    return write_shaped(request.shape, pool.flatten_reply(request), pool, out);
  }
  Request& first = *request.children;
  if (first.failure != Failure::none) return out.append(pool.chunks(), routing::redis_error_line(first.failure));
  if (first.wire == routing::Wire::redis && first.error_reply && !first.queue_error) {
    return write_reply(first, pool, out);
  }
  write_merged_exec(request, pool, out);
}

}  // namespace overlord::proxy
