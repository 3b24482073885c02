#include "engine/mesos/offers.h"

#include <arpa/inet.h>

#include <algorithm>

#include "placement/ports.h"

namespace overlord::engine {
namespace {

using mesos::PortRange;
using mesos::Resource;
using mesos::ResourceKind;

bool is_address(const std::string& text) {
  unsigned char bytes[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

bool holds(const std::vector<PortRange>& ranges, uint16_t port) {
  return std::ranges::any_of(ranges, [port](PortRange range) { return range.first <= port && port <= range.last; });
}

std::vector<PortRange> ports_of(const std::vector<Resource>& resources) {
  std::vector<PortRange> all;
  for (const Resource& resource : resources) all.insert(all.end(), resource.ports.begin(), resource.ports.end());
  return placement::merged(std::move(all));
}

uint64_t amount_of(const std::vector<Resource>& resources, ResourceKind kind) {
  uint64_t all = 0;
  for (const Resource& resource : resources) all += resource.kind == kind ? resource.amount : 0;
  return all;
}

// What is kept for the role goes first, so that others get what all may have.
void sort_kept_first(std::vector<Resource>& resources) {
  std::ranges::stable_sort(resources, {}, [](const Resource& resource) { return resource.role == "*"; });
}

void take_amount(std::vector<Resource>& from, ResourceKind kind, uint64_t amount, std::vector<Resource>& to) {
  for (Resource& resource : from) {
    if (resource.kind != kind || amount == 0) continue;
    const uint64_t part = std::min(amount, resource.amount);
    if (part == 0) continue;
    resource.amount -= part;
    amount -= part;
    to.push_back({kind, resource.role, part, {}});
  }
}

void take_port(std::vector<Resource>& from, uint16_t port, std::vector<Resource>& to) {
  for (Resource& resource : from) {
    if (!holds(resource.ports, port)) continue;
    std::vector<PortRange> left;
    for (const PortRange range : resource.ports) {
      if (port < range.first || port > range.last) {
        left.push_back(range);
        continue;
      }
      if (range.first < port) left.push_back({range.first, static_cast<uint16_t>(port - 1)});
      if (port < range.last) left.push_back({static_cast<uint16_t>(port + 1), range.last});
    }
    resource.ports = std::move(left);
    to.push_back({ResourceKind::ports, resource.role, 0, {{port, port}}});
    return;
  }
}

std::vector<model::PortRange> as_model(const std::vector<PortRange>& ranges) {
  std::vector<model::PortRange> all;
  for (const PortRange range : ranges) all.push_back({range.first, range.last});
  return all;
}

std::vector<PortRange> from_model(const std::vector<model::PortRange>& ranges) {
  std::vector<PortRange> all;
  for (const model::PortRange range : ranges) all.push_back({range.first, range.last});
  return all;
}

std::string label(const model::Host& host, const char* name) {
  const auto found = host.labels.find(name);
  return found == host.labels.end() ? std::string() : found->second;
}

}  // namespace

std::string host_of(const mesos::Offer& offer) {
  if (is_address(offer.hostname) || offer.address.empty()) return offer.hostname;
  return offer.address;
}

void OfferBook::add(const mesos::Offer& offer, Clock::time_point now) {
  const std::string name = host_of(offer);
  if (name.empty() || offers_.contains(offer.id)) return;
  Known& known = hosts_[name];
  known.agent_id = offer.agent_id;
  known.reachable = true;
  known.host.name = name;
  known.host.group = offer.role;
  known.host.labels = offer.attributes;
  known.host.seen = model::now();
  auto ports = from_model(known.host.ports);
  const auto offered = ports_of(offer.resources);
  ports.insert(ports.end(), offered.begin(), offered.end());
  known.host.ports = as_model(placement::merged(std::move(ports)));
  Pile& pile = piles_[{offer.agent_id, offer.role}];
  pile.offers.push_back({offer.id, now});
  pile.left.insert(pile.left.end(), offer.resources.begin(), offer.resources.end());
  sort_kept_first(pile.left);
  offers_.emplace(offer.id, offer);
}

OfferBook::Void OfferBook::remove(const std::string& offer_id) {
  const auto found = offers_.find(offer_id);
  if (found == offers_.end()) return {};
  const Key key{found->second.agent_id, found->second.role};
  offers_.erase(found);
  Pile& pile = piles_[key];
  const Void result{key.first, key.second, pile.promised};
  std::erase_if(pile.offers, [&](const Held& held) { return held.id == offer_id; });
  if (pile.offers.empty()) {
    piles_.erase(key);
    return result;
  }
  pile.left.clear();
  pile.promised = false;
  for (const Held& held : pile.offers) {
    const auto& resources = offers_.at(held.id).resources;
    pile.left.insert(pile.left.end(), resources.begin(), resources.end());
  }
  sort_kept_first(pile.left);
  return result;
}

void OfferBook::clear() {
  piles_.clear();
  offers_.clear();
}

void OfferBook::agent_failed(const std::string& agent_id) {
  for (auto& [name, known] : hosts_) {
    if (known.agent_id == agent_id) known.reachable = false;
  }
}

void OfferBook::agent_heard(const std::string& agent_id, const std::string& host) {
  if (agent_id.empty() || host.empty()) return;
  Known& known = hosts_[host];
  if (known.host.name.empty()) known.host.name = host;
  known.agent_id = agent_id;
  known.reachable = true;
  known.host.seen = model::now();
}

Result<void> OfferBook::fits(const Pile& pile, const Known& host, const Need& need) const {
  const auto short_of = [&](const char* what, uint64_t wanted, uint64_t there) {
    return fail("no room on " + need.host + ": " + std::to_string(wanted) + " " + what + " needed, " +
                std::to_string(there) + " on offer");
  };
  const uint64_t cpu = need.task.cpu_milli + need.executor.cpu_milli;
  const uint64_t memory = need.task.memory_mib + need.executor.memory_mib;
  const uint64_t cpu_left = amount_of(pile.left, ResourceKind::cpus);
  const uint64_t memory_left = amount_of(pile.left, ResourceKind::memory);
  if (cpu > cpu_left) return short_of("thousandths of a core", cpu, cpu_left);
  if (memory > memory_left) return short_of("MiB", memory, memory_left);
  const auto ports = ports_of(pile.left);
  if (!holds(ports, need.port))
    return fail("port " + std::to_string(need.port) + " of " + need.host + " is not on offer");
  if (need.bus && !holds(ports, *need.bus) && holds(from_model(host.host.ports), *need.bus)) {
    return fail("port " + std::to_string(*need.bus) + " of " + need.host + ", the bus port of " +
                std::to_string(need.port) + ", is not on offer");
  }
  return {};
}

Result<Taken> OfferBook::take(const Need& need) {
  const auto host = hosts_.find(need.host);
  if (host == hosts_.end()) return fail("no agent is known on " + need.host);
  Result<void> why = fail("nothing of " + need.host + " is on offer" +
                          (need.group.empty() ? std::string() : " for the group " + need.group));
  for (auto& [key, pile] : piles_) {
    if (key.first != host->second.agent_id || (!need.group.empty() && key.second != need.group)) continue;
    why = fits(pile, host->second, need);
    if (!why) continue;
    Taken taken{.agent_id = key.first, .role = key.second};
    take_amount(pile.left, ResourceKind::cpus, need.executor.cpu_milli, taken.executor);
    take_amount(pile.left, ResourceKind::memory, need.executor.memory_mib, taken.executor);
    take_amount(pile.left, ResourceKind::cpus, need.task.cpu_milli, taken.task);
    take_amount(pile.left, ResourceKind::memory, need.task.memory_mib, taken.task);
    take_port(pile.left, need.port, taken.task);
    if (need.bus) take_port(pile.left, *need.bus, taken.task);
    pile.promised = true;
    return taken;
  }
  return std::unexpected(why.error());
}

std::vector<std::string> OfferBook::use(const std::string& agent_id, const std::string& role) {
  std::vector<std::string> ids;
  const auto pile = piles_.find({agent_id, role});
  if (pile == piles_.end()) return ids;
  for (const Held& held : pile->second.offers) {
    ids.push_back(held.id);
    offers_.erase(held.id);
  }
  piles_.erase(pile);
  return ids;
}

std::vector<std::string> OfferBook::expire(Clock::time_point before) {
  std::vector<std::string> ids;
  for (const auto& [key, pile] : piles_) {
    if (pile.promised) continue;
    for (const Held& held : pile.offers) {
      if (held.since <= before) ids.push_back(held.id);
    }
  }
  for (const std::string& id : ids) remove(id);
  return ids;
}

std::string OfferBook::agent_of(const std::string& host) const {
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? std::string() : found->second.agent_id;
}

std::vector<HostStatus> OfferBook::hosts(const std::map<std::string, Used>& used) {
  std::vector<HostStatus> all;
  for (auto& [name, known] : hosts_) {
    HostStatus status;
    std::vector<PortRange> open;
    for (const auto& [key, pile] : piles_) {
      if (key.first != known.agent_id || key.second != known.host.group) continue;
      status.free.cpu_milli += amount_of(pile.left, ResourceKind::cpus);
      status.free.memory_mib += amount_of(pile.left, ResourceKind::memory);
      const auto ports = ports_of(pile.left);
      open.insert(open.end(), ports.begin(), ports.end());
    }
    open = placement::merged(std::move(open));
    const auto of_ours = used.find(name);
    const Used ours = of_ours == used.end() ? Used{} : of_ours->second;
    const auto at_least = [](uint32_t& known_amount, uint64_t seen) {
      known_amount = static_cast<uint32_t>(std::clamp<uint64_t>(seen, known_amount, UINT32_MAX));
    };
    at_least(known.host.capacity.cpu_milli, status.free.cpu_milli + ours.share.cpu_milli);
    at_least(known.host.capacity.memory_mib, status.free.memory_mib + ours.share.memory_mib);
    std::set<uint16_t> taken = ours.ports;
    // Ports that the agent has and does not offer are somebody's; where it offers none it does not matter whose.
    for (const model::PortRange range : known.host.ports) {
      if (open.empty()) break;
      for (uint32_t port = range.first; port <= range.last; ++port) {
        if (!holds(open, static_cast<uint16_t>(port))) taken.insert(static_cast<uint16_t>(port));
      }
    }
    status.host = known.host;
    status.host.lost = !known.reachable;
    status.reachable = known.reachable;
    status.free.name = name;
    status.free.group = known.host.group;
    status.free.zone = label(known.host, "zone");
    status.free.rack = label(known.host, "rack");
    status.free.ports = std::move(open);
    status.free.taken.assign(taken.begin(), taken.end());
    all.push_back(std::move(status));
  }
  return all;
}

}  // namespace overlord::engine
