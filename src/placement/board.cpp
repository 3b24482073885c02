#include "placement/board.h"

#include <algorithm>
#include <unordered_map>

namespace overlord::placement {

namespace {

uint32_t below_half(uint32_t total) { return total == 0 ? 0 : (total - 1) / 2; }

}  // namespace

Board::Board(const Fleet& of, const Rules& by, const Layout& running, uint32_t nodes_after, uint32_t masters_after)
    : fleet(of), rules(by), half_{below_half(nodes_after), below_half(masters_after)} {
  std::unordered_map<std::string_view, uint32_t> strangers;
  std::vector<std::pair<uint32_t, uint16_t>> ports;
  for (const Node& node : running.nodes) {
    uint32_t host = 0;
    if (const auto known = fleet.find(node.host)) {
      host = static_cast<uint32_t>(*known);
    } else {
      const auto next = static_cast<uint32_t>(fleet.size() + strangers_.size());
      const auto [at, is_new] = strangers.try_emplace(node.host, next);
      if (is_new) strangers_.push_back(node.host);
      host = at->second;
    }
    host_of_.push_back(host);
    ports.emplace_back(host, node.port);
    if (rules.bus_port && node.port + kBusOffset <= UINT16_MAX) {
      ports.emplace_back(host, static_cast<uint16_t>(node.port + kBusOffset));
    }
  }
  std::ranges::sort(ports);
  for (const auto& [host, port] : ports) {
    if (own_ports_.empty() || own_ports_.back().first != host) own_ports_.push_back({host, {}});
    own_ports_.back().second.push_back(port);
  }

  // Strangers are in a rack and a zone of their own, so that they say nothing about those that are known.
  const auto total = static_cast<uint32_t>(fleet.size() + strangers_.size());
  const bool zones = rules.zone != Spread::ignore;
  const bool racks = rules.rack != Spread::ignore;
  rack_.resize(total);
  zone_.resize(total);
  for (uint32_t host = 0; host < total; ++host) {
    const bool known = host < fleet.size();
    zone_[host] = !zones ? 0 : known ? fleet.zone(host) : fleet.zones();
    rack_[host] = !racks ? zone_[host] : known ? fleet.rack(host) : fleet.racks();
  }
  count_[0].resize(total);
  count_[1].resize(std::max(fleet.racks(), fleet.zones()) + 1);
  count_[2].resize(fleet.zones() + 1);
  for (size_t i = 0; i < running.nodes.size(); ++i) add(host_of_[i], running.nodes[i].role);
  if (rules.rack == Spread::require) apart_ = Level::rack;
  if (rules.zone == Spread::require) apart_ = Level::zone;
}

std::string_view Board::name(size_t host) const {
  return host < fleet.size() ? std::string_view(fleet[host].name) : strangers_[host - fleet.size()];
}

void Board::add(uint32_t host, Role role, bool gone) {
  const uint32_t change = gone ? UINT32_MAX : 1;  // minus one, by wrapping
  for (const Level level : {Level::host, Level::rack, Level::zone}) {
    Count& there = count(level, domain(level, host));
    there.nodes += change;
    if (role == Role::master) there.masters += change;
  }
}

bool Board::limited(Level level) const {
  if (!rules.survives_host_loss) return false;
  if (level == Level::host) return true;
  return (level == Level::rack ? rules.rack : rules.zone) == Spread::require;
}

Board::Count Board::limit(Level level) const { return limited(level) ? half_ : Count{kUnlimited, kUnlimited}; }

Board::Count Board::left(Level level, uint32_t at) const {
  if (!limited(level)) return {kUnlimited, kUnlimited};
  const Count& there = count(level, at);
  return {half_.nodes - std::min(half_.nodes, there.nodes), half_.masters - std::min(half_.masters, there.masters)};
}

bool Board::usable(uint32_t host) const {
  if (host >= fleet.size() || fleet[host].draining) return false;
  if (rules.zone == Spread::require && fleet[host].zone.empty()) return false;
  return rules.rack != Spread::require || !fleet[host].rack.empty();
}

uint32_t Board::resources(uint32_t host, uint32_t limit) const {
  if (host >= fleet.size()) return 0;
  uint64_t nodes = limit;
  if (rules.memory_mib > 0) nodes = std::min(nodes, fleet[host].memory_mib / rules.memory_mib);
  if (rules.cpu_milli > 0) nodes = std::min(nodes, fleet[host].cpu_milli / rules.cpu_milli);
  return static_cast<uint32_t>(nodes);
}

const std::vector<uint16_t>* Board::own_ports(uint32_t host) const {
  const auto found = std::ranges::lower_bound(own_ports_, host, {}, [](const auto& own) { return own.first; });
  return found != own_ports_.end() && found->first == host ? &found->second : nullptr;
}

uint32_t Board::room(uint32_t host, uint32_t limit) const {
  const uint32_t most = resources(host, limit);
  if (most == 0) return 0;
  // Where there are clearly enough ports they are not counted: a taken one costs two at most, and bus ports every other.
  const auto* own = own_ports(host);
  const uint64_t lost = 2 * (fleet[host].taken.size() + (own ? own->size() : 0));
  const uint64_t offered = fleet.ports(host, rules.bus_port);
  const uint64_t surely = offered > lost ? (offered - lost) / (rules.bus_port ? 2 : 1) : 0;
  return surely >= most ? most : count_ports(ports(host), most);
}

PortWalk Board::ports(uint32_t host) const {
  std::vector<uint16_t> taken = fleet[host].taken;
  if (const auto* own = own_ports(host)) {
    const auto middle = static_cast<std::ptrdiff_t>(taken.size());
    taken.insert(taken.end(), own->begin(), own->end());
    std::ranges::inplace_merge(taken, taken.begin() + middle);
  }
  return PortWalk(fleet[host].ports, std::move(taken), rules.bus_port);
}

}  // namespace overlord::placement
