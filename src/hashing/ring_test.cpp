#include "hashing/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "hashing/md5.h"

namespace overlord::hashing {
namespace {

constexpr Compat kBoth[] = {Compat::overlord, Compat::twemproxy};

std::vector<RingNode> equal_nodes(std::size_t count) {
  std::vector<RingNode> nodes;
  for (std::size_t i = 0; i < count; ++i) nodes.push_back({"node" + std::to_string(i), 1});
  return nodes;
}

std::uint32_t lower_bound_owner(const std::vector<RingPoint>& points, std::uint32_t hash) {
  const auto found = std::ranges::lower_bound(points, hash, {}, &RingPoint::value);
  return found == points.end() ? points.front().node : found->node;
}

void expect_same_as_lower_bound(const std::vector<RingNode>& nodes, Compat compat) {
  const std::vector<RingPoint> points = ketama_points(nodes, compat);
  const Ring ring(nodes, Distribution::ketama, compat);
  const auto check = [&](std::uint32_t hash) { ASSERT_EQ(ring.lookup(hash), lower_bound_owner(points, hash)) << hash; };
  for (const RingPoint& point : points) {
    check(point.value - 1);
    check(point.value);
    check(point.value + 1);
  }
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) check(static_cast<std::uint32_t>(random()));
  for (const std::uint32_t edge : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xfffffffeu, 0xffffffffu}) {
    check(edge);
  }
}

TEST(Ring, EmptyRings) {
  EXPECT_TRUE(Ring().empty());
  EXPECT_EQ(Ring().lookup(0), Ring::kNoNode);
  EXPECT_EQ(Ring().memory(), 0u);
  for (const auto distribution : {Distribution::ketama, Distribution::modula, Distribution::random}) {
    for (const Compat compat : kBoth) {
      const std::vector<RingNode> ejected = {{"a", 1, true}, {"b", 2, true}};
      for (const auto& nodes : {std::vector<RingNode>{}, ejected}) {
        const Ring ring(nodes, distribution, compat);
        EXPECT_TRUE(ring.empty());
        EXPECT_EQ(ring.lookup(UINT32_MAX), Ring::kNoNode);
      }
    }
  }
  const std::vector<RingNode> weightless = {{"a", 0}, {"b", 0}};
  EXPECT_TRUE(Ring(weightless, Distribution::ketama, Compat::overlord).empty());
  EXPECT_TRUE(Ring(weightless, Distribution::modula, Compat::overlord).empty());
}

TEST(Ring, KetamaFindsWhatABinarySearchFinds) {
  for (const Compat compat : kBoth) {
    for (const std::size_t count : {1u, 2u, 3u, 7u, 64u, 300u}) {
      expect_same_as_lower_bound(equal_nodes(count), compat);
    }
    expect_same_as_lower_bound({{"a", 1}, {"b", 1000}, {"c", 17}, {"d", 3}}, compat);
  }
}

// Under overlord a name of 64 bytes and more leaves no room for the group: four points in all,
// each of them once per group and node.
TEST(Ring, KetamaWithCollapsedNames) {
  const std::string longest(64, 'x');
  std::vector<RingNode> nodes;
  for (int i = 0; i < 500; ++i) nodes.push_back({longest + std::to_string(i), 1});
  const auto points = ketama_points(nodes, Compat::overlord);
  EXPECT_EQ(points.size(), 500u * 160u);
  std::set<std::uint32_t> values;
  for (const RingPoint& point : points) values.insert(point.value);
  EXPECT_EQ(values.size(), 4u);
  // Equal values: the first server has them all.
  const Ring ring(nodes, Distribution::ketama, Compat::overlord);
  EXPECT_LT(ring.memory(), 200u);
  std::mt19937 random(3);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ring.lookup(static_cast<std::uint32_t>(random())), 0u);
  expect_same_as_lower_bound(nodes, Compat::overlord);
}

