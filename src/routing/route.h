#pragma once
// Route: one behaviour in the tree that a request goes down. Leaves are pools of backends.
//
// send() forwards to a child, answers by finish()/fail(), or pushes a hop and forwards. on_reply() is called, in
// reverse order, only for hops that were pushed. A route never blocks, never allocates per request, and keeps no
// Request beyond send() except through a hop or a child request. One tree per worker: no locks.

#include <cstdint>
#include <string>
#include <string_view>

#include "routing/request.h"

namespace overlord::routing {

inline constexpr int32_t kNoTarget = -1;

enum class HopResult : uint8_t { done, taken };

class Route {
 public:
  virtual ~Route() = default;
  virtual void send(Request& request) noexcept = 0;
  // `taken`: the route finishes it later, when requests of its own (a retry, a second pool) have answered; nobody
  // above is told yet. The request itself cannot be sent again here: its old connection still holds it.
  virtual HopResult on_reply(Request&, uint64_t /*scratch*/) noexcept { return HopResult::done; }
  // The backend that would serve the key now, as a number that is unique and small in this worker;
  // kNoTarget when none would.
  virtual int32_t target(std::string_view key) const noexcept = 0;
  // Keys with the same number may be in one command: a number from kNoTarget up, and small. That of a Redis Cluster is
  // the slot, since its nodes refuse keys of several slots even where they have them all.
  virtual int32_t group(std::string_view key) const noexcept { return target(key); }
  // Sends `bytes` to every backend below, each as a child of `parent` that reads its reply as `wire`.
  virtual void broadcast(Request& parent, Wire wire, std::string_view bytes) noexcept = 0;
  // Where a key would go, one line per step, without I/O.
  virtual void explain(std::string_view key, std::string& out) const = 0;
};

}  // namespace overlord::routing
