#include "proxy/leaving_backends.h"

#include <utility>

namespace overlord::proxy {
namespace {

constexpr uint64_t kLookEvery = 50'000'000;
constexpr size_t kMostAtOnce = 16;

}  // namespace

LeavingBackends::LeavingBackends(Turn& turn) : turn_(turn) {
  timer_.set([](void* self) { static_cast<LeavingBackends*>(self)->look(); }, this);
}

void LeavingBackends::add(std::unique_ptr<Backend> backend) {
  backend->retire();
  leaving_.push_back({.backend = std::move(backend), .since = turn_.now()});
  if (!timer_.armed()) turn_.loop.timers().arm(timer_, turn_.now(), kLookEvery);
}

void LeavingBackends::look() {
  size_t gone = 0;
  std::erase_if(leaving_, [&](Leaving& one) {
    if (!one.backend->idle()) {
      one.idle = false;
      if (turn_.now() - one.since >= kPatience) one.backend->cut();
      return false;
    }
    return std::exchange(one.idle, true) && gone++ < kMostAtOnce;
  });
  if (!leaving_.empty()) turn_.loop.timers().arm(timer_, turn_.now(), kLookEvery);
}

}  // namespace overlord::proxy
