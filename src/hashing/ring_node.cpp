#include "hashing/ring_node.h"

#include <algorithm>
#include <compare>
#include <numeric>

namespace overlord::hashing {
namespace {

constexpr std::uint16_t kPortLeftOut = 11211;

}  // namespace

std::string ring_name(std::string_view host, std::uint16_t port, std::string_view alias, Compat compat) {
  if (!alias.empty()) return std::string(alias);
  std::string name(host);
  if (port == 0) {
    if (compat == Compat::kTwemproxy) name += ':';
  } else if (compat == Compat::kOverlord || port != kPortLeftOut) {
    name += ':';
    name += std::to_string(port);
  }
  return name;
}

std::vector<std::uint32_t> ring_order(std::span<const RingNode> nodes, Compat compat) {
  std::vector<std::uint32_t> order(nodes.size());
  std::iota(order.begin(), order.end(), 0u);
  if (compat == Compat::kOverlord) return order;
  std::ranges::stable_sort(order, [&](std::uint32_t left, std::uint32_t right) {
    const std::string& a = nodes[left].name;
    const std::string& b = nodes[right].name;
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return order;
}

}  // namespace overlord::hashing
