#include "placement/groups.h"

#include <algorithm>
#include <cassert>
#include <tuple>

namespace overlord::placement {

Links::Links(const Board& board, const Layout& layout) {
  std::unordered_map<uint32_t, std::vector<uint32_t>> shards;
  for (size_t i = 0; i < layout.nodes.size(); ++i) {
    std::vector<uint32_t>& hosts = shards[layout.nodes[i].shard];
    for (const uint32_t other : hosts) add(board.host_of(i), other);
    hosts.push_back(board.host_of(i));
  }
}

namespace {

// Why this cannot fail: before each step, with R groups still to form, no domain has more than R nodes left, and R * size
// are left in all. So at most `size` domains have exactly R; they are due: they must take part now, and when they do, no
// domain has more than R - 1 left for R - 1 groups. docs/placement.md shows that whichever domain gives the master, the
// due ones and enough others have replicas.
class Former {
 public:
  Former(const Board& board, Links& links, std::vector<Supply> supplies, uint32_t groups, uint32_t size, bool chunks)
      : board_(board), links_(links), supplies_(std::move(supplies)), left_(groups), size_(size), chunks_(chunks) {
    for (size_t level = 0; level < 3; ++level) totals_[level].resize(board.domains(static_cast<Level>(level)));
    seen_.resize(board.domains(board.apart()));
    link_.resize(board.hosts());
    for (const Supply& supply : supplies_) {
      const uint32_t nodes = supply.masters + supply.replicas;
      for (size_t level = 0; level < 3; ++level) totals_[level][domain(level, supply)] += nodes;
    }
  }

  Group form() {
    Group group{};
    count_due();
    Supply& first = choose_master();
    take(first, true);
    group[0] = first.host;
    used_.assign(1, &first);
    for (const uint32_t other : links_.of(first.host)) ++link_[other];
    for (uint32_t i = 1; i < size_; ++i) {
      Supply& next = choose_replica(size_ - i);
      take(next, false);
      group[i] = next.host;
      used_.push_back(&next);
    }
    for (const uint32_t other : links_.of(first.host)) --link_[other];
    for (uint32_t a = 0; a < size_; ++a) {
      for (uint32_t b = 0; b < a; ++b) {
        for (int shards = chunks_ ? 2 : 1; shards > 0; --shards) links_.add(group[a], group[b]);
      }
    }
    --left_;
    std::erase_if(supplies_, [](const Supply& supply) { return supply.masters + supply.replicas == 0; });
    return group;
  }

 private:
  uint32_t domain(size_t level, const Supply& supply) const {
    return board_.domain(static_cast<Level>(level), supply.host);
  }
  uint32_t apart(const Supply& supply) const { return board_.domain(board_.apart(), supply.host); }
  uint32_t total(const Supply& supply, size_t level) const { return totals_[level][domain(level, supply)]; }
  uint32_t& apart_total(uint32_t at) { return totals_[static_cast<size_t>(board_.apart())][at]; }
  bool due(const Supply& supply) { return apart_total(apart(supply)) == left_; }

  // Each domain counts where its first host comes by.
  void count_due() {
    due_ = 0;
    seen_.assign(seen_.size(), false);
    for (const Supply& supply : supplies_) {
      if (due(supply) && !seen_[apart(supply)]) ++due_;
      seen_[apart(supply)] = true;
    }
  }

  // Where most is left, so that what is left stays easy to combine.
  Supply& choose_master() {
    Supply* best = nullptr;
    std::tuple<uint32_t, uint32_t, uint32_t> most{};
    for (Supply& supply : supplies_) {
      const std::tuple value{total(supply, 2), total(supply, 1), supply.masters + supply.replicas};
      if (supply.masters == 0 || (best != nullptr && value <= most)) continue;
      best = &supply;
      most = value;
    }
    assert(best != nullptr);
    return *best;
  }

  // open: how many places the group still has. Domains that are due come first when they fill all of them.
  Supply& choose_replica(uint32_t open) {
    uint32_t due_left = due_;
    for (const Supply* used : used_) due_left -= was_due(*used);
    Supply* best = nullptr;
    std::tuple<bool, bool, uint32_t, uint32_t> least{};
    for (Supply& supply : supplies_) {
      if ((chunks_ ? supply.masters : supply.replicas) == 0 || is_used(supply)) continue;
      if (due_left >= open && !due(supply)) continue;
      const uint32_t rest = chunks_ ? 0 : UINT32_MAX - supply.masters - supply.replicas;
      const std::tuple value{shares(supply, 2), shares(supply, 1), link_[supply.host], rest};
      if (best != nullptr && value >= least) continue;
      best = &supply;
      least = value;
    }
    assert(best != nullptr);
    return *best;
  }

  // Each domain takes part once, so one of a used host had one more before.
  bool was_due(const Supply& used) { return apart_total(apart(used)) + 1 == left_; }
  bool is_used(const Supply& supply) const {
    return std::ranges::any_of(used_, [&](const Supply* used) { return apart(*used) == apart(supply); });
  }
  bool shares(const Supply& supply, size_t level) const {
    return std::ranges::any_of(used_,
                               [&](const Supply* used) { return domain(level, *used) == domain(level, supply); });
  }

  void take(Supply& supply, bool master) {
    --(master || chunks_ ? supply.masters : supply.replicas);
    for (size_t level = 0; level < 3; ++level) --totals_[level][domain(level, supply)];
  }

  const Board& board_;
  Links& links_;
  std::vector<Supply> supplies_;
  uint32_t left_;
  uint32_t size_;
  bool chunks_;
  std::vector<uint32_t> totals_[3];  // by level and domain
  std::vector<uint32_t> link_;       // with the master of the group that is being formed
  std::vector<const Supply*> used_;
  std::vector<bool> seen_;
  uint32_t due_ = 0;  // domains that must take part
};

}  // namespace

std::vector<Group> form_groups(const Board& board, Links& links, std::vector<Supply> supplies, uint32_t groups,
                               uint32_t size, bool chunks) {
  std::erase_if(supplies, [](const Supply& supply) { return supply.masters + supply.replicas == 0; });
  Former former(board, links, std::move(supplies), groups, size, chunks);
  std::vector<Group> formed;
  formed.reserve(groups);
  while (formed.size() < groups) formed.push_back(former.form());
  return formed;
}

}  // namespace overlord::placement
