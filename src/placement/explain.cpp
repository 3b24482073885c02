#include "placement/explain.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "placement/board.h"
#include "placement/refuse.h"

namespace overlord::placement {

namespace {

std::string_view role_name(Role role) { return role == Role::master ? "master" : "replica"; }

std::string shown(const Node& node) { return node.host + ":" + std::to_string(node.port); }

// "4 on each of 3 hosts", "3 on 1 host, 2 on 2 hosts".
std::string distribution(const Layout& layout) {
  std::map<std::string_view, uint32_t> nodes;
  for (const Node& node : layout.nodes) ++nodes[node.host];
  std::map<uint32_t, uint32_t, std::greater<>> hosts;
  for (const auto& [host, count] : nodes) ++hosts[count];
  std::string text;
  for (const auto& [count, number] : hosts) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " on " + (number > 1 ? "each of " : "") +
            counted(number, "host");
  }
  return text;
}

// Which labels tell the host from those of the other nodes of the shard.
std::string apartness(const Fleet& fleet, size_t host, const std::vector<size_t>& others) {
  const auto differs = [&](auto label) {
    return std::ranges::none_of(others, [&](size_t other) { return label(other) == label(host); });
  };
  const Host& here = fleet[host];
  if (!here.zone.empty() && differs([&](size_t i) { return fleet.zone(i); })) return ", another zone";
  if (!here.rack.empty() && differs([&](size_t i) { return fleet.rack(i); })) return ", another rack";
  return "";
}

class Explainer {
 public:
  Explainer(const Fleet& fleet, const Rules& rules, const Layout& before, const Plan& plan)
      : fleet_(fleet), rules_(rules), plan_(plan), before_(fleet, rules, before, 0, 0) {
    for (size_t i = 0; i < plan.after.nodes.size(); ++i) shards_[plan.after.nodes[i].shard].push_back(i);
  }

  std::string node(size_t added) const {
    const Node& node = plan_.after.nodes[plan_.added[added]];
    std::string text = shown(node);
    if (rules_.replicas > 0)
      text += ", " + std::string(role_name(node.role)) + " of shard " + std::to_string(node.shard);
    if (!plan_.removed.empty()) text += ", in place of " + shown(plan_.removed[added]);
    const auto host = fleet_.find(node.host);
    if (!host) return text;
    const auto index = static_cast<uint32_t>(*host);
    const uint32_t there = before_.count(Level::host, index).nodes;
    text += ": the host had " + (there == 0 ? "no node" : counted(there, "node")) +
            " of this cluster and memory and cpus for " + std::to_string(before_.resources(index, kMaxNodes));
    if (!fleet_[index].zone.empty()) text += ", zone " + fleet_[index].zone;
    if (!fleet_[index].rack.empty()) text += ", rack " + fleet_[index].rack;
    return text + company(plan_.added[added], index);
  }

 private:
  std::string company(size_t node, size_t host) const {
    std::string text;
    std::vector<size_t> others;
    for (const size_t other : shards_.at(plan_.after.nodes[node].shard)) {
      if (other == node) continue;
      const Node& kin = plan_.after.nodes[other];
      text += (text.empty() ? "; apart from the " : " and the ") + std::string(role_name(kin.role)) + " on " + kin.host;
      if (const auto at = fleet_.find(kin.host)) others.push_back(*at);
    }
    return others.empty() ? text : text + apartness(fleet_, host, others);
  }

  const Fleet& fleet_;
  const Rules& rules_;
  const Plan& plan_;
  Board before_;
  std::unordered_map<uint32_t, std::vector<size_t>> shards_;
};

}  // namespace

Explanation explain(const Fleet& fleet, const Rules& rules, const Layout& before, const Plan& plan) {
  Explanation result;
  const Layout& after = plan.after;
  const auto masters = static_cast<uint32_t>(std::ranges::count(after.nodes, Role::master, &Node::role));
  result.summary.push_back(counted(plan.added.size(), "new node") + ", " + counted(plan.removed.size(), "node") +
                           " less, " + counted(after.nodes.size(), "node") + " in all: " + distribution(after));
  const Board board(fleet, rules, after, static_cast<uint32_t>(after.nodes.size()), masters);
  for (const Level level : {Level::host, Level::rack, Level::zone}) {
    if (!board.limited(level)) continue;
    const Board::Count limit = board.limit(level);
    const std::string name = level == Level::host ? "host" : level == Level::rack ? "rack" : "zone";
    result.summary.push_back("at most " + counted(limit.nodes, "node") + " and " + counted(limit.masters, "master") +
                             " on one " + name + ", so that its loss leaves more than half");
  }
  if (!rules.survives_host_loss) {
    result.summary.emplace_back("not fault tolerant: one host may hold half of the cluster or all of it");
  }
  if (plan.whole_chunks) result.summary.emplace_back("in chunks: as many masters as replicas on each host");
  uint32_t out = 0;
  for (uint32_t host = 0; host < fleet.size(); ++host) out += !board.usable(host);
  if (out > 0 || fleet.other_groups() > 0) {
    result.summary.push_back(counted(out, "host") + " draining or without required labels, " +
                             std::to_string(fleet.other_groups()) + " of other groups: not looked at");
  }
  for (const std::string& note : plan.notes) result.summary.push_back(note);

  const Explainer explainer(fleet, rules, before, plan);
  for (size_t i = 0; i < plan.added.size(); ++i) result.nodes.push_back(explainer.node(i));
  return result;
}

}  // namespace overlord::placement
