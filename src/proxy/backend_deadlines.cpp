// How long a connection waits: for a reply, for a backend that takes no bytes, and for a client that is slow to read.

#include <algorithm>

#include "proxy/backend.h"
#include "proxy/backend_connection.h"

namespace overlord::proxy {

using routing::Failure;
using routing::Request;

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
// A slow reader that keeps others waiting is given up after this when the proxy holds too much to take its reply in.
constexpr uint64_t kMaxStall = kSecond;
// The bytes that one worker may take in for slow readers.
constexpr size_t kMaxTakenIn = 48 * 1024 * 1024;

}  // namespace

void BackendConnection::arm_deadline(uint64_t delay) {
  turn_.loop.timers().arm(deadline_, turn_.now(), delay == 0 ? kSecond : delay);
}

void BackendConnection::expire(Request& request) {
  for (Request* member = request.members; member != nullptr; member = member->queue_next) {
    if (!member->finished) fail(*member, Failure::timed_out);
  }
  // A group's buffer holds the keys by which its late answer is recognized.
  if (request.members == nullptr) turn_.requests.drop_reply(request);
  if (!request.finished) fail(request, Failure::timed_out);
}

// Whether another client than the slow one waits behind the large reply.
bool BackendConnection::others_wait(const Request& slow) const {
  const auto client = [](const Request& r) { return r.parent != nullptr ? r.parent->owner : r.owner; };
  const routing::RequestOwner* reader = client(slow);
  for (const Request* r = head_; r != nullptr; r = r->queue_next) {
    for (const Request* member = r->members; member != nullptr; member = member->queue_next) {
      if (!member->finished && client(*member) != reader) return true;
    }
    if (r->members == nullptr && !r->finished && client(*r) != reader) return true;
  }
  return false;
}

void BackendConnection::check_stall(uint64_t now) {
  if (now - paused_since_ < kPatience) return;
  Request* slow = arriving();
  if (slow == nullptr || slow->owner == nullptr || slow->finished) return resume_reply();
  if (!others_wait(*slow)) return;
  // What is left is taken in, if it is not too much, so that the others get on; else the slow one has to go.
  const size_t held = turn_.chunks().in_use() * kChunkSize;
  if (held + arriving_left() <= kMaxTakenIn) {
    slow->take_in = true;
  } else if (now - paused_since_ >= kMaxStall) {
    slow->owner->on_stalled(*slow);
  } else {
    return;
  }
  resume_reply();
}

void BackendConnection::check_deadlines() {
  const uint64_t now = turn_.now();
  const BackendLimits& limits = backend_.limits();
  if (state_ == State::connecting) {
    const uint64_t left = opened_at_ + limits.dial_timeout;
    if (limits.dial_timeout > 0 && now >= left) return lose(Failure::backend_down, "connecting timed out");
    return arm_deadline(limits.dial_timeout > 0 ? left - now : 0);
  }
  if (queue_size_ == 0) return;
  if (paused_) {
    check_stall(now);
    return arm_deadline(kPatience);
  }
  if (limits.write_timeout > 0 && stream_.unsent() > 0) {
    if (stream_.unsent() != blocked_unsent_ || blocked_since_ == 0) {
      blocked_unsent_ = stream_.unsent();
      blocked_since_ = now;
    } else if (now - blocked_since_ >= limits.write_timeout && last_receive_ < blocked_since_) {
      return lose(Failure::timed_out, "it takes no bytes (write_timeout)");
    }
  } else {
    blocked_since_ = 0;
  }
  uint64_t next = patience_;
  for (Request* r = head_; r != nullptr && patience_ > 0; r = r->queue_next) {
    if (r->finished) continue;
    if (r->uploading) break;
    // The head's deadline moves on while its reply is arriving.
    const bool arriving = r == head_ && reply_begun();
    const uint64_t since = arriving ? std::max(r->sent_at, last_receive_) : r->sent_at;
    if (now - since < patience_) {
      next = since + patience_ - now;
      break;
    }
    if (last_receive_ <= r->sent_at || on_demand_) return lose(Failure::timed_out, "no reply within read_timeout");
    expire(*r);
  }
  arm_deadline(next);
}

}  // namespace overlord::proxy
