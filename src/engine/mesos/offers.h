#pragma once
// OfferBook: the offers that are held, added up by agent and role, and what of them is promised to tasks that are not
// asked for yet; and the hosts that were ever offered. No I/O, no clock of its own.
//
// A host is its agent: named by the agent's hostname where that is an address, else by the address that the master has
// of it, else by the hostname. Its group is the role that it was offered to; an agent whose resources are not kept for
// one role is a host of the group that it was offered to last, and offers of another role are kept apart.

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"
#include "mesos/scheduler_events.h"

namespace overlord::engine {

using Clock = std::chrono::steady_clock;

std::string host_of(const mesos::Offer& offer);

// What one task takes, its executor's share apart.
struct Share {
  uint64_t cpu_milli = 0;
  uint64_t memory_mib = 0;
};
struct Need {
  std::string host{};
  std::string group{};  // empty: any
  Share task{};
  Share executor{};
  uint16_t port = 0;
  std::optional<uint16_t> bus{};  // taken with it where the agent offers such ports at all
};
struct Taken {
  std::string agent_id{};
  std::string role{};
  std::vector<mesos::Resource> task{};
  std::vector<mesos::Resource> executor{};
};

class OfferBook {
 public:
  void add(const mesos::Offer& offer, Clock::time_point now);
  // The offer is void. Whether anything was promised of it: then the promises to its agent and role are void too.
  struct Void {
    std::string agent_id{};
    std::string role{};
    bool promised = false;
  };
  Void remove(const std::string& offer_id);
  // No offer is worth anything any more.
  void clear();
  void agent_failed(const std::string& agent_id);
  void agent_heard(const std::string& agent_id, const std::string& host);

  // Promises. The error says what is short.
  Result<Taken> take(const Need& need);
  // The offers of an agent and role, which are used up by this.
  std::vector<std::string> use(const std::string& agent_id, const std::string& role);
  // Those held since before then, and all; they are forgotten. Offers with promises stay.
  std::vector<std::string> expire(Clock::time_point before);

  // Empty: not known.
  std::string agent_of(const std::string& host) const;
  // used: what our tasks take of each host; its ports, in use.
  struct Used {
    Share share{};
    std::set<uint16_t> ports{};
  };
  std::vector<HostStatus> hosts(const std::map<std::string, Used>& used);

 private:
  struct Held {
    std::string id;
    Clock::time_point since;
  };
  struct Pile {  // of one agent and role
    std::vector<Held> offers;
    std::vector<mesos::Resource> left;
    bool promised = false;
  };
  struct Known {
    std::string agent_id;
    model::Host host;
    bool reachable = true;
  };
  using Key = std::pair<std::string, std::string>;  // agent, role

  Result<void> fits(const Pile& pile, const Known& host, const Need& need) const;

  std::map<Key, Pile> piles_;
  std::map<std::string, Known> hosts_;          // by name
  std::map<std::string, mesos::Offer> offers_;  // by id
};

}  // namespace overlord::engine
