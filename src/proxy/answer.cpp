#include "proxy/answer.h"

namespace overlord::proxy {

using routing::Failure;
using routing::Request;
using routing::RequestPool;

void write_reply(Request& request, RequestPool& pool, ChunkQueue& out) {
  if (request.reply_size > 0) out.append(pool.chunks(), request.reply, request.reply_size);
  out.splice(request.reply_chain);
}

bool write_first_error(Request& parent, RequestPool& pool, ChunkQueue& out, std::string_view (*line)(Failure)) {
  for (Request* child = parent.children; child != nullptr; child = child->next) {
    if (child->failure != Failure::none) {
      out.append(pool.chunks(), line(child->failure));
      return true;
    }
    if (child->error_reply) {
      write_reply(*child, pool, out);
      return true;
    }
  }
  return false;
}

}  // namespace overlord::proxy
