// replace and vacate: new places for some nodes of a cluster, the rest stays.
//
// A matching of units (nodes, or a master and a replica that belong together) with hosts: each unit takes the best host
// that is free, and one that finds none looks for another unit that could make way by going elsewhere, as in Kuhn's
// algorithm.

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "placement/board.h"
#include "placement/groups.h"
#include "placement/plan.h"
#include "placement/refuse.h"

namespace overlord::placement {

namespace {

constexpr uint32_t kNowhere = UINT32_MAX;
constexpr uint32_t kDepth = 500;  // how many units make way for each other at most

struct Unit {
  std::vector<size_t> nodes;  // one or two, by index in the layout
  uint32_t host = kNowhere;
};

class Replacer {
 public:
  Replacer(Board& board, const Layout& running, std::span<const size_t> leaving, const std::vector<bool>& barred)
      : board_(board),
        running_(running),
        barred_(barred),
        links_(board, running),
        rooms_(board.hosts(), kNowhere),
        used_(board.hosts()) {
    for (size_t i = 0; i < running.nodes.size(); ++i) {
      shards_[running.nodes[i].shard].push_back(i);
      where_.push_back(board.host_of(i));
    }
    for (const size_t node : leaving) {
      board_.add(where_[node], running.nodes[node].role, true);
      leave(node);
    }
    linked_.resize(board.hosts());
  }

  /// Whether all units have a host now. Those without one are tried all the same, so that all of them are known.
  bool place(std::vector<Unit>& units) {
    units_ = &units;
    bool all = true;
    for (Unit& unit : units) {
      if (put_best(unit)) continue;
      // After one has found none there is no plan anyway; what it tried in vain is not tried again.
      if (all) visited_.clear();
      all = make_way(unit, 0) && all;
    }
    return all;
  }

  void undo(std::vector<Unit>& units) {
    for (Unit& unit : units) {
      if (unit.host != kNowhere) remove(unit);
    }
  }

  uint32_t where(size_t node) const { return where_[node]; }

  std::string objections(const Unit& unit) {
    Objections all;
    for (uint32_t host = 0; host < board_.fleet.size(); ++host) {
      using Kind = Objections::Kind;
      if (barred_[host]) {
        all.add(Kind::leaving);
      } else if (const auto kind = objection(board_, host, used_[host])) {
        all.add(*kind);
      } else {
        all.add(in_conflict(unit, host) ? Kind::shard : Kind::half);
      }
    }
    return all.text();
  }

 private:
  Role role(size_t node) const { return running_.nodes[node].role; }

  // Another node of the same shard is too near.
  bool in_conflict(const Unit& unit, uint32_t host) const {
    const uint32_t at = board_.domain(board_.apart(), host);
    for (const size_t node : unit.nodes) {
      for (const size_t other : shards_.at(running_.nodes[node].shard)) {
        if (other == node || where_[other] == kNowhere) continue;
        if (where_[other] == host || board_.domain(board_.apart(), where_[other]) == at) return true;
      }
    }
    return false;
  }

  // Where the other nodes of its shard are.
  std::vector<uint32_t> near(size_t node) const {
    std::vector<uint32_t> hosts;
    for (const size_t other : shards_.at(running_.nodes[node].shard)) {
      if (other != node && where_[other] != kNowhere) hosts.push_back(where_[other]);
    }
    return hosts;
  }

  void leave(size_t node) {
    for (const uint32_t other : near(node)) links_.remove(where_[node], other);
    where_[node] = kNowhere;
  }

  bool allowed(uint32_t host) const { return !barred_[host] && board_.usable(host); }

  bool fits(const Unit& unit, uint32_t host) {
    if (!allowed(host)) return false;
    if (rooms_[host] == kNowhere) rooms_[host] = board_.room(host, static_cast<uint32_t>(running_.nodes.size()));
    const auto nodes = static_cast<uint32_t>(unit.nodes.size());
    if (used_[host] + nodes > rooms_[host]) return false;
    const auto masters = static_cast<uint32_t>(
        std::ranges::count_if(unit.nodes, [this](size_t node) { return role(node) == Role::master; }));
    for (const Level level : {Level::host, Level::rack, Level::zone}) {
      const Board::Count left = board_.left(level, board_.domain(level, host));
      if (left.nodes < nodes || left.masters < masters) return false;
    }
    return !in_conflict(unit, host);
  }

