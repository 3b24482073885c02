#pragma once
// SlotPool: a pool whose backends are the nodes of a Redis Cluster. A key's CRC-16 gives its slot, and the map gives
// the slot's node; where the map is wrong the node says so, and the request goes on to where it belongs.
//
//   MOVED                      sent again to the node that it names; the map follows at once, and a description of the
//                              cluster is asked for
//   ASK                        sent again there, behind ASKING
//   TRYAGAIN, CLUSTERDOWN,     sent again after a short, growing wait, as long as read_timeout allows; then the server's
//   LOADING, MASTERDOWN        own error is the answer
//   node down                  the same, if the request never left or only reads; else it may have been executed
//
// A request that is sent again is a child of the first one, whose old connection may still hold it. Its bytes are
// kept for that (RequestPool::keep_bytes); one that is streamed from its client cannot be sent again.
//
// Order: a client that has sent several requests without waiting gets what it would from one server. While one of its
// requests waits to be sent again, what it sends later is parked; one that is overtaken already, by a request for the
// same slot where one of the two writes, is not sent again but answered with the server's error. After a slot has
// moved, a client with requests on their way goes on asking the old owner, which sends them all the same way.

#include <string>
#include <vector>

#include "hashing/hash_tag.h"
#include "protocol/redis/redirection.h"
#include "proxy/pool.h"
#include "proxy/retry_list.h"
#include "proxy/slot_nodes.h"
#include "proxy/topology_refresher.h"

namespace overlord::proxy {

class SlotPool final : public Pool, public HealthListener, public RetryListener {
 public:
  // next_id: the worker's counter of backend ids.
  SlotPool(Turn& turn, config::ClusterSnapshot cluster, Resolver& resolver, int32_t& next_id);

  void start() override {
    if (!cluster_->servers.empty()) refresher_.start();
  }
  bool prepare(const PoolChange& change) override { return nodes_.prepare(change); }
  void commit(const PoolChange& change) override;
  void housekeeping() override;
  const std::vector<std::unique_ptr<Backend>>& backends() const override { return nodes_.backends(); }
  void owners(std::vector<Backend*>& out) const override { nodes_.owners(out); }

  void send(routing::Request& request) noexcept override;
  routing::HopResult on_reply(routing::Request& request, uint64_t scratch) noexcept override;
  int32_t target(std::string_view key) const noexcept override;
  Backend* redirected(Backend& from, std::string_view error, bool& asking) override;
  bool may_pass(std::string_view error) override;
  Backend* slot_owner(uint16_t slot) const override {
    const SlotNode* const node = nodes_.owner(slot);
    return node == nullptr ? nullptr : node->backend;
  }
  uint64_t placement() const override { return nodes_.last_change(); }
  int32_t group(std::string_view key) const noexcept override { return slot_of(key); }
  void broadcast(routing::Request& parent, routing::Wire wire, std::string_view bytes) noexcept override;
  void explain(std::string_view key, std::string& out) const override;
  void on_health_changed() noexcept override {}
  bool on_due(routing::Request& request) noexcept override;

 private:
  // How often a request was sent again, and why. Travels in the hop.
  struct Attempt {
    uint8_t redirections = 0;
    uint8_t waits = 0;
    bool counted = false;  // in its client's Lane::retrying
    bool again = false;    // the answer is that of the last child

    static Attempt from(uint64_t scratch);
    uint64_t scratch() const;
  };

  uint16_t slot_of(std::string_view key) const noexcept { return hashing::slot(tag_.trim(key)); }
  void send_to(routing::Request& request, SlotNode* node) noexcept;
  void send_by_map(routing::Request& request, uint32_t attempt) noexcept;
  // It only reads, and may do so from a replica.
  bool may_stray(const routing::Request& request) const noexcept;
  void send_or_park(routing::Request& request) noexcept;
  // True: the request was taken up again.
  bool retry(routing::Request& request, routing::Request& answered, Attempt attempt) noexcept;
  bool retry_failure(routing::Request& request, routing::Request& answered, Attempt attempt) noexcept;
  bool redirect(routing::Request& request, routing::Request& answered, Attempt attempt,
                const redis::Redirection& to) noexcept;
  bool wait(routing::Request& request, routing::Request& answered, Attempt attempt) noexcept;
  routing::Request& next_try(routing::Request& request, routing::Request& answered, Attempt attempt) noexcept;
  SlotNode* node_of(const redis::Redirection& to, const routing::Request& answered, bool may_add);
  static bool overtaken(const routing::Request& request);

  Turn& turn_;
  void use(config::ClusterSnapshot cluster);

  config::ClusterSnapshot cluster_;
  const hashing::HashTag tag_;
  bool stray_ = false;     // reads may go to replicas
  uint64_t patience_ = 0;  // ns from the first send until an error is the answer
  SlotNodes nodes_;
  TopologyRefresher refresher_;
  RetryList waiting_;
};

}  // namespace overlord::proxy
