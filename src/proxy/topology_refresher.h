#pragma once
// TopologyRefresher: asks the nodes of a Redis Cluster, one at a time, who has which slot.
//
// It asks at the start until somebody has answered, then every kPeriod, and when something was not as the map says
// (ask). Never more than one question of a worker is under way, and between two lies a gap that grows while the
// answers bring nothing new. Whom: the nodes that can be reached, in random order; the seeds again when none can.

#include <cstdint>
#include <random>
#include <vector>

#include "net/timer.h"
#include "protocol/redis/topology.h"
#include "proxy/slot_nodes.h"
#include "proxy/turn.h"
#include "routing/request.h"

namespace overlord::proxy {

class TopologyRefresher final : public routing::RequestOwner {
 public:
  TopologyRefresher(Turn& turn, config::ClusterSnapshot cluster, SlotNodes& nodes);
  ~TopologyRefresher();

  void start() { ask(); }
  void ask();
  // The configuration after a reload; new_seeds: they are asked at once.
  void use(config::ClusterSnapshot cluster, bool new_seeds);
  // A description was read at least once.
  bool known() const { return known_; }

  // routing::RequestOwner
  void on_finished(routing::Request& request) noexcept override;

 private:
  void work();
  void ask_next();
  void read_answer();
  void let_go();
  bool next_node(SlotNode*& node);
  void rest();
  void arm(uint64_t delay) { turn_.loop.timers().arm(timer_, turn_.now(), delay); }
  uint64_t around(uint64_t delay);  // half to one and a half of it

  Turn& turn_;
  config::ClusterSnapshot cluster_;
  SlotNodes& nodes_;
  net::Timer timer_;
  redis::TopologyQuestion question_ = redis::TopologyQuestion::shards;
  routing::Request* request_ = nullptr;  // under way, or answered and not read yet
  bool answered_ = false;
  bool wanted_ = false;
  bool known_ = false;
  std::vector<int32_t> round_;  // ids of backends still to be asked
  bool round_open_ = false;
  std::string asked_;  // the host that the question went to
  uint64_t gap_;
  uint64_t next_allowed_ = 0;  // loop time
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace overlord::proxy