  void put(Unit& unit, uint32_t host) {
    unit.host = host;
    used_[host] += static_cast<uint32_t>(unit.nodes.size());
    for (const size_t node : unit.nodes) {
      for (const uint32_t other : near(node)) links_.add(host, other);
      where_[node] = host;
      board_.add(host, role(node));
    }
  }

  void remove(Unit& unit) {
    used_[unit.host] -= static_cast<uint32_t>(unit.nodes.size());
    for (const size_t node : unit.nodes) {
      leave(node);
      board_.add(unit.host, role(node), true);
    }
    unit.host = kNowhere;
  }

  // Apart from the rest of its shard first, then where the cluster has least, then where it is linked least, then
  // where most is free.
  bool put_best(Unit& unit) {
    std::vector<uint32_t> kin;
    for (const size_t node : unit.nodes) {
      for (const uint32_t host : near(node)) kin.push_back(host);
    }
    for (const uint32_t host : kin) {
      for (const uint32_t other : links_.of(host)) ++linked_[other];
    }
    const auto shares = [&](Level level, uint32_t host) {
      return std::ranges::any_of(
          kin, [&](uint32_t other) { return board_.domain(level, other) == board_.domain(level, host); });
    };
    using Score = std::tuple<bool, bool, uint32_t, uint32_t, uint32_t, uint32_t, uint64_t>;
    uint32_t best = kNowhere;
    Score least{};
    for (uint32_t host = 0; host < board_.fleet.size(); ++host) {
      if (!fits(unit, host)) continue;
      const Score score{shares(Level::zone, host),
                        shares(Level::rack, host),
                        board_.count(Level::host, host).nodes,
                        board_.count(Level::zone, board_.domain(Level::zone, host)).nodes,
                        board_.count(Level::rack, board_.domain(Level::rack, host)).nodes,
                        linked_[host],
                        UINT64_MAX - (board_.resources(host, kUnlimited) - used_[host])};
      if (best != kNowhere && score >= least) continue;
      best = host;
      least = score;
    }
    for (const uint32_t host : kin) {
      for (const uint32_t other : links_.of(host)) --linked_[other];
    }
    if (best == kNowhere) return false;
    put(unit, best);
    return true;
  }

  bool make_way(Unit& unit, uint32_t depth) {
    if (depth > kDepth) return false;
    for (Unit& other : *units_) {
      if (other.host == kNowhere || visited_.contains(&other)) continue;
      const uint32_t from = other.host;
      remove(other);
      if (fits(unit, from)) {
        visited_.insert(&other);
        put(unit, from);
        if (put_best(other) || make_way(other, depth + 1)) return true;
        remove(unit);
      }
      put(other, from);
    }
    return false;
  }