TEST(Ring, TextOfAPointIsCutAsCompatSays) {
  const auto first_point = [](std::size_t length, Compat compat) {
    const std::vector<RingNode> nodes = {{std::string(length, 'n'), 1}};
    return ketama_points(nodes, compat).front().value;
  };
  const auto least_word = [](std::size_t length, std::size_t limit) {
    std::uint32_t least = UINT32_MAX;
    for (int group = 0; group < 40; ++group) {
      const std::string text = std::string(length, 'n') + "-" + std::to_string(group);
      for (const std::uint32_t word : md5(std::string_view(text).substr(0, limit))) {
        least = std::min(least, word);
      }
    }
    return least;
  };
  for (const std::size_t length : {1u, 61u, 62u, 63u, 64u, 65u, 100u, 269u, 271u, 272u, 290u}) {
    EXPECT_EQ(first_point(length, Compat::overlord), least_word(length, 64)) << length;
    EXPECT_EQ(first_point(length, Compat::twemproxy), least_word(length, 272)) << length;
  }
}

TEST(Ring, EjectedNodesTakeNoPartAndMoveNoIndex) {
  for (const auto distribution : {Distribution::ketama, Distribution::modula}) {
    for (const Compat compat : kBoth) {
      std::vector<RingNode> nodes = {{"a", 1}, {"b", 5}, {"c", 2}, {"d", 4}};
      std::vector<RingNode> without = nodes;
      without.erase(without.begin() + 1);
      nodes[1].ejected = true;
      const Ring marked(nodes, distribution, compat);
      const Ring erased(without, distribution, compat);
      const std::uint32_t index[] = {0, 2, 3};
      std::mt19937 random(11);
      for (int i = 0; i < 5000; ++i) {
        const auto hash = static_cast<std::uint32_t>(random());
        ASSERT_EQ(marked.lookup(hash), index[erased.lookup(hash)]);
      }
    }
  }
}

TEST(Ring, LosingOneOfEqualNodesMovesOnlyItsKeys) {
  std::vector<RingNode> nodes = equal_nodes(10);
  const Ring before(nodes, Distribution::ketama, Compat::overlord);
  nodes[4].ejected = true;
  const Ring after(nodes, Distribution::ketama, Compat::overlord);
  std::mt19937 random(5);
  std::size_t moved = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto hash = static_cast<std::uint32_t>(random());
    if (before.lookup(hash) == 4) {
      ++moved;
      EXPECT_NE(after.lookup(hash), 4u);
    } else {
      EXPECT_EQ(after.lookup(hash), before.lookup(hash));
    }
  }
  EXPECT_GT(moved, 0u);
}

TEST(Ring, ModulaCountsWeightsInOrder) {
  const std::vector<RingNode> nodes = {{"a", 2}, {"b", 0}, {"c", 1}, {"d", 3}};
  const Ring ring(nodes, Distribution::modula, Compat::twemproxy);
  const std::uint32_t expected[] = {0, 0, 2, 3, 3, 3};
  for (std::uint32_t hash = 0; hash < 60; ++hash) EXPECT_EQ(ring.lookup(hash), expected[hash % 6]);
  EXPECT_EQ(ring.lookup(UINT32_MAX), expected[UINT32_MAX % 6]);
}

// By length of the name first, then by its bytes, unsigned.
TEST(Ring, TwemproxySortsItsServers) {
  const std::vector<RingNode> nodes = {{"m10", 1}, {"n2", 2}, {"n1", 1}, {"\xff", 1}, {"a", 1}};
  EXPECT_EQ(ring_order(nodes, Compat::twemproxy), (std::vector<std::uint32_t>{4, 3, 2, 1, 0}));
  EXPECT_EQ(ring_order(nodes, Compat::overlord), (std::vector<std::uint32_t>{0, 1, 2, 3, 4}));
  const Ring twemproxy(nodes, Distribution::modula, Compat::twemproxy);
  const Ring overlord(nodes, Distribution::modula, Compat::overlord);
  const std::uint32_t sorted[] = {4, 3, 2, 1, 1, 0};
  const std::uint32_t given[] = {0, 1, 1, 2, 3, 4};
  for (std::uint32_t hash = 0; hash < 12; ++hash) {
    EXPECT_EQ(twemproxy.lookup(hash), sorted[hash % 6]);
    EXPECT_EQ(overlord.lookup(hash), given[hash % 6]);
  }
}

