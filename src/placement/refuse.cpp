#include "placement/refuse.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_set>

namespace overlord::placement {

namespace {

uint64_t divided_up(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

std::string_view level_name(Level level) {
  return level == Level::host ? "host" : level == Level::rack ? "rack" : "zone";
}

// How many nodes of the fleet's usable hosts a resource holds, each host counted up to `most`.
template <typename Fit>
uint64_t sum(const Board& board, uint64_t enough, Fit fit) {
  uint64_t total = 0;
  for (uint32_t host = 0; host < board.fleet.size() && total < enough; ++host) {
    if (board.usable(host)) total += fit(host);
  }
  return total;
}

uint64_t per_host(const Board& board, uint32_t host, uint64_t needed) {
  return std::min<uint64_t>(needed, board.left(Level::host, host).nodes);
}

struct Resource {
  std::string_view name;
  uint64_t each;
  uint64_t Host::* free;
  std::string (*amount)(uint64_t);
};

std::string mib(uint64_t amount) { return std::to_string(amount) + " MiB"; }

// Of memory and cpus: short as such, or spread over too few hosts.
void weigh(const Board& board, uint64_t needed, const Resource& resource, std::vector<std::string>& reasons) {
  if (resource.each == 0) return;
  const auto fit = [&](uint32_t host) { return board.fleet[host].*resource.free / resource.each; };
  const uint64_t all = sum(board, needed, fit);
  const std::string what = std::string(resource.name) + ": ";
  if (all < needed) {
    reasons.push_back(what + "there is room for " + std::to_string(all) + " of " + std::to_string(needed) +
                      " nodes of " + resource.amount(resource.each) + " each; " +
                      resource.amount((needed - all) * resource.each) + " more needed");
    return;
  }
  const uint64_t within =
      sum(board, needed, [&](uint32_t host) { return std::min<uint64_t>(fit(host), per_host(board, host, needed)); });
  if (within >= needed) return;
  reasons.push_back(what + "there is enough, but on too few hosts: as no host may hold half, the hosts hold " +
                    std::to_string(within) + " of " + std::to_string(needed) + " nodes; " +
                    resource.amount((needed - within) * resource.each) + " more needed on other hosts");
}

void weigh_ports(const Board& board, uint64_t needed, std::vector<std::string>& reasons) {
  const uint64_t ports = sum(board, needed, [&](uint32_t host) {
    return count_ports(board.ports(host), static_cast<uint32_t>(per_host(board, host, needed)));
  });
  if (ports >= needed) return;
  reasons.push_back("ports: " + std::to_string(ports) + " of " + std::to_string(needed) + " are free" +
                    (board.rules.bus_port ? " together with their bus ports (+10000)" : "") + "; " +
                    std::to_string(needed - ports) + " more needed");
}

// Whether there are as many hosts, racks or zones as the rules need for any placement at all.
void weigh_domains(const Board& board, Level level, uint64_t masters_after, std::vector<std::string>& reasons) {
  const uint32_t size = board.rules.shard_size();
  const Board::Count limit = board.limit(level);
  const bool limited = board.limited(level);
  uint64_t needed = level <= board.apart() ? size : 1;
  if (limited) {
    needed =
        std::max({needed, divided_up(masters_after, limit.masters), divided_up(masters_after * size, limit.nodes)});
  }
  std::unordered_set<uint32_t> there;
  for (uint32_t host = 0; host < board.hosts(); ++host) {
    if (board.usable(host) || board.count(Level::host, host).nodes > 0) there.insert(board.domain(level, host));
  }
  if (there.size() >= needed) return;
  const std::string name(level_name(level));
  std::string reason =
      name + "s: " + std::to_string(there.size()) + " may be used, " + std::to_string(needed) + " are needed: ";
  if (limited) {
    const std::string what = size == 1 ? "node" : "master";
    reason += "so that the loss of one leaves more than half, a " + name + " may hold at most " +
              std::to_string(limit.masters) + " of " + counted(masters_after, what);
  } else {
    reason += "the nodes of a shard are on different " + name + "s";
  }
  reasons.push_back(reason);
}

std::string left_out(const Board& board) {
  uint32_t draining = 0;
  uint32_t unlabelled = 0;
  for (uint32_t host = 0; host < board.fleet.size(); ++host) {
    if (board.fleet[host].draining) {
      ++draining;
    } else if (!board.usable(host)) {
      ++unlabelled;
    }
  }
  std::string text;
  const auto add = [&](size_t count, std::string_view why) {
    if (count > 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(why);
  };
  add(draining, "draining");
  add(unlabelled, "without the labels that are required");
  add(board.fleet.other_groups(), "of other groups");
  return text.empty() ? "" : "hosts left out: " + text;
}

}  // namespace

std::string counted(uint64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string cpus(uint64_t milli) {
  std::string text = std::to_string(milli / 1000);
  if (milli % 1000 != 0) {
    std::string rest = std::to_string(1000 + milli % 1000).substr(1);
    while (rest.back() == '0') rest.pop_back();
    text += "." + rest;
  }
  return text + (milli == 1000 ? " cpu" : " cpus");
}

std::vector<std::string> faults(const Rules& rules, uint64_t masters_after, uint64_t masters_asked) {
  std::vector<std::string> reasons;
  const std::string what = rules.replicas == 0 ? "node" : "master";
  if (masters_asked == 0) reasons.push_back("no " + what + " is asked for: ask for one at least");
  if (rules.memory_mib == 0) reasons.emplace_back("nodes without memory: ask for 1 MiB each at least");
  if (rules.replicas > kMaxReplicas) {
    reasons.push_back(counted(rules.replicas, "replica") + " for each master: " + std::to_string(kMaxReplicas) +
                      " at most");
  }
  if (rules.bus_port && masters_after > kMaxMasters) {
    reasons.push_back(counted(masters_after, what) + ": a Redis Cluster has " + std::to_string(kMaxMasters) +
                      " slots, so at most as many masters");
  }
  if (masters_after * (std::min(rules.replicas, kMaxReplicas) + 1ULL) > kMaxNodes) {
    reasons.push_back("more than " + counted(kMaxNodes, "node"));
  }
  if (rules.survives_host_loss && masters_asked > 0 && masters_after < 3) {
    reasons.push_back(counted(masters_after, what) + ": the loss of one host would cost half of the " + what +
                      "s or more wherever they are; ask for 3 at least, or do without survives_host_loss");
  }
  return reasons;
}

Refusal refuse_growth(const Board& board, uint32_t masters, uint32_t masters_after, uint32_t left) {
  const uint64_t needed = static_cast<uint64_t>(masters) * board.rules.shard_size();
  Refusal refusal;
  std::vector<std::string>& reasons = refusal.reasons;
  for (const Level level : {Level::host, Level::rack, Level::zone}) {
    if (level == Level::host || board.limited(level) || level == board.apart()) {
      weigh_domains(board, level, masters_after, reasons);
    }
  }
  for (const Resource& resource : {Resource{"memory", board.rules.memory_mib, &Host::memory_mib, mib},
                                   Resource{"cpus", board.rules.cpu_milli, &Host::cpu_milli, cpus}}) {
    weigh(board, needed, resource, reasons);
  }
  weigh_ports(board, needed, reasons);
  if (reasons.empty()) {
    // No resource is short by itself: they are free on different hosts, or where a rule forbids more.
    reasons.push_back("no way to place " + counted(needed, "node") + ": when all rules are kept, " +
                      std::to_string(left) + " find no host with memory, cpus and a port free at once");
  }
  if (std::string text = left_out(board); !text.empty()) reasons.push_back(std::move(text));
  return refusal;
}

std::vector<std::string> crowded(const Board& board) {
  std::vector<std::string> notes;
  if (!board.limited(Level::host)) return notes;
  const Board::Count limit = board.limit(Level::host);
  for (uint32_t host = 0; host < board.hosts(); ++host) {
    const Board::Count& there = board.count(Level::host, host);
    if (there.nodes <= limit.nodes && there.masters <= limit.masters) continue;
    notes.push_back("host " + std::string(board.name(host)) + " already holds " + counted(there.nodes, "node") + " (" +
                    counted(there.masters, "master") + "); it should hold at most " + std::to_string(limit.nodes) +
                    " (" + std::to_string(limit.masters) + ")");
  }
  return notes;
}

std::optional<Objections::Kind> objection(const Board& board, uint32_t host, uint32_t already) {
  using Kind = Objections::Kind;
  if (host >= board.fleet.size()) return Kind::unknown;
  const Host& there = board.fleet[host];
  if (there.draining) return Kind::draining;
  if (!board.usable(host)) return Kind::unlabelled;
  const uint64_t nodes = already + 1ULL;
  if (there.memory_mib < nodes * board.rules.memory_mib) return Kind::memory;
  if (there.cpu_milli < nodes * board.rules.cpu_milli) return Kind::cpu;
  if (board.room(host, already + 1) <= already) return Kind::ports;
  return std::nullopt;
}

std::string Objections::text() const {
  static constexpr std::array<std::string_view, 9> words = {"not known",
                                                            "draining",
                                                            "without the labels that are required",
                                                            "to be left",
                                                            "in the way of its shard's other nodes",
                                                            "at the limit of half",
                                                            "short of memory",
                                                            "short of cpus",
                                                            "short of ports"};
  std::string text;
  uint32_t total = 0;
  for (size_t kind = 0; kind < words.size(); ++kind) {
    if (counts_[kind] == 0) continue;
    total += counts_[kind];
    text += (text.empty() ? "" : ", ") + std::to_string(counts_[kind]) + " " + std::string(words[kind]);
  }
  return total == 0 ? "there are no hosts" : "of " + counted(total, "host") + ": " + text;
}

}  // namespace overlord::placement
