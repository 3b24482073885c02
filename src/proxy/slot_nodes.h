#pragma once
// SlotNodes: the nodes of a Redis Cluster as one worker knows them, and which of them has each slot.
//
// What is known comes from the seeds, from a node's description of the cluster (apply) and from single redirections
// (find, add, assign). A description may be old or partial: an owner is taken from a slot only when two in a row name
// none, and a node goes when some in a row did not name it, it has no slots and nothing is in flight at it. What a
// redirection taught stands for some seconds against descriptions: the node that was asked for one may not have heard yet.

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "hashing/slot.h"
#include "protocol/redis/topology.h"
#include "proxy/backend.h"
#include "proxy/leaving_backends.h"
#include "proxy/node_ping.h"
#include "proxy/pool.h"

namespace overlord::proxy {

struct SlotNode {
  config::ServerConfig server;  // ring_name is "host:port"
  Backend* backend = nullptr;
  uint16_t index = 0;
  uint32_t slots = 0;   // that it owns
  uint32_t missed = 0;  // descriptions in a row that did not name it
  bool leads = false;   // the last description named it as a master
  bool named = false;   // by any description
  bool started = false;
  // Known from before other seeds were configured, and named by none of what they lead to: not to be asked, nor believed.
  bool doubtful = false;
  std::unique_ptr<NodePing> ping;  // read_from nearest only
  // A master's: nodes that may be read from, the choice of read_from among them being made by readers.
  std::vector<uint16_t> replicas;
  std::vector<uint16_t> readers;
};

class SlotNodes {
 public:
  // next_id: the worker's counter of backend ids. The seeds' names are looked up at once, those of other nodes later.
  SlotNodes(Turn& turn, config::ClusterSnapshot cluster, Resolver& resolver, int32_t& next_id,
            HealthListener& listener);
  // As in Pool. With other seeds the nodes that are known stay in use until these tell who has the slots.
  bool prepare(const PoolChange& change);
  void commit(const PoolChange& change);

  // null: nobody has it.
  SlotNode* owner(uint16_t slot) const {
    const uint16_t index = owner_[slot];
    return index == kNobody ? nullptr : nodes_[index].get();
  }
  // Where to read, by read_from; `client` spreads clients over several. null: nobody may be read from.
  SlotNode* reader(uint16_t slot, uint32_t client) const;
  // Loop time at which a slot last got another owner.
  uint64_t last_change() const { return last_change_; }
  // The node that had the slot when a client began what it has in flight (since), if that is another than now and its
  // answers may still be on their way: what the client sends now must go the same way, or it may overtake. Else null.
  SlotNode* earlier_owner(uint16_t slot, uint64_t since, uint64_t longest) const;

  SlotNode* find(std::string_view host, uint16_t port) const;
  SlotNode* find(const Backend& backend) const;
  SlotNode* add(std::string_view host, uint16_t port);  // null: there are too many already
  void assign(uint16_t slot, SlotNode& node);
  void add_seeds();
  // Returns whether a slot got another owner or lost it.
  bool apply(const redis::Topology& topology);
  // Measures the way to the nodes, for read_from nearest, and chooses readers anew. Called about once a second.
  void ping();
  // Drops nodes that have left. Called about once a second, never while a backend is at work.
  void drop_gone();

  const std::vector<std::unique_ptr<Backend>>& backends() const { return backends_; }
  void owners(std::vector<Backend*>& out) const;
  size_t slots_served() const { return served_; }

 private:
  static constexpr uint16_t kNobody = UINT16_MAX;
  static constexpr size_t kMostNodes = 4096;

  // A node on its way out: one round longer here than anything can point to it.
  struct Gone {
    std::unique_ptr<SlotNode> node;
    std::unique_ptr<Backend> backend;
  };

  SlotNode* make(config::ServerConfig server, NameLookup lookup);
  bool next_fresh(size_t& index) const;
  void make_fresh(const PoolChange& change);
  void replace_backend(SlotNode& node, std::unique_ptr<Backend> fresh);
  void doubt_all_but_seeds();
  void set_owner(uint16_t slot, uint16_t index);
  bool taught_lately(uint16_t slot) const;
  void start(SlotNode& node);
  void add_replicas(SlotNode& master, const redis::TopologyShard& shard);
  void choose_readers(SlotNode& master);

  Turn& turn_;
  config::ClusterSnapshot cluster_;
  Resolver& resolver_;
  int32_t& next_id_;
  HealthListener& listener_;

  std::array<uint16_t, hashing::kSlots> owner_;
  std::vector<std::unique_ptr<SlotNode>> nodes_;  // by index; null where one has left
  std::vector<std::unique_ptr<Backend>> backends_;
  std::vector<Gone> gone_;
  // Of a reload that is being prepared: the backends to come, by node; null where there is none.
  std::vector<std::unique_ptr<Backend>> fresh_;
  size_t fresh_made_ = 0;  // nodes looked at so far
  LeavingBackends leaving_;
  size_t served_ = 0;
  std::bitset<hashing::kSlots> unnamed_;  // the last description named no owner
  std::bitset<hashing::kSlots> taught_;   // the owner is from a redirection

  uint64_t last_change_ = 0;
  std::array<uint16_t, hashing::kSlots> previous_;  // owners
  std::array<uint64_t, hashing::kSlots> changed_;   // loop time
};

}  // namespace overlord::proxy
