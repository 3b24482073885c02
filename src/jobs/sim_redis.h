#pragma once
// For tests: the nodes of Redis Clusters as far as their bus goes. Each node has a view of its own of whom it knows;
// slots belong to whoever claims them with the highest epoch; gossip spreads both; replicas of a master that is away
// for long are elected. After redis 7.0, as far as the platform's jobs can see it.

#include <algorithm>
#include <bitset>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/types.h"
#include "redisctl/admin.h"

namespace overlord::jobs::sim {

using model::Moment;
using redisctl::ClusterNode;
using redisctl::SlotMark;

constexpr size_t kSlots = 16384;
constexpr Moment kFailAfter = 3000;
constexpr Moment kElectAfter = 5000;
constexpr Moment kForgotten = 60'000;
constexpr Moment kCopyTime = 400;

struct Proc {
  std::string id;
  std::string host;
  uint16_t port = 0;
  std::set<std::string> known{};  // ids
  std::map<std::string, Moment> banned{};
  std::string master{};
  std::bitset<kSlots> claims{};
  uint64_t epoch = 0;
  std::map<uint16_t, std::string> migrating{};
  std::map<uint16_t, std::string> importing{};
  std::map<uint16_t, uint64_t> keys{};  // how many, by slot
  Moment synced = 0;
  Moment away = 0;  // since when it does not run; 0: it runs
  std::map<std::string, std::string> settings{};
};

class Buses {
 public:
  std::map<std::string, Proc> procs;  // by address; what is away keeps what is on its disk

  // Begins with what lies on the disk, or else with this nodes.conf.
  void start(const std::string& address, const std::string& host, uint16_t port, const std::string& conf, bool wipe) {
    const auto there = procs.find(address);
    if (there != procs.end() && wipe) {
      by_id_.erase(there->second.id);
      procs.erase(there);
    } else if (there != procs.end()) {
      there->second.away = 0;
      return;
    }
    Proc proc{.id = {}, .host = host, .port = port};
    const auto lines = redisctl::parse_topology(conf.substr(0, conf.find("vars ")));
    if (lines) {
      for (const ClusterNode& line : *lines) {
        if (!line.myself) {
          proc.known.insert(line.id);
          continue;
        }
        proc.id = line.id;
        proc.master = line.master_id;
        proc.epoch = line.epoch;
        for (const auto range : line.slots) {
          for (uint32_t slot = range.first; slot <= range.last; ++slot) proc.claims.set(slot);
        }
      }
    }
    Proc& kept = procs[address] = std::move(proc);
    by_id_[kept.id] = &kept;
  }

  void gossip(Moment now) {
    for (auto& [address, a] : procs) {
      if (a.away != 0) continue;
      for (const std::string& id : std::set<std::string>(a.known)) {
        Proc* const b = find(id);
        if (b == nullptr || b->away != 0) continue;
        if (b->known.contains(a.id)) {
          for (const std::string& other : b->known) {
            const auto ban = a.banned.find(other);
            if (other != a.id && find(other) != nullptr && find(other)->away == 0 &&
                (ban == a.banned.end() || ban->second < now)) {
              a.known.insert(other);
            }
          }
        }
        const std::bitset<kSlots> both = a.claims & b->claims;
        if (both.any() && (b->epoch > a.epoch || (b->epoch == a.epoch && b->id > a.id))) {
          a.claims &= ~both;
          if (a.claims.none()) follow(a, *b, now);
        }
      }
      if (Proc* const master = find(a.master); master != nullptr && !master->master.empty()) {
        if (Proc* const above = find(master->master)) follow(a, *above, now);
      }
      if (!a.master.empty()) elect(a, now);
    }
  }

  Proc* find(const std::string& id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
  }

  bool failed(const Proc& proc, Moment now) const { return proc.away != 0 && now - proc.away > kFailAfter; }

