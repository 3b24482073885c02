// Whatever the fleet and whatever is asked: a plan keeps every rule (src/placement/check.h knows them on its own), what
// runs stays, the order of the hosts makes no difference, and what is refused could not have been placed.
//
// OVERLORD_FLEETS: how many fleets (1000 unless set; `OVERLORD_FLEETS=100000` is the long run). OVERLORD_SEED: the first.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "placement/check.h"
#include "placement/explain.h"
#include "placement/plan.h"
#include "placement/random_fleet.h"

namespace overlord::placement {
namespace {

using testing::Random;

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

uint64_t fleets() { return setting("OVERLORD_FLEETS", 1000); }
uint64_t first_seed() { return setting("OVERLORD_SEED", 1); }

using Faults = std::vector<std::string>;

std::set<std::string> hosts_in_use(const Layout& layout) {
  std::set<std::string> names;
  for (const Node& node : layout.nodes) names.insert(node.host);
  return names;
}

// One cluster's life on one fleet, each change checked.
class History {
 public:
  explicit History(uint64_t seed) : random_(seed), rules_(testing::random_rules(random_)) {
    hosts_ = testing::random_hosts(random_, rules_, random_.once_in(10) ? 60 : 9);
  }

  void live() {
    if (!step(create(Fleet(hosts_), rules_, masters()))) return;
    for (uint32_t steps = random_.between(1, 5); steps > 0; --steps) {
      const Fleet fleet = what_is_free();
      switch (random_.between(1, 4)) {
        case 1: step(append(fleet, rules_, running_, masters())); break;
        case 2: step(shrink(fleet, rules_, running_, random_.between(1, count_masters()))); break;
        case 3: leave(fleet); break;
        default: move_one(fleet); break;
      }
      if (::testing::Test::HasFailure()) return;
    }
  }

  std::string shown() const { return testing::shown(hosts_, rules_); }
  uint64_t plans() const { return plans_; }
  uint64_t refusals() const { return refusals_; }

 private:
  uint32_t masters() { return random_.once_in(3) ? random_.between(1, 20) : random_.between(2, 8); }
  uint32_t count_masters() const {
    return static_cast<uint32_t>(std::ranges::count(running_.nodes, Role::master, &Node::role));
  }

  Fleet what_is_free() const {
    std::vector<Host> hosts(hosts_.rbegin(), hosts_.rend());
    Fleet fleet(std::move(hosts));
    fleet.take(running_.nodes, rules_);
    return fleet;
  }

  void leave(const Fleet& fleet) {
    const std::set<std::string> used = hosts_in_use(running_);
    std::vector<std::string> names(used.begin(), used.end());
    const std::string& host = names[random_.between(0, static_cast<uint32_t>(names.size()) - 1)];
    const bool lost = random_.once_in(2);
    const Outcome outcome = vacate(fleet, rules_, running_, std::vector{host});
    if (!step(outcome)) return;
    EXPECT_FALSE(hosts_in_use(running_).contains(host));
    if (lost) std::erase_if(hosts_, [&](const Host& each) { return each.name == host; });
  }

  void move_one(const Fleet& fleet) {
    const std::vector<size_t> nodes{random_.between(0, static_cast<uint32_t>(running_.nodes.size()) - 1)};
    step(replace(fleet, rules_, running_, nodes, std::vector{running_.nodes[nodes[0]].host}));
  }

  bool step(const Outcome& outcome) {
    if (!outcome) {
      ++refusals_;
      EXPECT_FALSE(outcome.error().reasons.empty());
      return false;
    }
    ++plans_;
    const Fleet fleet = what_is_free();
    EXPECT_EQ(check({fleet.hosts().begin(), fleet.hosts().end()}, rules_, running_, *outcome), Faults{});
    EXPECT_EQ(outcome->notes, Faults{});
    EXPECT_EQ(explain(fleet, rules_, running_, *outcome).nodes.size(), outcome->added.size());
    running_ = outcome->after;
    return true;
  }

  Random random_;
  Rules rules_;
  std::vector<Host> hosts_;
  Layout running_;
  uint64_t plans_ = 0;
  uint64_t refusals_ = 0;
};

TEST(Properties, EveryPlanKeepsEveryRule) {
  uint64_t plans = 0;
  uint64_t refusals = 0;
  for (uint64_t seed = first_seed(); seed < first_seed() + fleets(); ++seed) {
    History history(seed);
    history.live();
    plans += history.plans();
    refusals += history.refusals();
    if (HasFailure()) FAIL() << "OVERLORD_SEED=" << seed << "\n" << history.shown();
  }
  // Neither is rare, or this test would say little.
  EXPECT_GT(plans, fleets());
  EXPECT_GT(refusals, fleets() / 5);
  RecordProperty("plans", std::to_string(plans));
  RecordProperty("refusals", std::to_string(refusals));
}

TEST(Properties, TheOrderOfHostsMakesNoDifference) {
  for (uint64_t seed = first_seed(); seed < first_seed() + fleets() / 4; ++seed) {
    Random random(seed);
    const Rules rules = testing::random_rules(random);
    std::vector<Host> hosts = testing::random_hosts(random, rules, 9);
    const uint32_t masters = random.between(2, 10);
    const Outcome one = create(Fleet(hosts), rules, masters);
    std::ranges::shuffle(hosts, std::mt19937_64(seed));
    const Outcome other = create(Fleet(hosts), rules, masters);
    ASSERT_EQ(one.has_value(), other.has_value()) << "OVERLORD_SEED=" << seed;
    if (!one) continue;
    ASSERT_EQ(one->after, other->after) << "OVERLORD_SEED=" << seed << "\n" << testing::shown(hosts, rules);
  }
}

// Tries all placements, of few nodes on few hosts. Ports are not scarce here, so that a count is all there is to try.
class Exhaustive {
 public:
  Exhaustive(const std::vector<Host>& hosts, const Rules& rules) : hosts_(hosts), rules_(rules) {}

