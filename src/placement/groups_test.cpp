// Forming shards from what hosts were given, with as little slack as there can be.

#include "placement/groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "placement/random_fleet.h"

namespace overlord::placement {
namespace {

using testing::Random;

struct Given {
  std::vector<Host> hosts;
  Rules rules;
  std::vector<Supply> supplies;
  uint32_t groups;
  uint32_t size;
};

// Masters and replicas dealt out at random, domains filled up to the limit as often as not.
Given deal(Random& random, bool chunks) {
  Given given;
  given.groups = random.between(1, 12);
  given.size = chunks ? 2 : random.between(2, 3);
  const Spread racks[] = {Spread::ignore, Spread::prefer, Spread::require};
  given.rules = {.memory_mib = 1, .replicas = given.size - 1};
  given.rules.rack = racks[random.between(0, 2)];
  const uint32_t count = random.between(given.size, 8);
  for (uint32_t i = 0; i < count; ++i) {
    // As many racks as needed at least, numbered so that neighbours share a zone.
    Host host{.name = "h" + std::to_string(i), .rack = "r" + std::to_string(i % std::max(given.size, count / 2))};
    if (random.once_in(2)) host.zone = "z";
    given.hosts.push_back(std::move(host));
    given.supplies.push_back({i, 0, 0});
  }
  const Fleet fleet(given.hosts);
  const Board board(fleet, given.rules, {}, 0, 0);
  std::map<uint32_t, uint32_t> dealt;
  const auto give = [&](uint32_t Supply::* what, uint32_t nodes) {
    uint32_t host = 0;
    while (nodes > 0) {
      // Now and then all of one host at once, so that some are due from the start.
      host = random.once_in(3) ? random.between(0, count - 1) : (host + 1) % count;
      uint32_t& there = dealt[board.domain(board.apart(), host)];
      const uint32_t most = std::min(nodes, given.groups - there);
      const uint32_t part = random.once_in(2) ? most : std::min(most, 1U);
      given.supplies[host].*what += part;
      there += part;
      nodes -= part;
    }
  };
  give(&Supply::masters, chunks ? given.groups * 2 : given.groups);
  if (!chunks) give(&Supply::replicas, given.groups * (given.size - 1));
  return given;
}

void expect_formed(const Given& given, bool chunks, uint64_t seed) {
  const Fleet fleet(given.hosts);
  const Board board(fleet, given.rules, {}, 0, 0);
  Links links;
  const std::vector<Group> groups = form_groups(board, links, given.supplies, given.groups, given.size, chunks);
  ASSERT_EQ(groups.size(), given.groups) << "seed " << seed;
  std::vector<Supply> left = given.supplies;
  for (const Group& group : groups) {
    std::set<uint32_t> domains;
    for (uint32_t i = 0; i < given.size; ++i) {
      uint32_t& stock = i == 0 || chunks ? left[group[i]].masters : left[group[i]].replicas;
      ASSERT_GT(stock, 0) << "seed " << seed;
      --stock;
      domains.insert(board.domain(board.apart(), group[i]));
    }
    ASSERT_EQ(domains.size(), given.size) << "seed " << seed;
  }
}

TEST(Groups, WhateverIsGivenIsUsedUp) {
  for (uint64_t seed = 1; seed <= 4000; ++seed) {
    Random random(seed);
    const bool chunks = random.once_in(3);
    const Given given = deal(random, chunks);
    expect_formed(given, chunks, seed);
    if (HasFatalFailure()) return;
  }
}

TEST(Groups, LinksAreSpread) {
  std::vector<Host> hosts;
  std::vector<Supply> supplies;
  for (uint32_t i = 0; i < 5; ++i) {
    hosts.push_back({.name = "h" + std::to_string(i)});
    supplies.push_back({i, 4, 0});  // four pairs each, and four other hosts
  }
  const Fleet fleet(hosts);
  const Rules rules;
  const Board board(fleet, rules, {}, 0, 0);
  Links links;
  std::map<std::set<uint32_t>, uint32_t> shared;
  for (const Group& group : form_groups(board, links, supplies, 10, 2, true)) ++shared[{group[0], group[1]}];
  EXPECT_EQ(shared.size(), 10) << "each two hosts share one chunk";
}

}  // namespace
}  // namespace overlord::placement
