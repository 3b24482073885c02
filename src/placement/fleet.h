#pragma once
// Fleet: the hosts that one group's clusters may be placed on, in an order that depends on nothing but their names.
//
// Several entries of one name are offers of one host and are added up. Names are compared as people do, 10.0.0.9
// before 10.0.0.10. Give all hosts on which nodes of a cluster run, full and draining ones too: racks and zones of
// hosts that the fleet does not know are not known.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "placement/model.h"

namespace overlord::placement {

class Fleet {
 public:
  /// group: hosts of other groups are left out; empty: none is.
  explicit Fleet(std::vector<Host> hosts, std::string_view group = {});

  std::span<const Host> hosts() const { return hosts_; }
  const Host& operator[](size_t index) const { return hosts_[index]; }
  size_t size() const { return hosts_.size(); }
  std::optional<size_t> find(std::string_view name) const;

  /// Numbers of the labels, the same for hosts that share them; racks of different zones differ. Hosts without a label
  /// share one number too.
  uint32_t zone(size_t index) const { return places_[index].zone; }
  uint32_t rack(size_t index) const { return places_[index].rack; }
  uint32_t zones() const { return zones_; }
  uint32_t racks() const { return racks_; }
  /// How many ports the host offers at all, without those too high for a bus port when `bus`.
  uint32_t ports(size_t index, bool bus) const { return bus ? places_[index].bus_ports : places_[index].ports; }

  size_t other_groups() const { return other_groups_; }  // entries left out

  /// Books nodes, and gives back what they had: what is free afterwards differs by that. Unknown hosts are passed over.
  void take(std::span<const Node> nodes, const Rules& rules);
  void release(std::span<const Node> nodes, const Rules& rules);

 private:
  struct Place {
    uint32_t zone;
    uint32_t rack;
    uint32_t ports;
    uint32_t bus_ports;
  };
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard library looks for it
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  void number_labels();

  std::vector<Host> hosts_;
  std::vector<Place> places_;
  std::unordered_map<std::string, size_t, Hash, std::equal_to<>> index_;
  uint32_t zones_ = 0;
  uint32_t racks_ = 0;
  size_t other_groups_ = 0;
};

/// Numbers within names count as numbers.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace overlord::placement
