#include "proxy/memcache_answer.h"

#include <string_view>
#include <vector>

#include "protocol/memcache/meta_reply.h"
#include "protocol/memcache/stats_merge.h"
#include "protocol/memcache/text.h"
#include "proxy/answer.h"

namespace overlord::proxy {

using routing::Answer;
using routing::Failure;
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

void write_memcache_stats(Request& request, RequestPool& pool, const std::string& own, ChunkQueue& out) {
  std::vector<std::string_view> replies;
  uint32_t silent = 0;
  Failure why = Failure::no_backend;
  for (Request* child = request.children; child != nullptr; child = child->next) {
    if (child->failure != Failure::none) {
      ++silent;
      why = child->failure;
    } else {
      replies.push_back(pool.flatten_reply(*child));
    }
  }
  if (replies.empty()) return out.append(pool.chunks(), routing::memcache_error_line(why));
  auto [text, merged] = memcache::merge_stats(request.key, replies);
  silent += static_cast<uint32_t>(replies.size() - merged);
  if (silent > 0 && text == memcache::kReset) {
    // Not all of them were reset.
    if (why == Failure::no_backend) why = Failure::bad_reply;
    return out.append(pool.chunks(), routing::memcache_error_line(why));
  }
  if (text.ends_with(memcache::kEnd) && (!own.empty() || silent > 0)) {
    text.resize(text.size() - memcache::kEnd.size());
    text.append(own);
    // Sums that leave a server out must not look whole.
    if (silent > 0) text.append("STAT overlord_backends_without_answer ").append(std::to_string(silent)).append("\r\n");
    text.append(memcache::kEnd);
  }
  out.append(pool.chunks(), text);
}

}  // namespace overlord::proxy
