#include "proxy/memcache_answer.h"

#include <string_view>

#include "protocol/memcache/meta_reply.h"
#include "protocol/memcache/text.h"
#include "proxy/answer.h"

namespace overlord::proxy {

using routing::Answer;
using routing::Request;
using routing::RequestPool;

namespace {

// The reply to a quiet meta command that is not shown.
bool is_hidden(const Request& request) {
  memcache::MetaVerb verb{};
  switch (request.answer) {
    case Answer::quiet_mg: verb = memcache::MetaVerb::get; break;
    case Answer::quiet_ms: verb = memcache::MetaVerb::set; break;
    case Answer::quiet_ma: verb = memcache::MetaVerb::arithmetic; break;
    default: return false;
  }
  if (request.streaming) return false;  // some of it has been sent
  std::string_view front = request.reply_view();
  if (const Chunk* chunk = request.reply_chain.front(); front.empty() && chunk != nullptr) {
    front = {chunk->data() + chunk->begin, chunk->size()};
  }
  return memcache::meta_hidden(verb, front);
}

}  // namespace

void write_memcache_answer(Request& request, RequestPool& pool, ChunkQueue& out) {
  if (request.children != nullptr) {
    if (write_first_error(request, pool, out, routing::memcache_error_line)) return;
    if (request.answer == Answer::all_ok) return out.append(pool.chunks(), memcache::kOk);
    for (Request* child = request.children; child != nullptr; child = child->next) write_reply(*child, pool, out);
  } else if (!is_hidden(request)) {
    write_reply(request, pool, out);
  }
  if (request.answer == Answer::retrieval && !request.error_reply) out.append(pool.chunks(), memcache::kEnd);
}

}  // namespace overlord::proxy
