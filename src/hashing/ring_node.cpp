#include "hashing/ring_node.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace overlord::hashing {
namespace {

constexpr std::uint16_t kPortLeftOut = 11211;

}  // namespace

std::string ring_name(std::string_view host, std::uint16_t port, std::string_view alias, Compat compat) {
  if (!alias.empty()) return std::string(alias);
  std::string name(host);
  if (port == 0) {
    if (compat == Compat::twemproxy) name += ':';
  } else if (compat == Compat::overlord || port != kPortLeftOut) {
    name += ':';
    name += std::to_string(port);
  }
  return name;
}

std::vector<std::uint32_t> ring_order(std::span<const RingNode> nodes, Compat compat) {
  std::vector<std::uint32_t> order(nodes.size());
  std::iota(order.begin(), order.end(), 0u);
  if (compat == Compat::overlord) return order;
  const auto key = [&](std::uint32_t i) {
    return std::tuple(nodes[i].name.size(), std::string_view(nodes[i].name), i);
  };
  std::ranges::sort(order, {}, key);
  return order;
}

}  // namespace overlord::hashing
