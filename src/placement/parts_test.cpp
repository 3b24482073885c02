// The parts that plans are made of: names, ports, spreading, slots, and the checker, which must see every fault.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "placement/check.h"
#include "placement/fleet.h"
#include "placement/plan.h"
#include "placement/ports.h"
#include "placement/random_fleet.h"
#include "placement/slots.h"
#include "placement/spread.h"

namespace overlord::placement {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Names, NumbersCountAsNumbers) {
  EXPECT_TRUE(natural_less("10.0.0.9", "10.0.0.10"));
  EXPECT_FALSE(natural_less("10.0.0.10", "10.0.0.9"));
  EXPECT_TRUE(natural_less("host-2-b", "host-10-a"));
  EXPECT_TRUE(natural_less("host", "host-1"));
  EXPECT_TRUE(natural_less("a007", "a7") != natural_less("a7", "a007"));  // an order, whichever
  EXPECT_FALSE(natural_less("a7", "a7"));
}

std::vector<uint16_t> all(PortWalk walk) {
  std::vector<uint16_t> ports;
  while (const auto port = walk.next()) ports.push_back(*port);
  return ports;
}

TEST(Ports, RangesAreMerged) {
  EXPECT_THAT(merged({{30, 40}, {10, 20}, {21, 22}, {35, 50}, {9, 3}, {0, 0}, {0, 2}}),
              ElementsAre(PortRange{1, 2}, PortRange{10, 22}, PortRange{30, 50}));
}