// Names beyond the cut share all points; the tie goes to the first in ring_order.
TEST(Ring, TiesGoToTheFirstInOrder) {
  const std::string stem(272, 't');
  const std::vector<RingNode> nodes = {{stem + "zz", 1}, {stem + "b", 1}, {stem + "a", 1}};
  EXPECT_EQ(Ring(nodes, Distribution::ketama, Compat::twemproxy).lookup(1), 2u);
  EXPECT_EQ(Ring(nodes, Distribution::ketama, Compat::overlord).lookup(1), 0u);
}

TEST(Ring, ModulaHoldsAnyWeights) {
  const std::vector<RingNode> nodes = {{"a", UINT32_MAX}, {"b", UINT32_MAX}};
  const Ring ring(nodes, Distribution::modula, Compat::twemproxy);
  EXPECT_EQ(ring.lookup(UINT32_MAX - 1), 0u);
  EXPECT_EQ(ring.lookup(UINT32_MAX), 1u);
  EXPECT_LT(ring.memory(), 100u);
}

TEST(Ring, RandomReachesEveryNodeWhateverTheWeight) {
  const std::vector<RingNode> nodes = {{"a", 1000}, {"b", 1}, {"c", 1, true}, {"d", 7}};
  const Ring ring(nodes, Distribution::random, Compat::twemproxy);
  std::map<std::uint32_t, int> seen;
  for (int i = 0; i < 30000; ++i) ++seen[ring.lookup(42)];
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_FALSE(seen.contains(2));
  // A third each; ten standard deviations are 816.
  for (const auto& [node, count] : seen) EXPECT_NEAR(count, 10000, 816) << node;
}

TEST(Ring, SmallRingsAreSmall) {
  EXPECT_LE(Ring(equal_nodes(1), Distribution::ketama, Compat::overlord).memory(), 2000u);
  EXPECT_LE(Ring(equal_nodes(1000), Distribution::ketama, Compat::overlord).memory(), 2u << 20);
}

TEST(Ring, Distributions) {
  for (const std::string_view name : distribution_names()) {
    const auto distribution = parse_distribution(name);
    ASSERT_TRUE(distribution) << name;
    EXPECT_EQ(distribution_name(*distribution), name);
  }
  EXPECT_EQ(distribution_names().size(), 3u);
  EXPECT_FALSE(parse_distribution("Ketama"));
  EXPECT_FALSE(parse_distribution(""));
}

TEST(RingName, AliasPortAndSocket) {
  const auto name = [](std::uint16_t port, std::string_view alias, Compat compat) {
    return ring_name("10.0.0.1", port, alias, compat);
  };
  EXPECT_EQ(name(11211, "", Compat::overlord), "10.0.0.1:11211");
  EXPECT_EQ(name(11211, "", Compat::twemproxy), "10.0.0.1");
  for (const Compat compat : kBoth) {
    EXPECT_EQ(name(6379, "", compat), "10.0.0.1:6379");
    EXPECT_EQ(name(11211, "mc1", compat), "mc1");
  }
  EXPECT_EQ(ring_name("/run/mc.sock", 0, "", Compat::overlord), "/run/mc.sock");
  EXPECT_EQ(ring_name("/run/mc.sock", 0, "", Compat::twemproxy), "/run/mc.sock:");
  EXPECT_EQ(ring_name("/run/mc.sock", 0, "mc", Compat::twemproxy), "mc");
}

}  // namespace
}  // namespace overlord::hashing
