// What the Go program placed: tests/data/placement-vectors.json. Where it was right, ours is the same; where it was not,
// the vector stands in kDiffer, and what is right there is in docs/placement.md.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "placement/check.h"
#include "placement/plan.h"
#include "placement/slots.h"

namespace overlord::placement {
namespace {

using nlohmann::json;

// Vectors whose answer is not ours, with ours: whether there is a placement, and how many nodes its hosts then have.
struct Differs {
  bool placed;
  std::vector<uint32_t> nodes_per_host;  // descending; empty: not looked at
};
const std::map<std::string, Differs>& differ() {
  static const std::map<std::string, Differs> table = {
      // The largest hosts are preferred among equals.
      {"create_unequal_2_4_6_20", {true, {4, 4, 2, 2}}},
      {"dist_unequal", {true, {3, 3, 2, 2}}},
      // Room for odd numbers of nodes is used, odd numbers of masters are placed.
      {"create_odd_capacity_short", {true, {3, 3, 2, 2, 2}}},
      {"dist_odd_capacity", {true, {3, 3, 2, 2}}},
      {"err_odd_masters", {true, {3, 3, 2, 2}}},
      {"append_odd", {true, {1, 1, 1, 1, 1, 1}}},
      // Bus ports are kept free.
      {"create_port_ranges", {true, {4, 4, 4}}},
      {"create_bus_port_collision", {true, {4, 4, 4}}},
      // No cpu is a request like others.
      {"cpu_zero", {true, {2, 2, 2, 2}}},
      // Offers of one host are one host.
      {"dup_offer_same_host", {true, {4, 4, 4, 4}}},
      // The hosts of what runs count as hosts too.
      {"append_2_hosts_only", {true, {2, 2}}},
      // It ends.
      {"append_one_empty_host", {true, {2, 2}}},
      // Every node that was lost is replaced, whoever offers.
      {"recover_shared_peer", {true, {8, 8, 4, 2, 2}}},
      {"recover_peer_not_offered", {true, {2, 2, 2, 2, 2, 2}}},
      {"recover_real_4h_8m_cap16_lost4", {true, {6, 6, 4}}},
      // Less than half is compared with the half, not with the half rounded down.
      {"dist_3hosts_7", {true, {3, 2, 2}}},
      {"dist_err_10hosts_3", {true, {1, 1, 1}}},
      {"dist_err_4hosts_5", {true, {2, 1, 1, 1}}},
      // The least loaded host is next, also among hosts that are in use.
      {"dist_append_more_than_new", {true, {2, 2, 1}}},
      {"dist_append_real_no_spare", {true, {1}}},
      // What does not fit, or is nothing, is refused.
      {"dist_append_single_new_host_no_capacity", {false, {}}},
      {"dist_append_num0", {false, {}}},
      {"dist_append_empty_dist", {false, {}}},
  };
  return table;
}

const json& vectors() {
  static const json loaded = json::parse(std::ifstream(OVERLORD_SOURCE_DIR "/tests/data/placement-vectors.json"));
  return loaded;
}

std::vector<Host> hosts_of(const json& input) {
  std::vector<Host> hosts;
  for (const json& offer : input.at("offers")) {
    Host host{.name = offer.at("host")};
    host.memory_mib = static_cast<uint64_t>(offer.at("mem").get<double>());
    host.cpu_milli = static_cast<uint64_t>(std::lround(offer.at("cpus").get<double>() * 1000));
    for (const json& range : offer.at("ports")) host.ports.push_back({range[0], range[1]});
    hosts.push_back(std::move(host));
  }
  return hosts;
}

Layout running_of(const json& input) {
  Layout running;
  uint32_t shard = 0;
  for (const json& chunk : input.value("existing_chunks", json::array())) {
    const uint32_t shards[] = {shard, shard + 1, shard + 1, shard};
    for (size_t i = 0; i < chunk.size(); ++i) {
      const Role role = chunk[i].at("role") == "master" ? Role::master : Role::replica;
      running.nodes.push_back({shards[i], role, chunk[i].at("host"), chunk[i].at("port")});
    }
    shard += 2;
  }
  if (input.contains("existing_dist") && !input.at("existing_dist").is_null()) {
    for (const json& node : input.at("existing_dist")) {
      running.nodes.push_back({shard++, Role::master, node.at("ip"), node.at("port")});
    }
  }
  return running;
}

Outcome answer(const json& input, const std::vector<Host>& hosts, const Rules& rules, const Layout& running) {
  const std::string op = input.at("op");
  const Fleet fleet(hosts);
  if (op == "recover") return recover(fleet, rules, running, std::vector<std::string>{input.at("failed_host")});
  return append(fleet, rules, running, input.contains("masters") ? input.at("masters") : input.at("num"));
}

std::map<std::string, uint32_t> per_host(const std::vector<Node>& nodes) {
  std::map<std::string, uint32_t> counts;
  for (const Node& node : nodes) ++counts[node.host];
  return counts;
}

// How many chunks hosts share: half of how many shards.
std::map<std::string, uint32_t> links(const std::vector<Node>& nodes) {
  std::map<uint32_t, std::set<std::string>> shards;
  for (const Node& node : nodes) shards[node.shard].insert(node.host);
  std::map<std::string, uint32_t> found;
  for (const auto& [shard, hosts] : shards) ++found[*hosts.begin() + "|" + *hosts.rbegin()];
  for (auto& [pair, count] : found) count /= 2;
  return found;
}

std::vector<std::vector<std::string>> chunks(const Layout& layout) {
  std::vector<std::vector<std::string>> found;
  for (size_t i = 0; i < layout.nodes.size(); ++i) {
    const Node& node = layout.nodes[i];
    if (i % 4 == 0) found.emplace_back();
    found.back().push_back(node.host + ":" + std::to_string(node.port) +
                           (node.role == Role::master ? "/master" : "/slave"));
  }
  return found;
}

// New nodes where chunks or nodes were added, all of them where some were replaced: what the summary is about.
std::vector<Node> summarized(const std::string& op, const Plan& plan) {
  if (op == "recover") return plan.after.nodes;
  std::vector<Node> nodes;
  for (const size_t i : plan.added) nodes.push_back(plan.after.nodes[i]);
  return nodes;
}

void expect_same(const json& input, const json& output, const Plan& plan) {
  const std::string op = input.at("op");
  const std::vector<Node> nodes = summarized(op, plan);
  if (op == "dist") {
    std::vector<std::string> addresses;
    for (const Node& node : nodes) addresses.push_back(node.host + ":" + std::to_string(node.port));
    EXPECT_EQ(json(addresses), output.at("dist"));
  } else if (op == "dist_append") {
    EXPECT_EQ(json(per_host(nodes)), output.at("per_host"));
  } else {
    EXPECT_EQ(json(per_host(nodes)), output.at("summary").at("nodes_per_host"));
    EXPECT_EQ(json(links(nodes)), output.at("summary").at("links"));
    if (op == "chunks" && output.contains("chunks")) {
      EXPECT_EQ(json(chunks(plan.after)), output.at("chunks"));
    }
  }
}

TEST(Vectors, Placements) {
  std::set<std::string> unused;
  for (const auto& [name, differs] : differ()) unused.insert(name);
  for (const json& vector : vectors().at("vectors")) {
    const std::string name = vector.at("name");
    SCOPED_TRACE(name + ": " + vector.at("note").get<std::string>());
    const json& input = vector.at("input");
    const json& output = vector.at("output");
    const std::string op = input.at("op");
    const std::vector<Host> hosts = hosts_of(input);
    Rules rules = op.starts_with("dist") ? dist_rules(0, 0) : chunk_rules(0, 0);
    rules.memory_mib = static_cast<uint64_t>(input.at("node_mem").get<double>());
    rules.cpu_milli = static_cast<uint64_t>(std::lround(input.at("node_cpu").get<double>() * 1000));
    const Layout running = running_of(input);
    const Outcome ours = answer(input, hosts, rules, running);
    if (ours) {
      EXPECT_EQ(check(hosts, rules, running, *ours), std::vector<std::string>{});
    } else {
      EXPECT_FALSE(ours.error().reasons.empty());
    }

    const auto other = differ().find(name);
    if (other == differ().end()) {
      const bool placed = output.at("result") == "ok";
      EXPECT_EQ(ours.has_value(), placed) << (ours ? "" : ours.error().text());
      if (ours && placed) expect_same(input, output, *ours);
      continue;
    }
    unused.erase(name);
    EXPECT_EQ(ours.has_value(), other->second.placed) << (ours ? "" : ours.error().text());
    if (!ours || other->second.nodes_per_host.empty()) continue;
    std::vector<uint32_t> counts;
    for (const auto& [host, count] : per_host(summarized(op, *ours))) counts.push_back(count);
    std::ranges::sort(counts, std::greater<>());
    EXPECT_EQ(counts, other->second.nodes_per_host);
  }
  EXPECT_EQ(unused, std::set<std::string>{}) << "in the table but not among the vectors";
}

std::vector<Host> equal_hosts(uint32_t count) {
  std::vector<Host> hosts;
  for (uint32_t i = 1; i <= count; ++i) {
    hosts.push_back(
        {.name = "10.0.0." + std::to_string(i), .memory_mib = 100'000, .cpu_milli = 100'000, .ports = {{7000, 8000}}});
  }
  return hosts;
}

TEST(Vectors, FeasibleChunks) {
  const json& table = vectors().at("feasibility").at("chunks");
  for (const auto& [hosts, row] : table.at("rows_hosts").items()) {
    for (size_t i = 0; i < row.size(); ++i) {
      const uint32_t masters = table.at("columns_masters")[i];
      const std::vector<Host> offered = equal_hosts(static_cast<uint32_t>(std::stoul(hosts)));
      const Outcome ours = create(Fleet(offered), chunk_rules(100, 1000), masters);
      EXPECT_EQ(ours.has_value(), row[i] == 1) << hosts << " hosts, " << masters << " masters";
      if (!ours) continue;
      EXPECT_EQ(check(offered, chunk_rules(100, 1000), {}, *ours), std::vector<std::string>{});
    }
  }
}

// The Go program compares with the half rounded down, so it refuses odd numbers that keep the rule: 2 of 5 are no half.
TEST(Vectors, FeasibleSingles) {
  const json& table = vectors().at("feasibility").at("dist");
  for (const auto& [hosts, row] : table.at("rows_hosts").items()) {
    const auto count = static_cast<uint32_t>(std::stoul(hosts));
    for (size_t i = 0; i < row.size(); ++i) {
      const uint32_t nodes = table.at("columns_num")[i];
      const bool keeps_rule = (nodes + count - 1) / count * 2 < nodes;
      const Outcome ours = create(Fleet(equal_hosts(count)), dist_rules(100, 1000), nodes);
      EXPECT_EQ(ours.has_value(), keeps_rule) << hosts << " hosts, " << nodes << " nodes";
      const bool original = row[i] == 1;
      EXPECT_TRUE(original == keeps_rule || (!original && nodes % 2 == 1)) << hosts << " hosts, " << nodes << " nodes";
    }
  }
}

// There each master got one slot too many, until none were left: with 130 masters some had none.
TEST(Vectors, SlotsAreDividedEvenlyWhereTheOriginalWasNot) {
  for (const json& original : vectors().at("slot_division").at("cases")) {
    const uint32_t masters = original.at("masters");
    const std::vector<SlotRange> ours = divide_slots(masters);
    ASSERT_EQ(ours.size(), masters);
    uint32_t next = 0;
    for (const SlotRange range : ours) {
      EXPECT_EQ(range.first, next);
      EXPECT_TRUE(range.size() == kMaxMasters / masters || range.size() == kMaxMasters / masters + 1);
      next = range.last + 1U;
    }
    EXPECT_EQ(next, kMaxMasters);
    EXPECT_LT(original.at("min_slots").get<uint32_t>(), kMaxMasters / masters);
  }
}

}  // namespace
}  // namespace overlord::placement
