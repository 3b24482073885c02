// create and append: how many nodes each host gets, then which of them form a shard.

#include <algorithm>
#include <map>

#include "placement/board.h"
#include "placement/groups.h"
#include "placement/plan.h"
#include "placement/refuse.h"
#include "placement/spread.h"

namespace overlord::placement {

namespace {

class Growth {
 public:
  Growth(Board& board, uint32_t shards) : board_(board), size_(board.rules.shard_size()), shards_(shards) {
    for (uint32_t host = 0; host < board.fleet.size(); ++host) {
      if (!board.usable(host)) continue;
      const Board::Count left = board.left(Level::host, host);
      const uint32_t nodes = board.room(host, std::min(shards, left.nodes));
      if (nodes == 0) continue;
      rooms_.push_back({host, nodes, std::min(nodes, left.masters), board.resources(host, kUnlimited)});
    }
  }

  /// What each host gets; left: how many nodes found no place, then the rest is of no use.
  std::vector<Supply> supplies(bool& chunks, uint32_t& left) {
    chunks = size_ == 2 && shards_ % 2 == 0;
    if (chunks) {
      Field field = chunk_field();
      left = spread(field, shards_) * 2;
      if (left == 0) return to_supplies(field, nullptr);
      chunks = false;
    }
    // Masters first: any masters that fit can be completed by replicas if any masters can, so this misses nothing.
    Field masters = master_field();
    left = spread(masters, shards_);
    if (left > 0) {
      left *= size_;
      return {};
    }
    Field replicas = replica_field(masters);
    left = spread(replicas, shards_ * (size_ - 1));
    return left > 0 ? std::vector<Supply>{} : to_supplies(masters, &replicas);
  }

 private:
  struct Room {
    uint32_t host;
    uint32_t nodes;
    uint32_t masters;
    uint64_t capacity;
  };

  static Domain& domain_of(Field& field, Level level, uint32_t at) {
    return level == Level::rack ? field.racks[at] : field.zones[at];
  }

  // Domains with the room for nodes and masters that rules leave them; `room` makes units of that.
  template <typename RoomOf>
  Field field(RoomOf room, uint32_t load_unit) const {
    Field result;
    result.racks.resize(board_.domains(Level::rack));
    result.zones.resize(board_.domains(Level::zone));
    for (const Room& each : rooms_) {
      result.racks[board_.domain(Level::rack, each.host)].zone = board_.domain(Level::zone, each.host);
    }
    for (const Level level : {Level::rack, Level::zone}) {
      for (uint32_t at = 0; at < board_.domains(level); ++at) {
        Board::Count left = board_.left(level, at);
        if (size_ > 1 && board_.apart() == level) left.nodes = std::min(left.nodes, shards_);
        Domain& domain = domain_of(result, level, at);
        domain.load = board_.count(level, at).nodes / load_unit;
        if (left.nodes != kUnlimited) domain.room = room(left.nodes, std::min(left.nodes, left.masters));
      }
    }
    return result;
  }

  Field chunk_field() const {
    const auto pairs = [](uint32_t nodes, uint32_t masters) { return std::min(nodes / 2, masters); };
    Field result = field(pairs, 2);
    for (const Room& room : rooms_) {
      const uint32_t load = (board_.count(Level::host, room.host).nodes + 1) / 2;
      const uint32_t most = std::min(pairs(room.nodes, room.masters), shards_ / 2);
      result.candidates.push_back({room.host, board_.domain(Level::rack, room.host), load, most, room.capacity / 2});
    }
    return result;
  }

  Field master_field() const {
    Field result = field([](uint32_t, uint32_t masters) { return masters; }, 1);
    for (const Room& room : rooms_) {
      const uint32_t load = board_.count(Level::host, room.host).masters;
      result.candidates.push_back(
          {room.host, board_.domain(Level::rack, room.host), load, room.masters, room.capacity});
    }
    return result;
  }

  Field replica_field(const Field& masters) const {
    Field result = field([](uint32_t nodes, uint32_t) { return nodes; }, 1);
    for (size_t i = 0; i < rooms_.size(); ++i) {
      const Room& room = rooms_[i];
      const uint32_t given = masters.candidates[i].given;
      const uint32_t load = board_.count(Level::host, room.host).nodes + given;
      const uint32_t rack = board_.domain(Level::rack, room.host);
      result.candidates.push_back({room.host, rack, load, room.nodes - given, room.capacity - given});
      for (Domain* domain : {&result.racks[rack], &result.zones[board_.domain(Level::zone, room.host)]}) {
        domain->load += given;
        if (domain->room != kUnlimited) domain->room -= given;
      }
    }
    return result;
  }

