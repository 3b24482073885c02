#pragma once
// For tests: fleets, rules and histories made from a seed.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "placement/model.h"

namespace overlord::placement::testing {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  /// Both inclusive.
  uint32_t between(uint32_t least, uint32_t most) {
    return least + static_cast<uint32_t>(engine_() % (most - least + 1ULL));
  }
  bool once_in(uint32_t times) { return between(1, times) == 1; }

 private:
  std::mt19937_64 engine_;
};

inline Rules random_rules(Random& random) {
  Rules rules;
  rules.memory_mib = random.between(1, 8) * 100ULL;
  rules.cpu_milli = random.between(0, 4) * 250ULL;
  rules.replicas = random.once_in(3) ? random.between(0, kMaxReplicas) : 1;
  rules.bus_port = rules.replicas > 0 || random.once_in(2);
  rules.survives_host_loss = !random.once_in(6);
  constexpr Spread kSpreads[] = {Spread::ignore, Spread::prefer, Spread::require};
  rules.rack = kSpreads[random.once_in(4) ? 2 : random.between(0, 1)];
  rules.zone = kSpreads[random.once_in(8) ? 2 : random.between(0, 1)];
  return rules;
}

/// Often as large as needed, often scarce in one thing or another.
inline std::vector<Host> random_hosts(Random& random, const Rules& rules, uint32_t most_hosts) {
  const uint32_t count = random.between(1, most_hosts);
  const uint32_t zones = random.between(1, 4);
  const uint32_t racks = random.between(1, 6);
  const uint32_t roomy = random.between(2, 12);
  const bool scarce = random.once_in(2);
  std::vector<Host> hosts;
  for (uint32_t i = 0; i < count; ++i) {
    Host host{.name = "10.0." + std::to_string(i / 200) + "." + std::to_string(i % 200 + 1)};
    const auto room = [&] { return static_cast<uint64_t>(scarce ? random.between(0, roomy) : roomy + 8); };
    host.memory_mib = room() * rules.memory_mib + random.between(0, 99);
    host.cpu_milli = room() * rules.cpu_milli + random.between(0, 200);
    const auto first = static_cast<uint16_t>(random.between(1, 5) * 10'000 + random.between(0, 40));
    host.ports.push_back({first, static_cast<uint16_t>(first + room() + random.between(0, 20))});
    if (random.once_in(3)) host.ports.push_back({static_cast<uint16_t>(first + 10), static_cast<uint16_t>(first + 25)});
    if (random.once_in(4)) host.taken.push_back(static_cast<uint16_t>(first + random.between(0, 5)));
    if (random.once_in(4) && first < 50'000) host.taken.push_back(static_cast<uint16_t>(first + 10'002));
    if (!random.once_in(20)) host.zone = "z" + std::to_string(random.between(1, zones));
    if (!random.once_in(20)) host.rack = "r" + std::to_string(random.between(1, racks));
    host.draining = random.once_in(12);
    hosts.push_back(host);
    if (random.once_in(10)) hosts.push_back(host);  // a second offer
  }
  return hosts;
}

inline std::string shown(const std::vector<Host>& hosts, const Rules& rules) {
  std::string text = "memory " + std::to_string(rules.memory_mib) + " cpu " + std::to_string(rules.cpu_milli) +
                     " replicas " + std::to_string(rules.replicas) + " bus " + std::to_string(rules.bus_port) +
                     " half " + std::to_string(rules.survives_host_loss) + " rack " +
                     std::to_string(static_cast<int>(rules.rack)) + " zone " +
                     std::to_string(static_cast<int>(rules.zone)) + "\n";
  for (const Host& host : hosts) {
    text += host.name + " " + host.zone + "/" + host.rack + " " + std::to_string(host.memory_mib) + " MiB " +
            std::to_string(host.cpu_milli) + " mcpu ports";
    for (const PortRange range : host.ports)
      text += " " + std::to_string(range.first) + "-" + std::to_string(range.last);
    text += " taken";
    for (const uint16_t port : host.taken) text += " " + std::to_string(port);
    text += host.draining ? " draining\n" : "\n";
  }
  return text;
}

}  // namespace overlord::placement::testing
