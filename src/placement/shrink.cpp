// shrink: which shards go. One after another the shard goes that weighs most on the fullest hosts; when the rest breaks
// the rules nevertheless, shards are exchanged as long as that makes it better.

#include <algorithm>
#include <map>
#include <tuple>

#include "placement/board.h"
#include "placement/plan.h"
#include "placement/refuse.h"

namespace overlord::placement {

namespace {

struct Shard {
  uint32_t number;
  std::vector<size_t> nodes;  // by index in the layout
  bool gone = false;
};

class Shrinker {
 public:
  Shrinker(Board& board, const Layout& running) : board_(board), running_(running) {
    std::map<uint32_t, std::vector<size_t>> shards;
    for (size_t i = 0; i < running.nodes.size(); ++i) shards[running.nodes[i].shard].push_back(i);
    for (auto& [number, nodes] : shards) shards_.push_back({number, std::move(nodes)});
    for (const Level level : {Level::host, Level::rack, Level::zone}) {
      if (!board_.limited(level)) continue;
      for (uint32_t at = 0; at < board_.domains(level); ++at) excess_ += excess(level, at);
    }
  }

  std::vector<Shard>& shards() { return shards_; }

  void remove_heaviest() {
    Shard* heaviest = nullptr;
    Weight most{};
    for (Shard& shard : shards_) {
      if (shard.gone) continue;
      Weight weight = weigh(shard);
      if (heaviest != nullptr && weight < most) continue;  // of equals the youngest
      heaviest = &shard;
      most = std::move(weight);
    }
    if (heaviest != nullptr) change(*heaviest, true);
  }

  // Each exchange lowers the excess, which is a natural number: this ends.
  void mend() {
    for (uint64_t now = excess(); now > 0;) {
      if (!exchange(now)) return;
      now = excess();
    }
  }

  uint64_t excess() const { return excess_; }

  void change(Shard& shard, bool gone) {
    shard.gone = gone;
    for (const size_t node : shard.nodes) {
      const uint32_t host = board_.host_of(node);
      excess_ -= excess_around(host);
      board_.add(host, running_.nodes[node].role, gone);
      excess_ += excess_around(host);
    }
  }

 private:
  // The masters' host first, the fullest host of all after it, then all together, then racks and zones.
  using Weight = std::tuple<uint64_t, uint32_t, uint32_t, uint64_t, uint64_t, uint64_t>;

  uint64_t excess(Level level, uint32_t at) const {
    const Board::Count limit = board_.limit(level);
    const Board::Count& there = board_.count(level, at);
    return (there.nodes > limit.nodes ? there.nodes - limit.nodes : 0) +
           (there.masters > limit.masters ? there.masters - limit.masters : 0);
  }

  uint64_t excess_around(uint32_t host) const {
    uint64_t sum = 0;
    for (const Level level : {Level::host, Level::rack, Level::zone}) {
      if (board_.limited(level)) sum += excess(level, board_.domain(level, host));
    }
    return sum;
  }

  Weight weigh(const Shard& shard) const {
    uint64_t over = 0;
    uint32_t fullest = 0;
    uint32_t masters = 0;
    uint64_t hosts = 0;
    uint64_t racks = 0;
    uint64_t zones = 0;
    for (const size_t node : shard.nodes) {
      const uint32_t host = board_.host_of(node);
      const Board::Count& there = board_.count(Level::host, host);
      over += excess_around(host);
      fullest = std::max(fullest, there.nodes);
      if (running_.nodes[node].role == Role::master) masters = std::max(masters, there.masters);
      hosts += there.nodes;
      racks += board_.count(Level::rack, board_.domain(Level::rack, host)).nodes;
      zones += board_.count(Level::zone, board_.domain(Level::zone, host)).nodes;
    }
    return {over, fullest, masters, hosts, racks, zones};
  }

  bool exchange(uint64_t now) {
    for (Shard& kept : shards_) {
      if (kept.gone || std::get<0>(weigh(kept)) == 0) continue;
      change(kept, true);
      for (Shard& gone : shards_) {
        if (!gone.gone || &gone == &kept) continue;
        change(gone, false);
        if (excess() < now) return true;
        change(gone, true);
      }
      change(kept, false);
    }
    return false;
  }

  Board& board_;
  const Layout& running_;
  std::vector<Shard> shards_;
  uint64_t excess_ = 0;  // how many nodes and masters are too many, over all domains
};

Refusal refuse(const Board& board, uint32_t masters) {
  Refusal refusal;
  for (const Level level : {Level::host, Level::rack, Level::zone}) {
    if (!board.limited(level)) continue;
    const Board::Count limit = board.limit(level);
    for (uint32_t host = 0; host < board.hosts(); ++host) {
      const Board::Count& there = board.count(level, board.domain(level, host));
      if (there.nodes <= limit.nodes && there.masters <= limit.masters) continue;
      const std::string where = level == Level::host   ? "host " + std::string(board.name(host))
                                : level == Level::rack ? "the rack of host " + std::string(board.name(host))
                                                       : "the zone of host " + std::string(board.name(host));
      refusal.reasons.push_back(where + " would hold " + counted(there.nodes, "node") + " with " +
                                counted(there.masters, "master") + ", and with " + counted(masters, "master") +
                                " in all at most " + std::to_string(limit.nodes) + " and " +
                                std::to_string(limit.masters) + ": move some of it to other hosts first (drain)");
    }
  }
  return refusal;
}

}  // namespace

Outcome shrink(const Fleet& fleet, const Rules& rules, const Layout& running, uint32_t masters) {
  const auto before = static_cast<uint32_t>(std::ranges::count(running.nodes, Role::master, &Node::role));
  std::vector<std::string> reasons = faults(rules, masters, masters);
  if (masters > before) {
    reasons.push_back("shrinking " + counted(before, "master") + " to " + std::to_string(masters) + ": use append");
  }
  if (!reasons.empty()) return std::unexpected(Refusal{std::move(reasons)});

  // What goes is known only at the end, but each shard has as many nodes.
  const size_t nodes_after = running.nodes.size() / std::max(before, 1U) * masters;
  Board board(fleet, rules, running, static_cast<uint32_t>(nodes_after), masters);
  Shrinker shrinker(board, running);
  for (uint32_t count = before; count > masters; --count) shrinker.remove_heaviest();
  shrinker.mend();
  if (shrinker.excess() > 0) return std::unexpected(refuse(board, masters));

  Plan plan;
  std::vector<bool> goes(running.nodes.size());
  for (const Shard& shard : shrinker.shards()) {
    for (const size_t node : shard.nodes) goes[node] = shard.gone;
  }
  for (size_t i = 0; i < running.nodes.size(); ++i) {
    (goes[i] ? plan.removed : plan.after.nodes).push_back(running.nodes[i]);
  }
  return plan;
}

}  // namespace overlord::placement
