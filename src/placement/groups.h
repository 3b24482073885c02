#pragma once
// Groups: forms shards, or chunks, from the nodes that hosts were given, so that no two nodes of one are on one host (or
// in one rack or zone, where that is required) and links are spread.
//
// The link of two hosts is how many shards have a node on both. When a host dies, the hosts it is linked with take its
// load, so many links of one are better than few of many.

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "placement/board.h"

namespace overlord::placement {

class Links {
 public:
  Links() = default;
  Links(const Board& board, const Layout& layout);

  void add(uint32_t a, uint32_t b) {
    others_[a].push_back(b);
    others_[b].push_back(a);
  }
  void remove(uint32_t a, uint32_t b) {
    forget(others_[a], b);
    forget(others_[b], a);
  }
  /// The other hosts, each as often as it is linked.
  const std::vector<uint32_t>& of(uint32_t host) const {
    static const std::vector<uint32_t> none;
    const auto found = others_.find(host);
    return found == others_.end() ? none : found->second;
  }

 private:
  static void forget(std::vector<uint32_t>& hosts, uint32_t host) {
    if (const auto found = std::ranges::find(hosts, host); found != hosts.end()) hosts.erase(found);
  }

  std::unordered_map<uint32_t, std::vector<uint32_t>> others_;
};

struct Supply {
  uint32_t host;
  uint32_t masters;   // when forming chunks: pairs of a master and a replica
  uint32_t replicas;  // when forming chunks: 0
};

/// The hosts of one shard, its master's first; or the two hosts of a chunk.
using Group = std::array<uint32_t, kMaxReplicas + 1>;

/// Uses up all of the supplies. They must be made for it: `groups` masters and size - 1 times as many replicas (or
/// 2 * groups pairs), and no domain of board.apart() with more than `groups` in all. Then it always succeeds.
std::vector<Group> form_groups(const Board& board, Links& links, std::vector<Supply> supplies, uint32_t groups,
                               uint32_t size, bool chunks);

}  // namespace overlord::placement
