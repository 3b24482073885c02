#pragma once
// Reading and writing the first line of a RESP2 reply that was framed before.

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

#include "protocol/redis/reply_scanner.h"
#include "routing/request.h"

namespace overlord::proxy {

// ":123\r\n" or "*12\r\n": the number behind the type byte; false when it is not that.
inline bool read_header(std::string_view reply, char type, int64_t& number, size_t& size) {
  if (reply.empty() || reply[0] != type) return false;
  const size_t end = reply.find('\n');
  if (end == std::string_view::npos || end < 3) return false;
  const auto [last, failed] = std::from_chars(reply.data() + 1, reply.data() + end - 1, number);
  size = end + 1;
  return failed == std::errc{} && last == reply.data() + end - 1;
}

// The first of several replies in a row, bytes; 0 when it is none.
inline size_t element_size(std::string_view rest) {
  int64_t length = 0;
  size_t header = 0;
  if (read_header(rest, '$', length, header)) {
    return length < 0 ? header : header + static_cast<size_t>(length) + 2;
  }
  redis::ReplyScanner scanner;
  size_t size = 0;
  return scanner.advance(rest, size) == redis::ReplyScanner::Status::done ? size : 0;
}

inline void write_number(char type, int64_t number, routing::RequestPool& pool, ChunkQueue& out) {
  char text[32];
  text[0] = type;
  char* end = std::to_chars(text + 1, text + sizeof(text) - 2, number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(pool.chunks(), text, static_cast<size_t>(end - text));
}

// The front of a reply, at least its first line; a reply that came in pieces is not copied for it.
inline std::string_view reply_front(routing::Request& request, routing::RequestPool& pool) {
  if (request.reply_chain.empty()) return request.reply_view();
  if (request.reply_size > 0) return pool.flatten_reply(request);
  const Chunk* const chunk = request.reply_chain.front();
  return {chunk->data() + chunk->begin, chunk->size()};
}

// Takes n bytes of reply_front() away.
inline void drop_front(routing::Request& request, size_t n, routing::RequestPool& pool) {
  if (!request.reply_chain.empty()) return request.reply_chain.consume(pool.chunks(), n);
  request.reply += n;
  request.reply_size -= n;
}

}  // namespace overlord::proxy
