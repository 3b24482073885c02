#pragma once
// RingBuilder: builds the rings of one worker's pool on a thread of their own, because a thousand nodes take 20 ms, for
// which no client should wait. One ring at a time: while one is being built, only the last of those that were asked
// for meanwhile is remembered. A thread lives as long as there is something to build, and gives way to the workers.

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "config/config.h"
#include "hashing/ring.h"
#include "net/loop.h"

namespace overlord::proxy {

// A ring over some servers of a cluster; its indexes are those of `servers`, which are indexes of the cluster's.
struct PartRing {
  config::ClusterSnapshot cluster;
  std::vector<uint32_t> servers;
  std::shared_ptr<const hashing::Ring> ring;
};

// At once, on the caller's thread.
std::shared_ptr<const hashing::Ring> ring_over(const config::ClusterConfig& cluster,
                                               const std::vector<uint32_t>& servers);

class RingBuilder {
 public:
  using Built = std::function<void(PartRing)>;

  // built: called on the loop's thread, in a later turn than want().
  RingBuilder(net::Loop& loop, Built built);
  // Waits for the ring that is being built.
  ~RingBuilder();
  RingBuilder(const RingBuilder&) = delete;
  RingBuilder& operator=(const RingBuilder&) = delete;

  // On the loop's thread, both. What was asked for before may still come first.
  void want(config::ClusterSnapshot cluster, std::vector<uint32_t> servers);
  // Nothing that was asked for before this comes any more.
  void forget();

 private:
  void start(PartRing job);
  void on_built(PartRing ring, uint64_t age);

  net::Loop& loop_;
  Built built_;
  std::shared_ptr<RingBuilder*> self_;  // null once this object is gone: a message may still be on its way
  std::thread thread_;
  std::thread ended_;  // the one before, which has sent its ring long ago
  bool busy_ = false;
  bool waiting_ = false;  // next_ is to be built
  PartRing next_;
  uint64_t age_ = 0;  // counts forget()
};

}  // namespace overlord::proxy
