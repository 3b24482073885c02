#include "hashing/ketama.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "hashing/md5.h"

namespace overlord::hashing {
namespace {

constexpr std::size_t kOverlordTextLimit = 64;
constexpr std::size_t kTwemproxyTextLimit = 272;

// Every operation rounds on its own, in this order: the point counts hang on the last bit. The
// addition has a statement of its own so that no compiler fuses it with the product.
template <typename Real>
std::size_t group_count(std::uint32_t weight, std::uint64_t total, std::size_t nodes) {
  const Real share = static_cast<Real>(weight) / static_cast<Real>(total);
  const Real product = share * Real{160} / Real{4} * static_cast<Real>(nodes);
  const double nudged = static_cast<double>(product) + 1e-10;
  return static_cast<std::size_t>(std::floor(static_cast<Real>(nudged)));
}

std::size_t group_count(const RingNode& node, std::uint64_t total, std::size_t nodes, Compat compat) {
  return compat == Compat::twemproxy ? group_count<float>(node.weight, total, nodes)
                                     : group_count<double>(node.weight, total, nodes);
}

}  // namespace

std::vector<RingPoint> ketama_points(std::span<const RingNode> nodes, Compat compat) {
  std::uint64_t total = 0;
  std::size_t taking_part = 0;
  for (const RingNode& node : nodes) {
    if (node.ejected) continue;
    total += node.weight;
    ++taking_part;
  }
  std::vector<RingPoint> points;
  if (total == 0) return points;
  points.reserve(taking_part * 160);
  const std::size_t limit = compat == Compat::twemproxy ? kTwemproxyTextLimit : kOverlordTextLimit;
  std::string text;
  const std::vector<std::uint32_t> order = ring_order(nodes, compat);
  for (std::uint32_t rank = 0; rank < order.size(); ++rank) {
    const RingNode& node = nodes[order[rank]];
    if (node.ejected) continue;
    const std::size_t groups = group_count(node, total, taking_part, compat);
    for (std::size_t group = 0; group < groups; ++group) {
      text.assign(node.name).append("-").append(std::to_string(group));
      for (const std::uint32_t value : md5(std::string_view(text).substr(0, limit))) {
        points.push_back({value, rank});
      }
    }
  }
  std::ranges::sort(points, {}, [](const RingPoint& point) { return std::pair(point.value, point.node); });
  for (RingPoint& point : points) point.node = order[point.node];
  return points;
}

}  // namespace overlord::hashing