  redisctl::Topology view(const Proc& of, Moment now) {
    std::vector<const Proc*> all{&of};
    for (const std::string& id : of.known) {
      if (const Proc* const proc = find(id)) all.push_back(proc);
    }
    std::vector<const Proc*> owner(kSlots, nullptr);
    for (const Proc* const proc : all) {
      for (size_t slot = proc->claims._Find_first(); slot < kSlots; slot = proc->claims._Find_next(slot)) {
        const Proc* const was = owner[slot];
        if (was == nullptr || std::pair(proc->epoch, proc->id) > std::pair(was->epoch, was->id)) owner[slot] = proc;
      }
    }
    redisctl::Topology topology;
    std::map<const Proc*, size_t> index;
    for (const Proc* const proc : all) {
      ClusterNode node{.id = proc->id, .host = proc->host, .port = proc->port};
      node.myself = proc == &of;
      node.master = proc->master.empty();
      node.master_id = proc->master;
      node.epoch = proc->epoch;
      node.failed = failed(*proc, now);
      node.suspected = proc->away != 0;
      node.connected = proc->away == 0;
      if (node.myself) {
        node.migrating = proc->migrating;
        node.importing = proc->importing;
      }
      index[proc] = topology.size();
      topology.push_back(std::move(node));
    }
    const Proc* last = nullptr;
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      const Proc* const proc = std::exchange(last, owner[slot]);
      if (last == nullptr) continue;
      auto& slots = topology[index[last]].slots;
      if (proc == last) {
        ++slots.back().last;
      } else {
        slots.push_back({static_cast<uint16_t>(slot), static_cast<uint16_t>(slot)});
      }
    }
    return topology;
  }

  // CLUSTER SETSLOT. Text: an error.
  std::string mark(Proc& at, uint16_t slot, SlotMark mark, const std::string& id) {
    if (!at.master.empty()) return "ERR You can use SETSLOT only with masters.";
    if (mark != SlotMark::stable && id != at.id && !at.known.contains(id)) return "ERR I don't know about node " + id;
    switch (mark) {
      case SlotMark::migrating:
        if (!at.claims.test(slot)) return "ERR I'm not the owner of hash slot";
        at.migrating[slot] = id;
        return {};
      case SlotMark::importing:
        if (at.claims.test(slot)) return "ERR I'm already the owner of hash slot";
        at.importing[slot] = id;
        return {};
      case SlotMark::stable:
        at.migrating.erase(slot);
        at.importing.erase(slot);
        return {};
      case SlotMark::node: break;
    }
    if (id != at.id && at.claims.test(slot)) {
      if (at.keys.contains(slot)) return "ERR Can't assign hashslot to a different node while I still hold keys";
      at.claims.reset(slot);
      at.migrating.erase(slot);
    } else if (id == at.id) {
      if (at.importing.erase(slot) > 0) at.epoch = highest() + 1;
      at.claims.set(slot);
    }
    return {};
  }

  void promote(Proc& replica, Moment now) {
    Proc* const old = find(replica.master);
    replica.master.clear();
    replica.epoch = highest() + 1;
    if (old == nullptr) return;
    replica.claims = old->claims;
    replica.keys = old->keys;
    if (old->away == 0) {
      old->claims.reset();
      follow(*old, replica, now);
    }
    for (auto& [address, proc] : procs) {
      if (proc.away == 0 && proc.master == old->id && &proc != &replica) follow(proc, replica, now);
    }
  }

 private:
  std::map<std::string, Proc*> by_id_;

  uint64_t highest() const {
    uint64_t epoch = 0;
    for (const auto& [address, proc] : procs) epoch = std::max(epoch, proc.epoch);
    return epoch;
  }
  static void follow(Proc& replica, const Proc& master, Moment now) {
    if (replica.id == master.id) return;
    replica.master = master.id;
    replica.keys.clear();
    replica.migrating.clear();
    replica.importing.clear();
    replica.synced = now + kCopyTime;
  }
  void elect(Proc& replica, Moment now) {
    Proc* const master = find(replica.master);
    if (master == nullptr || master->away == 0 || now - master->away < kElectAfter || master->claims.none()) return;
    if (replica.synced > now) return;
    size_t all = 0;
    size_t here = 0;
    for (const std::string& id : replica.known) {
      const Proc* const proc = find(id);
      if (proc == nullptr || proc->claims.none() || !proc->master.empty()) continue;
      ++all;
      here += proc->away == 0 ? 1 : 0;
    }
    if (2 * here > all) promote(replica, now);
  }
};

}  // namespace overlord::jobs::sim
