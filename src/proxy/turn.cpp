#include "proxy/turn.h"

namespace overlord::proxy {

void Turn::end() noexcept {
  // A session that got its answers may go on with requests it had to leave unread, and so fill backends again.
  do {
    backends.run();
    sessions.run();
  } while (!backends.empty());
  for (routing::Request* request : volatile_) {
    // One that was delivered and is back in the pool, or used anew, is not volatile any more.
    if (request->reply_volatile) requests.keep_reply(*request);
  }
  volatile_.clear();
  graveyard_.clear();
  if (trim_asked_) {
    trim_asked_ = false;
    requests.trim();
    buffers.trim();
    loop.chunks().trim();
  }
}

}  // namespace overlord::proxy