  static std::vector<Supply> to_supplies(const Field& masters, const Field* replicas) {
    std::vector<Supply> result;
    for (size_t i = 0; i < masters.candidates.size(); ++i) {
      const uint32_t more = replicas == nullptr ? 0 : replicas->candidates[i].given;
      const Candidate& candidate = masters.candidates[i];
      if (candidate.given + more > 0) result.push_back({candidate.host, candidate.given, more});
    }
    return result;
  }

  Board& board_;
  uint32_t size_;
  uint32_t shards_;
  std::vector<Room> rooms_;
};

// Adds nodes with the lowest ports that are free.
class Writer {
 public:
  Writer(const Board& board, Plan& plan, uint32_t first_shard) : board_(board), plan_(plan), shard_(first_shard) {}

  void add(uint32_t host, uint32_t shard, Role role) {
    auto walk = walks_.find(host);
    if (walk == walks_.end()) walk = walks_.emplace(host, board_.ports(host)).first;
    // Board::room counted them.
    const uint16_t port = walk->second.next().value_or(0);
    plan_.added.push_back(plan_.after.nodes.size());
    plan_.after.nodes.push_back({shard_ + shard, role, std::string(board_.name(host)), port});
  }

 private:
  const Board& board_;
  Plan& plan_;
  uint32_t shard_;
  std::map<uint32_t, PortWalk> walks_;
};

void write_shards(Writer& writer, const std::vector<Group>& groups, uint32_t size, bool chunks) {
  uint32_t shard = 0;
  for (const Group& group : groups) {
    if (chunks) {
      // Each host has the master of one shard and the replica of the other.
      writer.add(group[0], shard, Role::master);
      writer.add(group[0], shard + 1, Role::replica);
      writer.add(group[1], shard + 1, Role::master);
      writer.add(group[1], shard, Role::replica);
      shard += 2;
      continue;
    }
    for (uint32_t i = 0; i < size; ++i) writer.add(group[i], shard, i == 0 ? Role::master : Role::replica);
    ++shard;
  }
}

void write_singles(Writer& writer, const std::vector<Supply>& supplies) {
  uint32_t shard = 0;
  for (const Supply& supply : supplies) {
    for (uint32_t i = 0; i < supply.masters; ++i) writer.add(supply.host, shard++, Role::master);
  }
}

}  // namespace

Outcome create(const Fleet& fleet, const Rules& rules, uint32_t masters) { return append(fleet, rules, {}, masters); }

Outcome append(const Fleet& fleet, const Rules& rules, const Layout& running, uint32_t masters) {
  uint32_t next_shard = 0;
  uint64_t masters_after = masters;
  for (const Node& node : running.nodes) {
    next_shard = std::max(next_shard, node.shard + 1);
    masters_after += node.role == Role::master;
  }
  if (auto reasons = faults(rules, masters_after, masters); !reasons.empty()) {
    return std::unexpected(Refusal{std::move(reasons)});
  }
  const uint32_t size = rules.shard_size();
  const auto nodes_after = static_cast<uint32_t>(running.nodes.size() + static_cast<size_t>(masters) * size);
  Board board(fleet, rules, running, nodes_after, static_cast<uint32_t>(masters_after));

  Plan plan;
  uint32_t left = 0;
  const std::vector<Supply> supplies = Growth(board, masters).supplies(plan.whole_chunks, left);
  if (left > 0) {
    return std::unexpected(refuse_growth(board, masters, static_cast<uint32_t>(masters_after), left));
  }
  plan.notes = crowded(board);
  plan.after = running;
  plan.after.nodes.reserve(nodes_after);
  Writer writer(board, plan, next_shard);
  if (size == 1) {
    write_singles(writer, supplies);
  } else {
    Links links(board, running);
    const uint32_t groups = plan.whole_chunks ? masters / 2 : masters;
    write_shards(writer, form_groups(board, links, supplies, groups, size, plan.whole_chunks), size, plan.whole_chunks);
  }
  return plan;
}

}  // namespace overlord::placement
