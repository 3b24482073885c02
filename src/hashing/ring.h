#pragma once
// Ring: from the hash of a key to the index of a node.
//
//   ketama   the first point (ketama.h) at or above the hash, after the last one the first
//   modula   hash mod sum of weights, counted through the nodes in their ring_order
//   random   any node that takes part, whatever the hash and the weights
//
// Built once, then read by any number of threads. A changed set of nodes is a new Ring.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "hashing/compat.h"
#include "hashing/ketama.h"
#include "hashing/ring_node.h"

namespace overlord::hashing {

enum class Distribution : std::uint8_t { ketama, modula, random };

/// `ketama`, `modula`, `random`, compared exactly.
std::optional<Distribution> parse_distribution(std::string_view name) noexcept;
std::string_view distribution_name(Distribution distribution) noexcept;
std::span<const std::string_view> distribution_names() noexcept;

class Ring {
 public:
  /// What lookup answers on an empty ring.
  static constexpr std::uint32_t kNoNode = UINT32_MAX;

  /// The empty ring.
  Ring() = default;

  /// Empty when no node can get a key: none given, all ejected, or (but for random) all of weight 0.
  Ring(std::span<const RingNode> nodes, Distribution distribution, Compat compat);

  bool empty() const noexcept { return buckets_.empty() && choices_.empty(); }

  /// Index, into the nodes given, of the one that owns this hash; kNoNode when the ring is empty.
  std::uint32_t lookup(std::uint32_t hash) const noexcept {
    if (buckets_.empty()) [[unlikely]]
      return lookup_choice(hash);
    const RingPoint* at = points_.data() + buckets_[hash >> shift_];
    // Counting instead of branching: where in a bucket the hash falls is a coin toss that a branch
    // predictor loses. The guard points make reading ahead safe.
    for (;;) {
      unsigned below = 0;
      for (std::size_t i = 0; i < kStep; ++i) below += at[i].value < hash ? 1u : 0u;
      at += below;
      if (below < kStep) [[likely]]
        return at->node;
    }
  }

  /// Heap bytes held.
  std::size_t memory() const noexcept;

 private:
  // Nodes in modula and random: a node owns the numbers below `end` that the one before does not.
  struct Choice {
    std::uint64_t end;
    std::uint32_t node;
  };

  static constexpr std::size_t kStep = 4;

  void index_points(std::vector<RingPoint> points);
  std::uint32_t lookup_choice(std::uint32_t hash) const noexcept;

  // ketama: points sorted by value, each value once, then kStep guards that belong to the first
  // point's node and are below no hash. buckets_[hash >> shift_] is the first point that can match.
  std::vector<RingPoint> points_;
  std::vector<std::uint32_t> buckets_;
  unsigned shift_ = 0;

  bool random_ = false;
  std::vector<Choice> choices_;
};

}  // namespace overlord::hashing
