#pragma once
// Tail: somebody follows requests live, as they are answered. Each worker has a ring of it, into which it puts what passes
// the filter; who follows takes it out at their own pace. What finds the ring full is counted and not even made, so
// following costs a worker at most a bounded time, and nobody waits for a slow reader.
//
// A worker knows its tails through Tails; without any it does not look at requests.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/counter.h"
#include "routing/request.h"
#include "slowlog/ring.h"

namespace overlord::proxy {

class Cluster;

// Texts are patterns as redis takes them (*, ?, [a-z]); empty: everything passes.
struct TailFilter {
  std::string cluster = {};  // a name, no pattern
  std::string command = {};  // lower case
  std::string key = {};     // of any key of the request; as it is shown: its front, or its number where keys are hidden
  std::string client = {};  // its address
  std::string node = {};    // as the configuration names it
  bool errors = false;      // only what failed or was answered with an error
  uint64_t slower_than = 0;  // ns
  uint64_t sample = 1;       // one of so many of those that pass, in each worker
};

class Tail {
 public:
  using Ring = slowlog::RingOf<1024>;

  Tail(TailFilter filter, size_t workers);

  // A worker's thread: an answer of this cluster is being written. client: is called when its address is wanted.
  template <typename Client>
  void look(size_t worker, const routing::Request& request, Cluster& cluster, uint64_t now, Client&& client) {
    const routing::Request* named = &request;
    if (!wants(request, cluster, now, named)) return;
    Part& part = *parts_[worker];
    if (!late_sample_ && !sampled(part)) return;
    if (part.ring.full()) return part.ring.drop();
    add(part, request, *named, cluster, client(), now);
  }

  // Who follows: calls take(entry) for what is there, at most `most` of each worker.
  template <typename Take>
  void drain(Take&& take, uint64_t most) {
    for (const auto& part : parts_) part->ring.drain(take, most);
  }
  // Entries that found a ring full, so far.
  uint64_t dropped() const;

 private:
  struct Part {
    Ring ring;
    uint64_t to_skip = 0;  // of the worker: requests that pass the filter until the next that is shown
  };

  bool sampled(Part& part) const {
    if (part.to_skip > 0) return --part.to_skip, false;
    part.to_skip = filter_.sample - 1;
    return true;
  }
  // What can be told without an entry. named: the part of the request whose key passed.
  bool wants(const routing::Request& request, Cluster& cluster, uint64_t now, const routing::Request*& named) const;
  void add(Part& part, const routing::Request& request, const routing::Request& named, Cluster& cluster,
           std::string_view client, uint64_t now) const;

  const TailFilter filter_;
  const bool late_sample_;                    // only an entry says whether it passes
  std::vector<std::unique_ptr<Part>> parts_;  // by worker
};

// Of one worker, on its thread.
class Tails {
 public:
  bool any() const { return !list_.empty(); }
  void add(std::shared_ptr<Tail> tail) { list_.push_back(std::move(tail)); }
  void remove(const Tail* tail) {
    std::erase_if(list_, [tail](const auto& own) { return own.get() == tail; });
  }
  const std::vector<std::shared_ptr<Tail>>& all() const { return list_; }

 private:
  std::vector<std::shared_ptr<Tail>> list_;
};

}  // namespace overlord::proxy
