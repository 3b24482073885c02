#include "proxy/turn.h"

namespace overlord::proxy {
namespace {

constexpr int kGatherRounds = 3;

}  // namespace

void Turn::end() noexcept {
  sessions.run();
  if (!backends.empty() && had_input_ && rounds_ < kGatherRounds) {
    ++rounds_;
  } else {
    rounds_ = 0;
    backends.run();
    // A backend that failed in the flush has answered requests.
    sessions.run();
  }
  had_input_ = false;
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
