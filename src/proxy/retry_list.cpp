#include "proxy/retry_list.h"

#include <utility>

namespace overlord::proxy {

RetryList::RetryList(Turn& turn, RetryListener& listener) : turn_(turn), listener_(listener) {
  timer_.set([](void* self) { static_cast<RetryList*>(self)->run(); }, this);
}

RetryList::~RetryList() {
  for (const Entry& entry : std::exchange(entries_, {})) {
    if (wanted(*entry.request)) routing::fail(*entry.request, routing::Failure::shutting_down);
    turn_.requests.release_queue(*entry.request);
  }
}

bool RetryList::add(routing::Request& request, uint64_t delay) {
  if (entries_.size() >= kMost) return false;
  request.held_by_queue = true;
  entries_.push_back({&request, turn_.now() + delay});
  if (!timer_.armed()) turn_.loop.timers().arm(timer_, turn_.now(), kTick);
  return true;
}

void RetryList::run() {
  // What is added meanwhile is behind what stays of the same client: it was sent before that.
  std::swap(entries_, running_);
  for (const Entry& entry : running_) {
    routing::Request& request = *entry.request;
    if (!wanted(request)) {
      turn_.requests.release_queue(request);
    } else if (entry.due > turn_.now()) {
      entries_.push_back(entry);
    } else {
      request.held_by_queue = false;
      if (listener_.on_due(request)) continue;
      request.held_by_queue = true;
      entries_.push_back(entry);
    }
  }
  running_.clear();
  if (!entries_.empty()) turn_.loop.timers().arm(timer_, turn_.now(), kTick);
}

}  // namespace overlord::proxy