TEST(Ports, BusPortsAreKeptFree) {
  const std::vector<PortRange> ranges{{0, 1}, {21'000, 21'001}, {31'000, 31'002}, {41'001, 41'001}};
  EXPECT_THAT(all(PortWalk(ranges, {}, true)), ElementsAre(1, 21'000, 21'001, 31'002, 41'001));
  EXPECT_THAT(all(PortWalk(ranges, {21'000, 31'001}, true)), ElementsAre(1, 31'000, 31'002, 41'001));
  EXPECT_THAT(all(PortWalk(ranges, {21'000}, false)), ElementsAre(1, 21'001, 31'000, 31'001, 31'002, 41'001));
}

TEST(Ports, JustEnoughOfThem) {
  std::vector<Host> hosts;
  for (const char* name : {"a", "b", "c"}) {
    hosts.push_back({.name = name, .memory_mib = 1000, .cpu_milli = 1000, .ports = {{0, 2}}});
  }
  EXPECT_TRUE(create(Fleet(hosts), chunk_rules(1, 1), 3));
  const Outcome more = create(Fleet(hosts), chunk_rules(1, 1), 5);
  ASSERT_FALSE(more);
  EXPECT_THAT(more.error().text(), HasSubstr("ports: 6 of 10 are free"));
}

TEST(Ports, NoBusPortBeyondTheLast) {
  const std::vector<PortRange> ranges{{55'534, 65'535}};
  EXPECT_THAT(all(PortWalk(ranges, {}, true)), ElementsAre(55'534, 55'535));
  EXPECT_EQ(all(PortWalk(ranges, {}, false)).size(), 10'002);
  EXPECT_EQ(count_ports(PortWalk(ranges, {}, false), 7), 7);
}

TEST(Fleet, GivesBackWhatItTook) {
  const Host one{.name = "a", .memory_mib = 500, .cpu_milli = 4000, .ports = {{7000, 7009}}, .taken = {7003}};
  Fleet fleet({one});
  const std::vector<Node> nodes{{0, Role::master, "a", 7000}, {1, Role::master, "elsewhere", 7000}};
  fleet.take(nodes, chunk_rules(100, 500));
  EXPECT_EQ(fleet[0].memory_mib, 400);
  EXPECT_EQ(fleet[0].cpu_milli, 3500);
  EXPECT_THAT(fleet[0].taken, ElementsAre(7000, 7003, 17'000));
  fleet.release(nodes, chunk_rules(100, 500));
  EXPECT_EQ(fleet[0], one);
}

TEST(Fleet, AddsOffersOfOneHostUp) {
  const Fleet fleet(
      {{.name = "a", .memory_mib = 100, .cpu_milli = 1000, .ports = {{7000, 7001}}, .taken = {1}},
       {.name = "b", .memory_mib = 7},
       {.name = "a", .rack = "r", .memory_mib = 50, .cpu_milli = 500, .ports = {{7002, 7002}}, .taken = {1}}});
  ASSERT_EQ(fleet.size(), 2);
  const Host sum{.name = "a", .rack = "r", .memory_mib = 150, .cpu_milli = 1500, .ports = {{7000, 7002}}, .taken = {1}};
  EXPECT_EQ(fleet[0], sum);
}

TEST(Spreading, NothingBeyondTheRoomOfRacksAndZones) {
  Field field;
  field.zones = {{.room = 5}, {}};
  field.racks = {{.room = 3}, {.room = 3}, {.room = 4, .zone = 1}};
  for (uint32_t i = 0; i < 6; ++i) {
    field.candidates.push_back({.host = i, .rack = i / 2, .load = 0, .room = i == 5 ? 1U : 9U, .capacity = 9});
  }
  EXPECT_EQ(spread(field, 12), 3);
  std::vector<uint32_t> given;
  for (const Candidate& candidate : field.candidates) given.push_back(candidate.given);
  EXPECT_EQ(given[0] + given[1] + given[2] + given[3], 5);
  EXPECT_EQ(given[4] + given[5], 4);
  EXPECT_EQ(given[5], 1);
}

TEST(Slots, DividedToTheLastOne) {
  EXPECT_THAT(divide_slots(3), ElementsAre(SlotRange{0, 5460}, SlotRange{5461, 10'921}, SlotRange{10'922, 16'383}));
  EXPECT_EQ(divide_slots(16'384).back(), (SlotRange{16'383, 16'383}));
  EXPECT_THAT(divide_slots(0), IsEmpty());
  EXPECT_THAT(divide_slots(16'385), IsEmpty());
}

TEST(Slots, GrowingFromThreeToSixMovesHalfAndNoMore) {
  std::vector<SlotOwner> owners(6);
  const std::vector<SlotRange> ranges = divide_slots(3);
  for (size_t i = 0; i < 3; ++i) owners[i].slots = {ranges[i]};
  uint32_t moved = 0;
  for (const SlotMove& move : balance_slots(owners)) {
    EXPECT_LT(move.from, 3);
    EXPECT_GE(move.to, 3);
    moved += move.slots.size();
  }
  EXPECT_EQ(moved, 8191);  // of 5461, 5461 and 5462 two keep 2731, and the third too
}

TEST(Slots, BalancedByAsFewMovesAsCanBe) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    testing::Random random(seed);
    std::vector<SlotOwner> owners(random.between(1, 12));
    uint32_t next = 0;
    while (next < kMaxMasters) {
      const uint32_t end = std::min(kMaxMasters, next + random.between(1, 3000));
      if (!random.once_in(5)) {
        owners[random.between(0, static_cast<uint32_t>(owners.size()) - 1)].slots.push_back(
            {static_cast<uint16_t>(next), static_cast<uint16_t>(end - 1)});
      }
      next = end;
    }
    uint32_t stay = 0;
    for (SlotOwner& owner : owners) {
      owner.leaving = random.once_in(4);
      stay += !owner.leaving;
    }
    std::vector<size_t> owner_of(kMaxMasters, SIZE_MAX);
    std::vector<uint32_t> before(owners.size());
    for (size_t i = 0; i < owners.size(); ++i) {
      for (const SlotRange range : owners[i].slots) {
        before[i] += range.size();
        for (uint32_t slot = range.first; slot <= range.last; ++slot) owner_of[slot] = i;
      }
    }
    const uint32_t total = std::accumulate(before.begin(), before.end(), 0U);
    std::vector<bool> moved(kMaxMasters);
    for (const SlotMove& move : balance_slots(owners)) {
      for (uint32_t slot = move.slots.first; slot <= move.slots.last; ++slot) {
        ASSERT_EQ(owner_of[slot], move.from) << "seed " << seed;
        ASSERT_FALSE(moved[slot]) << "seed " << seed;
        owner_of[slot] = move.to;
        moved[slot] = true;
      }
    }
    if (stay == 0) continue;
    std::vector<uint32_t> after(owners.size());
    for (const size_t owner : owner_of) {
      if (owner != SIZE_MAX) ++after[owner];
    }
    uint32_t least = 0;  // that must move: what is above the even share
    uint32_t odd = total % stay;
    for (size_t i = 0; i < owners.size(); ++i) {
      if (owners[i].leaving) {
        ASSERT_EQ(after[i], 0) << "seed " << seed;
        least += before[i];
        continue;
      }
      ASSERT_TRUE(after[i] == total / stay || after[i] == total / stay + 1) << "seed " << seed;
      if (before[i] <= total / stay) continue;
      const uint32_t keeps_odd = odd > 0 ? 1 : 0;
      odd -= keeps_odd;
      least += before[i] - total / stay - keeps_odd;
    }
    ASSERT_EQ(std::ranges::count(moved, true), least) << "seed " << seed;
  }
}

// A good plan, then each fault put into it: the checker must name it.
class Checking : public ::testing::Test {
 protected:
  Checking() {
    for (int i = 1; i <= 4; ++i) {
      hosts_.push_back({.name = "h" + std::to_string(i),
                        .rack = "r" + std::to_string(i),
                        .memory_mib = 200,
                        .cpu_milli = 2000,
                        .ports = {{7000, 7009}},
                        .taken = {7005}});
    }
    rules_.rack = Spread::require;
    plan_ = *create(Fleet(hosts_), rules_, 4);
  }
  std::vector<std::string> faults() const { return check(hosts_, rules_, before_, plan_); }
  Node& node(size_t i) { return plan_.after.nodes[i]; }

  std::vector<Host> hosts_;
  Rules rules_ = chunk_rules(100, 1000);
  Layout before_;
  Plan plan_;
};

TEST_F(Checking, AGoodPlan) { EXPECT_THAT(faults(), IsEmpty()); }

TEST_F(Checking, MasterAndReplicaOnOneHost) {
  node(1).shard = node(0).shard;
  EXPECT_THAT(faults(), Contains(HasSubstr("has two nodes in host h1")));
  EXPECT_THAT(faults(), Contains(HasSubstr("has two nodes in rack /r1")));
  EXPECT_THAT(faults(), Contains(HasSubstr("has 1 masters and 2 replicas")));
}

TEST_F(Checking, HalfOnOneHost) {
  node(2).host = node(3).host = "h1";
  node(2).port = 7007;
  node(3).port = 7008;
  EXPECT_THAT(faults(), Contains("host h1 holds 4 of 8 nodes"));
  EXPECT_THAT(faults(), Contains("host h1 holds 2 of 4 masters"));
  EXPECT_THAT(faults(), Contains("rack /r1 holds 4 of 8 nodes"));
  EXPECT_THAT(faults(), Contains("h1:7008 has no memory"));
  EXPECT_THAT(faults(), Contains("h1:7008 has no cpu"));
}

TEST_F(Checking, Ports) {
  node(0).port = node(1).port;
  EXPECT_THAT(faults(), Contains("h1:7001 is in use twice"));
  node(0).port = 7005;
  EXPECT_THAT(faults(), Contains(HasSubstr("something listens on")));
  node(0).port = 7010;
  EXPECT_THAT(faults(), Contains(HasSubstr("was not offered")));
  node(0).port = static_cast<uint16_t>(node(1).port + kBusOffset);
  EXPECT_THAT(faults(), Contains("the bus port of h1:7001 is in use twice"));
  node(0).port = 60'000;
  EXPECT_THAT(faults(), Contains("h1:60000 has no bus port"));
}

TEST_F(Checking, HostsThatTakeNothing) {
  hosts_[0].draining = true;
  EXPECT_THAT(faults(), Contains("h1:7000 is on a host that takes no nodes"));
  hosts_[0].draining = false;
  hosts_[0].rack.clear();
  EXPECT_THAT(faults(), Contains("h1:7000 is on a host that takes no nodes"));
  EXPECT_THAT(check(hosts_, rules_, before_, plan_, "another group"), Contains(HasSubstr("takes no nodes")));
}

TEST_F(Checking, WhatRanIsGoneOrElsewhere) {
  before_ = plan_.after;
  plan_.added.clear();
  EXPECT_THAT(faults(), IsEmpty());
  node(0).port = 7002;
  EXPECT_THAT(faults(), Contains("h1:7002 is neither new nor as it was"));
  EXPECT_THAT(faults(), Contains("8 nodes ran, 7 stay and 0 go"));
  plan_.removed.push_back({9, Role::master, "h9", 7000});
  EXPECT_THAT(faults(), Contains("h9:7000 goes but did not run"));
}

}  // namespace
}  // namespace overlord::placement
