#include "placement/spread.h"

#include <algorithm>
#include <queue>
#include <tuple>

namespace overlord::placement {

namespace {

using Key = std::tuple<uint32_t, uint32_t, uint32_t, uint64_t, uint32_t>;  // host, zone and rack load, size, host

// The candidates of each rack are a heap of their own, so that what one rack is given changes the keys of racks, not
// of all hosts in them.
class Spreader {
  auto worse() const {
    return [this](uint32_t a, uint32_t b) {
      const Candidate& x = field_.candidates[a];
      const Candidate& y = field_.candidates[b];
      return std::tuple(x.load + x.given, y.capacity - y.given, x.host) > std::tuple(y.load + y.given, x.capacity - x.given, y.host);
    };
  }

 public:
  explicit Spreader(Field& field) : field_(field), heaps_(field.racks.size()) {
    for (uint32_t i = 0; i < field.candidates.size(); ++i) {
      if (field.candidates[i].room > 0) heaps_[field.candidates[i].rack].push_back(i);
    }
    for (uint32_t rack = 0; rack < heaps_.size(); ++rack) {
      std::ranges::make_heap(heaps_[rack], worse());
      if (!heaps_[rack].empty()) racks_.emplace(key(rack), rack);
    }
  }

  bool give_one() {
    while (!racks_.empty()) {
      const auto [known, rack] = racks_.top();
      racks_.pop();
      Domain& domain = field_.racks[rack];
      Domain& zone = field_.zones[domain.zone];
      if (domain.room == 0 || zone.room == 0) continue;
      // Keys only grow: one that is out of date is put back where it belongs now.
      if (const Key now = key(rack); now != known) {
        racks_.emplace(now, rack);
        continue;
      }
      take(rack, domain, zone);
      return true;
    }
    return false;
  }

 private:
  void take(uint32_t rack, Domain& domain, Domain& zone) {
    std::vector<uint32_t>& heap = heaps_[rack];
    std::ranges::pop_heap(heap, worse());
    Candidate& chosen = field_.candidates[heap.back()];
    ++chosen.given;
    for (Domain* each : {&domain, &zone}) {
      ++each->load;
      if (each->room != kUnlimited) --each->room;
    }
    if (chosen.given < chosen.room) {
      std::ranges::push_heap(heap, worse());
    } else {
      heap.pop_back();
    }
    if (!heap.empty()) racks_.emplace(key(rack), rack);
  }

  Key key(uint32_t rack) const {
    const Candidate& best = field_.candidates[heaps_[rack].front()];
    const Domain& domain = field_.racks[rack];
    return {best.load + best.given, field_.zones[domain.zone].load, domain.load, UINT64_MAX - (best.capacity - best.given), best.host};
  }

  Field& field_;
  std::vector<std::vector<uint32_t>> heaps_;
  std::priority_queue<std::pair<Key, uint32_t>, std::vector<std::pair<Key, uint32_t>>, std::greater<>> racks_;
};

}  // namespace

uint32_t spread(Field& field, uint32_t units) {
  Spreader spreader(field);
  while (units > 0 && spreader.give_one()) --units;
  return units;
}

}  // namespace overlord::placement
