#pragma once
// LeavingBackends: backends of one worker's pool that a reload has taken out. They get no new requests, finish what is
// in flight, and are destroyed when nothing is, a few at a time, since closing a socket takes a while. What has not
// ended after kPatience fails, as from a server that closes: a client that waits in a blocking command, or holds
// watched keys, must not go on waiting at a server that is none of its cluster's any more.

#include <cstddef>
#include <memory>
#include <vector>

#include "net/timer.h"
#include "proxy/backend.h"
#include "proxy/turn.h"

namespace overlord::proxy {

class LeavingBackends {
 public:
  explicit LeavingBackends(Turn& turn);
  LeavingBackends(const LeavingBackends&) = delete;
  LeavingBackends& operator=(const LeavingBackends&) = delete;

  void add(std::unique_ptr<Backend> backend);
  size_t count() const { return leaving_.size(); }

  static constexpr uint64_t kPatience = 10'000'000'000;

 private:
  struct Leaving {
    std::unique_ptr<Backend> backend;
    uint64_t since;     // loop time
    bool idle = false;  // at the last look: one more round, and nothing can point to it
  };

  void look();

  Turn& turn_;
  std::vector<Leaving> leaving_;
  net::Timer timer_;
};

}  // namespace overlord::proxy
