#include "hashing/ring.h"

#include <algorithm>
#include <array>
#include <bit>
#include <random>
#include <utility>

namespace overlord::hashing {
namespace {

// In the order of Distribution.
constexpr std::array<std::string_view, 3> kNames = {"ketama", "modula", "random"};

std::uint64_t next_random() noexcept {
  thread_local std::uint64_t state = std::random_device{}();
  // SplitMix64.
  std::uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

std::optional<Distribution> parse_distribution(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Distribution>(found - kNames.begin());
}

std::string_view distribution_name(Distribution distribution) noexcept {
  return kNames[static_cast<std::size_t>(distribution)];
}

std::span<const std::string_view> distribution_names() noexcept { return kNames; }

Ring::Ring(std::span<const RingNode> nodes, Distribution distribution, Compat compat) {
  if (distribution == Distribution::ketama) {
    index_points(ketama_points(nodes, compat));
    return;
  }
  random_ = distribution == Distribution::random;
  std::uint64_t end = 0;
  for (const std::uint32_t i : ring_order(nodes, compat)) {
    const std::uint32_t share = random_ ? 1 : nodes[i].weight;
    if (nodes[i].ejected || share == 0) continue;
    end += share;
    choices_.push_back({end, i});
  }
}

void Ring::index_points(std::vector<RingPoint> points) {
  if (points.empty()) return;
  // Only the first of several points with one value is ever found. Without the others no bucket can
  // hold a long run of equals (names cut by Compat collapse onto the same points).
  const auto repeated = std::ranges::unique(points, {}, &RingPoint::value);
  points.erase(repeated.begin(), repeated.end());
  const std::size_t real = points.size();
  points.resize(real + kStep, {UINT32_MAX, points.front().node});
  points.shrink_to_fit();

  // One or two points in a bucket on average; at least two buckets, as a shift by 32 is none.
  const unsigned bits = std::max(1u, static_cast<unsigned>(std::bit_width(real)) - 1);
  shift_ = 32 - bits;
  buckets_.resize(std::size_t{1} << bits);
  std::uint32_t at = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    while (at < real && points[at].value >> shift_ < bucket) ++at;
    buckets_[bucket] = at;
  }
  points_ = std::move(points);
}

std::uint32_t Ring::lookup_choice(std::uint32_t hash) const noexcept {
  if (choices_.empty()) return kNoNode;
  const std::uint64_t total = choices_.back().end;
  const std::uint64_t number = (random_ ? next_random() : hash) % total;
  return std::ranges::upper_bound(choices_, number, {}, &Choice::end)->node;
}

std::size_t Ring::memory() const noexcept {
  return points_.capacity() * sizeof(RingPoint) + buckets_.capacity() * sizeof(std::uint32_t) +
         choices_.capacity() * sizeof(Choice);
}

}  // namespace overlord::hashing
