#include "placement/spread.h"

#include <algorithm>
#include <queue>
#include <tuple>

namespace overlord::placement {

namespace {

// Load of the host, the zone, the rack; then what is free there, the other way round; then the host's number.
using Key = std::tuple<uint32_t, uint32_t, uint32_t, uint64_t, uint32_t>;
using Queue = std::priority_queue<std::pair<Key, uint32_t>, std::vector<std::pair<Key, uint32_t>>, std::greater<>>;

// Heaps within heaps: of zones, of the racks of each zone, of the hosts of each rack. A unit that is given changes the
// keys of one host, its rack and its zone alone, so nothing in a heap is ever out of date.
class Spreader {
 public:
  explicit Spreader(Field& field) : field_(field), hosts_(field.racks.size()), racks_(field.zones.size()) {
    for (uint32_t i = 0; i < field.candidates.size(); ++i) {
      if (field.candidates[i].room > 0) hosts_[field.candidates[i].rack].push_back(i);
    }
    for (uint32_t rack = 0; rack < hosts_.size(); ++rack) {
      std::ranges::make_heap(hosts_[rack], Worse{field_.candidates});
      push_rack(rack);
    }
    for (uint32_t zone = 0; zone < racks_.size(); ++zone) push_zone(zone);
  }

  bool give_one() {
    if (zones_.empty()) return false;
    const uint32_t zone = zones_.top().second;
    zones_.pop();
    const uint32_t rack = racks_[zone].top().second;
    racks_[zone].pop();
    std::vector<uint32_t>& heap = hosts_[rack];
    const Worse worse{field_.candidates};
    std::ranges::pop_heap(heap, worse);
    Candidate& chosen = field_.candidates[heap.back()];
    ++chosen.given;
    if (chosen.given < chosen.room) {
      std::ranges::push_heap(heap, worse);
    } else {
      heap.pop_back();
    }
    for (Domain* domain : {&field_.racks[rack], &field_.zones[zone]}) {
      ++domain->load;
      if (domain->room != kUnlimited) --domain->room;
    }
    push_rack(rack);
    push_zone(zone);
    return true;
  }

 private:
  struct Worse {
    const std::vector<Candidate>& all;
    bool operator()(uint32_t a, uint32_t b) const { return of(a) > of(b); }
    std::tuple<uint32_t, uint64_t, uint32_t> of(uint32_t i) const {
      return {all[i].load + all[i].given, UINT64_MAX - (all[i].capacity - all[i].given), all[i].host};
    }
  };

  void push_rack(uint32_t rack) {
    const Domain& domain = field_.racks[rack];
    if (hosts_[rack].empty() || domain.room == 0) return;
    const auto [load, size, host] = Worse{field_.candidates}.of(hosts_[rack].front());
    racks_[domain.zone].push({{load, 0, domain.load, size, host}, rack});
  }

  void push_zone(uint32_t zone) {
    if (racks_[zone].empty() || field_.zones[zone].room == 0) return;
    Key key = racks_[zone].top().first;
    std::get<1>(key) = field_.zones[zone].load;
    zones_.push({key, zone});
  }

  Field& field_;
  std::vector<std::vector<uint32_t>> hosts_;  // by rack: indexes of candidates
  std::vector<Queue> racks_;                  // by zone
  Queue zones_;
};

}  // namespace

uint32_t spread(Field& field, uint32_t units) {
  Spreader spreader(field);
  while (units > 0 && spreader.give_one()) --units;
  return units;
}

}  // namespace overlord::placement