  bool can_create(uint32_t masters) {
    std::vector<Node> empty;
    for (uint32_t shard = 0; shard < masters; ++shard) {
      for (uint32_t i = 0; i <= rules_.replicas; ++i)
        empty.push_back({shard, i == 0 ? Role::master : Role::replica, "", 0});
    }
    return fill({std::move(empty)});
  }

  bool can_replace(const Layout& running, const std::string& host) {
    Layout layout = running;
    for (Node& node : layout.nodes) {
      if (node.host == host) node.host.clear();
    }
    gone_ = host;
    return fill(std::move(layout));
  }

 private:
  // Gives the first node without a host each host that has room for it.
  bool fill(Layout layout) {
    const auto next = std::ranges::find(layout.nodes, "", &Node::host);
    if (next == layout.nodes.end()) return check_layout(hosts_, rules_, layout).empty();
    for (Host& host : hosts_) {
      if (host.draining || host.name == gone_) continue;
      if (rules_.rack == Spread::require && host.rack.empty()) continue;
      if (rules_.zone == Spread::require && host.zone.empty()) continue;
      if (host.memory_mib < rules_.memory_mib || host.cpu_milli < rules_.cpu_milli) continue;
      host.memory_mib -= rules_.memory_mib;
      host.cpu_milli -= rules_.cpu_milli;
      next->host = host.name;
      next->port = ++port_;
      const bool found = fill(layout);
      host.memory_mib += rules_.memory_mib;
      host.cpu_milli += rules_.cpu_milli;
      if (found) return true;
    }
    return false;
  }

  std::vector<Host> hosts_;
  Rules rules_;
  std::string gone_;
  uint16_t port_ = 0;
};

struct Small {
  Rules rules;
  std::vector<Host> hosts;
  uint32_t masters;
};

Small small(uint64_t seed) {
  Random random(seed);
  Small made;
  made.rules = testing::random_rules(random);
  made.rules.bus_port = false;
  made.masters = made.rules.replicas == 0 ? random.between(2, 6) : made.rules.replicas == 1 ? random.between(2, 4) : 3;
  const uint32_t count = random.between(2, made.rules.replicas == 2 ? 4 : 5);
  for (uint32_t i = 1; i <= count; ++i) {
    Host host{.name = "h" + std::to_string(i), .zone = "z" + std::to_string(random.between(1, 3))};
    host.rack = "r" + std::to_string(random.between(1, 3));
    host.memory_mib = random.between(0, 4) * made.rules.memory_mib;
    host.cpu_milli = random.between(1, 6) * made.rules.cpu_milli;
    host.ports = {{7000, 7100}};
    made.hosts.push_back(std::move(host));
  }
  return made;
}

TEST(Properties, ARefusedClusterCannotBePlacedAtAll) {
  uint64_t refused = 0;
  for (uint64_t seed = first_seed(); seed < first_seed() + fleets() / 4; ++seed) {
    const Small given = small(seed);
    const Outcome outcome = create(Fleet(given.hosts), given.rules, given.masters);
    if (outcome) continue;
    ++refused;
    ASSERT_FALSE(Exhaustive(given.hosts, given.rules).can_create(given.masters))
        << "OVERLORD_SEED=" << seed << " masters " << given.masters << "\n"
        << testing::shown(given.hosts, given.rules) << outcome.error().text();
  }
  EXPECT_GT(refused, fleets() / 20);
}

TEST(Properties, AHostThatCannotBeReplacedCannotBeReplacedAtAll) {
  uint64_t refused = 0;
  for (uint64_t seed = first_seed(); seed < first_seed() + fleets() * 5; ++seed) {
    const Small given = small(seed);
    const Outcome made = create(Fleet(given.hosts), given.rules, given.masters);
    if (!made) continue;
    Fleet free(given.hosts);
    free.take(made->after.nodes, given.rules);
    const std::string host = made->after.nodes.front().host;
    const Outcome outcome = recover(free, given.rules, made->after, std::vector{host});
    if (outcome) continue;
    ++refused;
    ASSERT_FALSE(Exhaustive({free.hosts().begin(), free.hosts().end()}, given.rules).can_replace(made->after, host))
        << "OVERLORD_SEED=" << seed << " masters " << given.masters << " lost " << host << "\n"
        << testing::shown(given.hosts, given.rules) << outcome.error().text();
  }
  EXPECT_GT(refused, fleets() / 8);
}

}  // namespace
}  // namespace overlord::placement
