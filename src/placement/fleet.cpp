#include "placement/fleet.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "placement/ports.h"

namespace overlord::placement {

namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

size_t digits_end(std::string_view text, size_t from) {
  while (from < text.size() && digit(text[from])) ++from;
  return from;
}

// A second offer of the same host.
void add(Host& host, Host&& more) {
  host.memory_mib += more.memory_mib;
  host.cpu_milli += more.cpu_milli;
  host.ports.insert(host.ports.end(), more.ports.begin(), more.ports.end());
  host.taken.insert(host.taken.end(), more.taken.begin(), more.taken.end());
  host.draining |= more.draining;
  if (host.zone.empty()) host.zone = std::move(more.zone);
  if (host.rack.empty()) host.rack = std::move(more.rack);
}

void insert_sorted(std::vector<uint16_t>& ports, uint32_t port) {
  if (port > UINT16_MAX) return;
  const auto value = static_cast<uint16_t>(port);
  const auto at = std::ranges::lower_bound(ports, value);
  if (at == ports.end() || *at != value) ports.insert(at, value);
}

void erase_sorted(std::vector<uint16_t>& ports, uint32_t port) {
  const auto [first, last] = std::ranges::equal_range(ports, port);
  ports.erase(first, last);
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  size_t i = 0;
  size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const size_t a_end = digits_end(a, i);
      const size_t b_end = digits_end(b, j);
      while (i + 1 < a_end && a[i] == '0') ++i;
      while (j + 1 < b_end && b[j] == '0') ++j;
      const std::string_view x = a.substr(i, a_end - i);
      const std::string_view y = b.substr(j, b_end - j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      i = a_end;
      j = b_end;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
    }
  }
  if (i < a.size() || j < b.size()) return j < b.size();
  return a < b;  // differ in leading zeros at most
}

Fleet::Fleet(std::vector<Host> hosts, std::string_view group) {
  if (!group.empty()) {
    other_groups_ = std::erase_if(hosts, [&](const Host& host) { return host.group != group; });
  }
  std::ranges::stable_sort(hosts, [](const Host& a, const Host& b) {
    if (a.name != b.name) return natural_less(a.name, b.name);
    return std::tie(a.zone, a.rack) < std::tie(b.zone, b.rack);  // should offers of one host disagree
  });
  hosts_.reserve(hosts.size());
  for (Host& host : hosts) {
    if (!hosts_.empty() && hosts_.back().name == host.name) {
      add(hosts_.back(), std::move(host));
    } else {
      hosts_.push_back(std::move(host));
    }
  }
  for (size_t i = 0; i < hosts_.size(); ++i) {
    Host& host = hosts_[i];
    host.ports = merged(std::move(host.ports));
    std::ranges::sort(host.taken);
    const auto rest = std::ranges::unique(host.taken);
    host.taken.erase(rest.begin(), rest.end());
    index_.emplace(host.name, i);
  }
  number_labels();
}

void Fleet::number_labels() {
  std::map<std::string_view, uint32_t> zones;
  std::map<std::pair<std::string_view, std::string_view>, uint32_t> racks;
  places_.reserve(hosts_.size());
  for (const Host& host : hosts_) {
    const uint32_t zone = zones.try_emplace(host.zone, static_cast<uint32_t>(zones.size())).first->second;
    const uint32_t rack = racks.try_emplace({host.zone, host.rack}, static_cast<uint32_t>(racks.size())).first->second;
    uint32_t ports = 0;
    uint32_t bus_ports = 0;
    for (const PortRange range : host.ports) {
      ports += range.last - range.first + 1U;
      const uint32_t last = std::min<uint32_t>(range.last, UINT16_MAX - kBusOffset);
      if (last >= range.first) bus_ports += last - range.first + 1;
    }
    places_.push_back({zone, rack, ports, bus_ports});
  }
  zones_ = static_cast<uint32_t>(zones.size());
  racks_ = static_cast<uint32_t>(racks.size());
}

std::optional<size_t> Fleet::find(std::string_view name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

void Fleet::take(std::span<const Node> nodes, const Rules& rules) {
  for (const Node& node : nodes) {
    const auto index = find(node.host);
    if (!index) continue;
    Host& host = hosts_[*index];
    host.memory_mib -= std::min(host.memory_mib, rules.memory_mib);
    host.cpu_milli -= std::min(host.cpu_milli, rules.cpu_milli);
    insert_sorted(host.taken, node.port);
    if (rules.bus_port) insert_sorted(host.taken, node.port + kBusOffset);
  }
}

void Fleet::release(std::span<const Node> nodes, const Rules& rules) {
  for (const Node& node : nodes) {
    const auto index = find(node.host);
    if (!index) continue;
    Host& host = hosts_[*index];
    host.memory_mib += rules.memory_mib;
    host.cpu_milli += rules.cpu_milli;
    erase_sorted(host.taken, node.port);
    if (rules.bus_port) erase_sorted(host.taken, node.port + kBusOffset);
  }
}

}  // namespace overlord::placement
