#include "proxy/key_watch.h"

#include <random>

namespace overlord::proxy {

void KeyWatch::note_answer(const routing::Request& request, uint64_t bytes, uint64_t now) {
  if (request.children == nullptr) {
    if (request.noted_size > 0) big_.note(request.noted_front(), request.noted_size, bytes, now);
    return;
  }
  // Those with one key each: of more keys nobody knows whose the bytes are.
  for (const routing::Request* child = request.children; child != nullptr; child = child->next) {
    const uint64_t size = child->reply_size + child->reply_chain.size();
    if (child->noted_size > 0 && big_.wants(size)) big_.note(child->noted_front(), child->noted_size, size, now);
  }
}

void KeyWatch::housekeeping(uint64_t now) {
  hot_.housekeeping(now);
  big_.housekeeping(now);
}

uint64_t make_secret() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace overlord::proxy