  Board& board_;
  const Layout& running_;
  const std::vector<bool>& barred_;
  Links links_;
  std::vector<uint32_t> rooms_;  // by host; kNowhere: not counted yet
  std::vector<uint32_t> used_;   // of that
  std::vector<uint32_t> linked_;
  std::vector<uint32_t> where_;  // host by node; kNowhere: none now
  std::unordered_map<uint32_t, std::vector<size_t>> shards_;
  std::vector<Unit>* units_ = nullptr;
  std::unordered_set<const Unit*> visited_;
};

std::vector<Unit> single_units(std::span<const size_t> nodes) {
  std::vector<Unit> units;
  units.reserve(nodes.size());
  for (const size_t node : nodes) units.push_back({{node}});
  return units;
}

// A master and a replica of one host whose shards have their other nodes on one host too: half a chunk.
std::vector<Unit> paired_units(const Board& board, const Layout& running, std::span<const size_t> nodes) {
  std::unordered_map<uint32_t, std::vector<uint32_t>> others;  // by shard: the hosts of all its nodes
  for (size_t i = 0; i < running.nodes.size(); ++i) others[running.nodes[i].shard].push_back(board.host_of(i));
  std::map<std::tuple<uint32_t, uint32_t, Role>, std::vector<size_t>> waiting;
  std::vector<Unit> units;
  for (const size_t node : nodes) {
    const uint32_t host = board.host_of(node);
    const std::vector<uint32_t>& hosts = others[running.nodes[node].shard];
    const uint32_t other = hosts.size() != 2 ? kNowhere : hosts[0] == host ? hosts[1] : hosts[0];
    const Role role = running.nodes[node].role;
    const Role wanted = role == Role::master ? Role::replica : Role::master;
    auto& partners = waiting[{host, other, wanted}];
    if (other == kNowhere || partners.empty()) {
      if (other != kNowhere) waiting[{host, other, role}].push_back(units.size());
      units.push_back({{node}});
    } else {
      units[partners.back()].nodes.push_back(node);
      partners.pop_back();
    }
  }
  return units;
}

Refusal refuse(const Layout& running, const std::vector<Unit>& units, Replacer& replacer) {
  constexpr size_t kShown = 5;
  Refusal refusal;
  size_t without = 0;
  for (const Unit& unit : units) {
    if (unit.host != kNowhere) continue;
    if (++without > kShown) continue;
    const Node& node = running.nodes[unit.nodes.front()];
    refusal.reasons.push_back("no host for " + node.host + ":" + std::to_string(node.port) + " (" +
                              (node.role == Role::master ? "master" : "replica") + " of shard " +
                              std::to_string(node.shard) + "): " + replacer.objections(unit));
  }
  if (without > kShown) refusal.reasons.push_back("and for " + counted(without - kShown, "more node"));
  refusal.reasons.push_back(std::to_string(without) + " of " + counted(units.size(), "node") + " find no new place");
  return refusal;
}

}  // namespace

Outcome replace(const Fleet& fleet, const Rules& rules, const Layout& running, std::span<const size_t> nodes,
                std::span<const std::string> not_on) {
  const auto masters = static_cast<uint32_t>(std::ranges::count(running.nodes, Role::master, &Node::role));
  Refusal wrong;
  if (rules.memory_mib == 0) wrong.reasons.emplace_back("nodes without memory: ask for 1 MiB each at least");
  std::vector<size_t> leaving(nodes.begin(), nodes.end());
  std::ranges::sort(leaving);
  const auto twice = std::ranges::unique(leaving);
  leaving.erase(twice.begin(), twice.end());
  if (!leaving.empty() && leaving.back() >= running.nodes.size()) {
    wrong.reasons.push_back("node " + std::to_string(leaving.back()) + " is not in the layout of " +
                            counted(running.nodes.size(), "node"));
  }
  if (!wrong.reasons.empty()) return std::unexpected(std::move(wrong));

  Board board(fleet, rules, running, static_cast<uint32_t>(running.nodes.size()), masters);
  std::vector<bool> barred(board.hosts());
  for (const std::string& name : not_on) {
    if (const auto host = fleet.find(name)) barred[*host] = true;
  }
  Replacer replacer(board, running, leaving, barred);
  std::vector<Unit> units = paired_units(board, running, leaving);
  bool placed = replacer.place(units);
  if (!placed && units.size() < leaving.size()) {
    replacer.undo(units);
    units = single_units(leaving);
    placed = replacer.place(units);
  }
  if (!placed) return std::unexpected(refuse(running, units, replacer));

  Plan plan;
  plan.notes = crowded(board);
  plan.after = running;
  std::map<uint32_t, PortWalk> walks;
  for (const size_t node : leaving) {
    const uint32_t host = replacer.where(node);
    auto walk = walks.find(host);
    if (walk == walks.end()) walk = walks.emplace(host, board.ports(host)).first;
    plan.removed.push_back(running.nodes[node]);
    plan.added.push_back(node);
    plan.after.nodes[node].host = board.name(host);
    plan.after.nodes[node].port = walk->second.next().value_or(0);
  }
  plan.whole_chunks = units.size() * 2 == leaving.size();
  return plan;
}

Outcome vacate(const Fleet& fleet, const Rules& rules, const Layout& running, std::span<const std::string> hosts) {
  const std::unordered_set<std::string_view> names(hosts.begin(), hosts.end());
  std::vector<size_t> nodes;
  for (size_t i = 0; i < running.nodes.size(); ++i) {
    if (names.contains(running.nodes[i].host)) nodes.push_back(i);
  }
  return replace(fleet, rules, running, nodes, hosts);
}

}  // namespace overlord::placement
