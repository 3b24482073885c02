#pragma once
// PortWalk: the free ports of a host, lowest first.
//
// With `bus`, a port p is free only when p + kBusOffset is free too, and then both are in use. Taking the lowest first
// yields as many ports as there can be: ports that exclude each other form chains p, p + kBusOffset, ..., and along a
// chain nothing beats taking every other one from its lower end.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "placement/model.h"

namespace overlord::placement {

class PortWalk {
 public:
  /// host.ports must be sorted and disjoint (Fleet does that), and must outlive the walk. taken: sorted.
  PortWalk(std::span<const PortRange> ranges, std::vector<uint16_t> taken, bool bus)
      : ranges_(ranges), taken_(std::move(taken)), bus_(bus) {
    if (!ranges_.empty()) next_ = ranges_.front().first;
  }

  std::optional<uint16_t> next();

 private:
  bool free(uint32_t port) const;

  std::span<const PortRange> ranges_;
  std::vector<uint16_t> taken_;
  std::vector<uint16_t> given_;  // ascending, as they were handed out
  uint32_t next_ = 0;
  bool bus_;
};

/// How many ports a walk will yield, counted up to `limit`.
uint32_t count_ports(PortWalk walk, uint32_t limit);

/// Sorted, disjoint, without port 0.
std::vector<PortRange> merged(std::vector<PortRange> ranges);

}  // namespace overlord::placement
