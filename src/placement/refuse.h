#pragma once
// The words of a Refusal, what is short and by how much, all reasons at once; and those of a plan's notes.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "placement/board.h"

namespace overlord::placement {

/// What is wrong with a request before any host is looked at.
std::vector<std::string> faults(const Rules& rules, uint64_t masters_after, uint64_t masters_asked);

/// Why `masters` new shards do not fit; `left`: how many of their nodes found no place.
Refusal refuse_growth(const Board& board, uint32_t masters, uint32_t masters_after, uint32_t left);

/// Notes for a plan: hosts that hold too much of what runs. It stays, but the operator is told.
std::vector<std::string> crowded(const Board& board);

/// Counts why single hosts are no place for one node, and says it: "of 6 hosts 2 hold a node of its shard, ...".
class Objections {
 public:
  enum class Kind : uint8_t { unknown, draining, unlabelled, leaving, shard, half, memory, cpu, ports };
  void add(Kind kind) { ++counts_[static_cast<size_t>(kind)]; }
  std::string text() const;

 private:
  uint32_t counts_[9] = {};
};

/// Why nothing of a host's own is in the way of one more node, or what is.
std::optional<Objections::Kind> objection(const Board& board, uint32_t host, uint32_t already);

/// "3 nodes", "1 node".
std::string counted(uint64_t count, std::string_view noun);
std::string cpus(uint64_t milli);

}  // namespace overlord::placement
