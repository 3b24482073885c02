#pragma once
// RetryList: requests of one pool that wait to be sent, again or for the first time. It holds them as the queue of a
// connection would: one whose owner leaves stays until its turn comes, and is dropped then.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/timer.h"
#include "proxy/turn.h"
#include "routing/request.h"

namespace overlord::proxy {

class RetryListener {
 public:
  // The request's time has come. False: it stays, and is offered again soon. After true the list holds it no more.
  virtual bool on_due(routing::Request& request) noexcept = 0;

 protected:
  ~RetryListener() = default;
};

class RetryList {
 public:
  RetryList(Turn& turn, RetryListener& listener);
  ~RetryList();

  // Offered in the order in which they were added, each not before `delay` ns have passed. False: there are too many.
  bool add(routing::Request& request, uint64_t delay);

 private:
  static constexpr size_t kMost = 100'000;
  static constexpr uint64_t kTick = 4'000'000;

  struct Entry {
    routing::Request* request;
    uint64_t due;
  };
  void run();
  static bool wanted(const routing::Request& request) { return request.owner != nullptr || request.parent != nullptr; }

  Turn& turn_;
  RetryListener& listener_;
  net::Timer timer_;
  std::vector<Entry> entries_;
  std::vector<Entry> running_;
};

}  // namespace overlord::proxy
