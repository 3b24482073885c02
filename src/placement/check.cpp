#include "placement/check.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace overlord::placement {

namespace {

using Address = std::pair<std::string, uint16_t>;

std::string shown(const Node& node) { return node.host + ":" + std::to_string(node.port); }

struct Labels {
  std::string zone;
  std::string rack;
};

std::map<std::string, Labels> labels_of(const std::vector<Host>& hosts) {
  std::map<std::string, Labels> labels;
  for (const Host& host : hosts) labels[host.name] = {host.zone, host.rack};
  return labels;
}

// Halves of the nodes and of the masters, over whatever `place` says a node is in; "" is no place.
template <typename Place>
void check_half(const Layout& layout, const std::string& what, Place place, std::vector<std::string>& faults) {
  std::map<std::string, size_t> nodes;
  std::map<std::string, size_t> masters;
  size_t all_masters = 0;
  for (const Node& node : layout.nodes) {
    if (node.role == Role::master) ++all_masters;
    const std::string at = place(node);
    if (at.empty()) continue;
    ++nodes[at];
    if (node.role == Role::master) ++masters[at];
  }
  for (const auto& [at, count] : nodes) {
    if (count * 2 >= layout.nodes.size()) {
      faults.push_back(what + " " + at + " holds " + std::to_string(count) + " of " +
                       std::to_string(layout.nodes.size()) + " nodes");
    }
  }
  for (const auto& [at, count] : masters) {
    if (count * 2 >= all_masters) {
      faults.push_back(what + " " + at + " holds " + std::to_string(count) + " of " + std::to_string(all_masters) +
                       " masters");
    }
  }
}

template <typename Place>
void check_apart(const Layout& layout, const std::string& what, Place place, std::vector<std::string>& faults) {
  std::set<std::pair<uint32_t, std::string>> seen;
  for (const Node& node : layout.nodes) {
    const std::string at = place(node);
    if (!at.empty() && !seen.emplace(node.shard, at).second) {
      faults.push_back("shard " + std::to_string(node.shard) + " has two nodes in " + what + " " + at);
    }
  }
}

void check_shards(const Rules& rules, const Layout& layout, std::vector<std::string>& faults) {
  std::map<uint32_t, std::pair<uint32_t, uint32_t>> shards;
  for (const Node& node : layout.nodes)
    ++(node.role == Role::master ? shards[node.shard].first : shards[node.shard].second);
  for (const auto& [shard, members] : shards) {
    if (members.first == 1 && members.second == rules.replicas) continue;
    faults.push_back("shard " + std::to_string(shard) + " has " + std::to_string(members.first) + " masters and " +
                     std::to_string(members.second) + " replicas");
  }
}

// All ports that nodes listen on, of one host after the other.
void check_addresses(const Rules& rules, const Layout& layout, std::vector<std::string>& faults) {
  std::set<std::pair<std::string, uint32_t>> used;
  for (const Node& node : layout.nodes) {
    if (node.port == 0) faults.push_back(shown(node) + " has no port");
    if (!used.emplace(node.host, node.port).second) faults.push_back(shown(node) + " is in use twice");
    if (!rules.bus_port) continue;
    const uint32_t bus = node.port + 10'000U;
    if (bus > 65'535) faults.push_back(shown(node) + " has no bus port");
    if (!used.emplace(node.host, bus).second) faults.push_back("the bus port of " + shown(node) + " is in use twice");
  }
}

struct Room {
  uint64_t memory = 0;
  uint64_t cpu = 0;
  std::set<uint32_t> ports;
  std::set<uint32_t> taken;
  bool open = true;
};

std::map<std::string, Room> rooms_of(const std::vector<Host>& hosts, const Rules& rules, const std::string& group) {
  std::map<std::string, Room> rooms;
  for (const Host& host : hosts) {
    if (!group.empty() && host.group != group) continue;
    Room& room = rooms[host.name];
    room.memory += host.memory_mib;
    room.cpu += host.cpu_milli;
    for (const PortRange range : host.ports) {
      for (uint32_t port = range.first; port <= range.last; ++port) room.ports.insert(port);
    }
    room.taken.insert(host.taken.begin(), host.taken.end());
    if (host.draining) room.open = false;
    if (rules.rack == Spread::require && host.rack.empty()) room.open = false;
    if (rules.zone == Spread::require && host.zone.empty()) room.open = false;
  }
  return rooms;
}

void check_new_node(const Node& node, const Rules& rules, std::map<std::string, Room>& rooms,
                    std::vector<std::string>& faults) {
  const auto found = rooms.find(node.host);
  if (found == rooms.end() || !found->second.open) {
    faults.push_back(shown(node) + " is on a host that takes no nodes");
    return;
  }
  Room& room = found->second;
  if (room.memory < rules.memory_mib) faults.push_back(shown(node) + " has no memory");
  if (room.cpu < rules.cpu_milli) faults.push_back(shown(node) + " has no cpu");
  room.memory -= std::min(room.memory, rules.memory_mib);
  room.cpu -= std::min(room.cpu, rules.cpu_milli);
  if (!room.ports.contains(node.port)) faults.push_back(shown(node) + " has a port that was not offered");
  if (room.taken.contains(node.port) || (rules.bus_port && room.taken.contains(node.port + 10'000U))) {
    faults.push_back(shown(node) + " has a port, or bus port, that something listens on");
  }
}

}  // namespace

std::vector<std::string> check_layout(const std::vector<Host>& hosts, const Rules& rules, const Layout& layout) {
  std::vector<std::string> faults;
  const std::map<std::string, Labels> labels = labels_of(hosts);
  const auto host = [](const Node& node) { return node.host; };
  const auto zone = [&](const Node& node) {
    const auto found = labels.find(node.host);
    return found == labels.end() ? std::string() : found->second.zone;
  };
  const auto rack = [&](const Node& node) {
    const auto found = labels.find(node.host);
    const bool known = found != labels.end() && !found->second.rack.empty();
    return known ? found->second.zone + "/" + found->second.rack : std::string();
  };
  check_shards(rules, layout, faults);
  check_addresses(rules, layout, faults);
  check_apart(layout, "host", host, faults);
  if (rules.rack == Spread::require) check_apart(layout, "rack", rack, faults);
  if (rules.zone == Spread::require) check_apart(layout, "zone", zone, faults);
  if (rules.survives_host_loss) {
    check_half(layout, "host", host, faults);
    if (rules.rack == Spread::require) check_half(layout, "rack", rack, faults);
    if (rules.zone == Spread::require) check_half(layout, "zone", zone, faults);
  }
  return faults;
}

std::vector<std::string> check(const std::vector<Host>& hosts, const Rules& rules, const Layout& before,
                               const Plan& plan, const std::string& group) {
  std::vector<std::string> faults = check_layout(hosts, rules, plan.after);
  std::map<std::string, Room> rooms = rooms_of(hosts, rules, group);
  std::map<Address, Node> ran;
  for (const Node& node : before.nodes) {
    ran.emplace(Address(node.host, node.port), node);
    rooms[node.host].taken.insert(node.port);
    if (rules.bus_port) rooms[node.host].taken.insert(node.port + 10'000U);
  }
  std::set<Address> removed;
  for (const Node& node : plan.removed) {
    removed.emplace(node.host, node.port);
    if (!ran.contains({node.host, node.port})) faults.push_back(shown(node) + " goes but did not run");
  }
  std::set<size_t> added(plan.added.begin(), plan.added.end());
  size_t stayed = 0;
  for (size_t i = 0; i < plan.after.nodes.size(); ++i) {
    const Node& node = plan.after.nodes[i];
    const auto found = ran.find({node.host, node.port});
    if (added.contains(i)) {
      check_new_node(node, rules, rooms, faults);
    } else if (found == ran.end() || found->second != node || removed.contains({node.host, node.port})) {
      faults.push_back(shown(node) + " is neither new nor as it was");
    } else {
      ++stayed;
    }
  }
  if (stayed + removed.size() != before.nodes.size()) {
    faults.push_back(std::to_string(before.nodes.size()) + " nodes ran, " + std::to_string(stayed) + " stay and " +
                     std::to_string(removed.size()) + " go");
  }
  return faults;
}

}  // namespace overlord::placement
