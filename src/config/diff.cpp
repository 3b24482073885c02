#include "config/diff.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "config/diff_keys.h"
#include "config/problem.h"

namespace overlord::config {
namespace {

constexpr std::string_view kSecret = "(secret)";

template <typename Config>
void compare_keys(std::span<const DiffRow<Config>> rows, const Config& before, const Config& after,
                  std::vector<KeyChange>& out) {
  for (const DiffRow<Config>& row : rows) {
    std::string was = row.text(before);
    std::string is = row.text(after);
    if (was == is) continue;
    if (row.secret) was = is = kSecret;
    out.push_back({row.key, row.concern, printable(was), printable(is)});
  }
}

std::string name_of(const ServerConfig& server) {
  const std::string address =
      server.address.kind == Address::Kind::sentinel ? server.address.path : to_string(server.address);
  return server.alias.empty() ? address : server.alias + " (" + address + ")";
}

// Each server's place before, or -1. The same address under the same alias first: an address may be there twice.
std::vector<int32_t> match(const std::vector<ServerConfig>& before, const std::vector<ServerConfig>& after) {
  std::vector<int32_t> kept(after.size(), -1);
  std::vector<bool> taken(before.size());
  const auto pass = [&](auto key_of) {
    std::unordered_multimap<std::string, int32_t> places;
    for (size_t i = before.size(); i-- > 0;) {
      if (!taken[i]) places.emplace(key_of(before[i]), static_cast<int32_t>(i));
    }
    for (size_t i = 0; i < after.size(); ++i) {
      if (kept[i] >= 0) continue;
      const auto [first, last] = places.equal_range(key_of(after[i]));
      if (first == last) continue;
      const auto lowest =
          std::min_element(first, last, [](const auto& a, const auto& b) { return a.second < b.second; });
      kept[i] = lowest->second;
      taken[static_cast<size_t>(lowest->second)] = true;
      places.erase(lowest);
    }
  };
  pass([](const ServerConfig& server) { return to_string(server.address) + " " + server.alias; });
  pass([](const ServerConfig& server) { return to_string(server.address); });
  return kept;
}

void compare_servers(ClusterDiff& diff) {
  const std::vector<ServerConfig>& before = diff.before->servers;
  const std::vector<ServerConfig>& after = diff.after->servers;
  diff.kept = match(before, after);
  std::vector<bool> stays(before.size());
  for (const int32_t place : diff.kept) {
    if (place >= 0) stays[static_cast<size_t>(place)] = true;
  }
  // By alias, those that have gone: one that comes back at another address has moved.
  std::unordered_map<std::string, size_t> gone;
  for (size_t i = 0; i < before.size(); ++i) {
    if (!stays[i] && !before[i].alias.empty()) gone.emplace(before[i].alias, i);
  }
  using Kind = ServerChange::Kind;
  std::vector<bool> moved(before.size());
  for (size_t i = 0; i < after.size(); ++i) {
    const ServerConfig& server = after[i];
    if (diff.kept[i] < 0) {
      const auto was = server.alias.empty() ? gone.end() : gone.find(server.alias);
      if (was == gone.end()) {
        diff.servers.push_back({Kind::added, name_of(server), {}});
      } else {
        moved[was->second] = true;
        diff.servers.push_back({Kind::moved, name_of(server), to_string(before[was->second].address)});
        gone.erase(was);
      }
      continue;
    }
    const ServerConfig& was = before[static_cast<size_t>(diff.kept[i])];
    if (was.alias != server.alias) diff.servers.push_back({Kind::renamed, name_of(server), was.alias});
    if (was.weight != server.weight) {
      diff.servers.push_back({Kind::reweighted, name_of(server) + ", weight " + std::to_string(server.weight),
                              std::to_string(was.weight)});
    }
  }
  for (size_t i = 0; i < before.size(); ++i) {
    if (!stays[i] && !moved[i]) diff.servers.push_back({Kind::removed, name_of(before[i]), {}});
  }
  diff.reordered = diff.servers.empty() && !std::ranges::is_sorted(diff.kept);
}

std::string_view word(ServerChange::Kind kind) {
  switch (kind) {
    case ServerChange::Kind::added: return "added";
    case ServerChange::Kind::removed: return "removed";
    case ServerChange::Kind::moved: return "moved";
    case ServerChange::Kind::reweighted: return "reweighted";
    case ServerChange::Kind::renamed: return "renamed";
  }
  return {};
}

std::string text(const KeyChange& change) {
  std::string out(change.key);
  if (change.before == kSecret) return out + " changed";
  out += " " + change.before + " -> " + change.after;
  return change.concern == Concern::restart ? out + " (needs a restart)" : out;
}

// "+2 servers, -1 server, 1 server reweighted"
void count_servers(const ClusterDiff& diff, std::vector<std::string>& parts) {
  using Kind = ServerChange::Kind;
  for (const Kind kind : {Kind::added, Kind::removed, Kind::moved, Kind::reweighted, Kind::renamed}) {
    const auto count = std::ranges::count(diff.servers, kind, &ServerChange::kind);
    if (count == 0) continue;
    const std::string number = std::to_string(count) + (count == 1 ? " server" : " servers");
    if (kind == Kind::added) {
      parts.push_back("+" + number);
    } else if (kind == Kind::removed) {
      parts.push_back("-" + number);
    } else {
      parts.push_back(number + " " + std::string(word(kind)));
    }
  }
  if (diff.reordered) parts.emplace_back("servers in another order");
}

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (const std::string& part : parts) out.append(out.empty() ? "" : between).append(part);
  return out;
}

ClusterDiff whole(ClusterDiff::Kind kind, const ClusterSnapshot& cluster) {
  ClusterDiff diff{.kind = kind, .name = cluster->name};
  (kind == ClusterDiff::Kind::added ? diff.after : diff.before) = cluster;
  return diff;
}

}  // namespace

bool ClusterDiff::concerns(Concern concern) const {
  return std::ranges::any_of(keys, [concern](const KeyChange& change) { return change.concern == concern; });
}

Diff compare(const Configuration& before, const Configuration& after) {
  Diff diff;
  compare_keys(process_diff_rows(), *before.process, *after.process, diff.process);
  std::unordered_map<std::string_view, ClusterSnapshot> left;
  for (const ClusterSnapshot& cluster : before.clusters) left.emplace(cluster->name, cluster);
  for (const ClusterSnapshot& cluster : after.clusters) {
    const auto found = left.find(cluster->name);
    if (found == left.end()) {
      diff.clusters.push_back(whole(ClusterDiff::Kind::added, cluster));
      continue;
    }
    ClusterDiff one{
        .kind = ClusterDiff::Kind::changed, .name = cluster->name, .before = found->second, .after = cluster};
    left.erase(found);
    compare_keys(cluster_diff_rows(), *one.before, *one.after, one.keys);
    if (one.concerns(Concern::identity)) {
      diff.clusters.push_back(whole(ClusterDiff::Kind::removed, one.before));
      diff.clusters.push_back(whole(ClusterDiff::Kind::added, cluster));
      continue;
    }
    compare_servers(one);
    if (!one.keys.empty() || !one.same_servers()) diff.clusters.push_back(std::move(one));
  }
  for (const ClusterSnapshot& cluster : before.clusters) {
    if (left.contains(cluster->name)) diff.clusters.push_back(whole(ClusterDiff::Kind::removed, cluster));
  }
  return diff;
}

ProcessConfig without_restart(const ProcessConfig& running, const ProcessConfig& wanted) {
  ProcessConfig merged = running;
  for (const DiffRow<ProcessConfig>& row : process_diff_rows()) {
    if (row.take != nullptr) row.take(merged, wanted);
  }
  return merged;
}

std::string summary(const Diff& diff) {
  std::vector<std::string> lines;
  std::vector<std::string> keys;
  for (const KeyChange& change : diff.process) keys.push_back(text(change));
  if (!keys.empty()) lines.push_back("proxy: " + joined(keys, ", "));
  for (const ClusterDiff& cluster : diff.clusters) {
    std::vector<std::string> parts;
    if (cluster.kind == ClusterDiff::Kind::added) parts.emplace_back("added");
    if (cluster.kind == ClusterDiff::Kind::removed) parts.emplace_back("removed");
    count_servers(cluster, parts);
    for (const KeyChange& change : cluster.keys) parts.push_back(text(change));
    lines.push_back("cluster " + cluster.name + ": " + joined(parts, ", "));
  }
  return joined(lines, "; ");
}

std::string describe(const Diff& diff) {
  std::string out;
  for (const KeyChange& change : diff.process) out += "proxy: " + text(change) + "\n";
  for (const ClusterDiff& cluster : diff.clusters) {
    const std::string head = "cluster " + cluster.name + ": ";
    if (cluster.kind == ClusterDiff::Kind::added) {
      out += head + "added, " + std::string(to_string(cluster.after->cache_type)) + ", " +
             std::to_string(cluster.after->servers.size()) + " servers\n";
    }
    if (cluster.kind == ClusterDiff::Kind::removed)
      out += head + "removed; its clients are closed when they are answered\n";
    for (const ServerChange& change : cluster.servers) {
      out += head + "server " + change.server + " " + std::string(word(change.kind));
      out += change.before.empty() ? "\n" : ", was " + change.before + "\n";
    }
    if (cluster.reordered) out += head + "servers in another order\n";
    for (const KeyChange& change : cluster.keys) out += head + text(change) + "\n";
  }
  return out;
}

namespace {

template <typename Config>
std::vector<std::string_view> names(std::span<const DiffRow<Config>> rows) {
  std::vector<std::string_view> all;
  for (const DiffRow<Config>& row : rows) {
    all.push_back(row.key);
    for (std::string_view rest = row.also; !rest.empty();) {
      const size_t end = rest.find(' ');
      all.push_back(rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
  return all;
}

}  // namespace

std::vector<std::string_view> compared_cluster_keys() {
  std::vector<std::string_view> all = names(cluster_diff_rows());
  for (const std::string_view key : {"name", "servers", "masters"}) all.push_back(key);
  return all;
}

std::vector<std::string_view> compared_process_keys() { return names(process_diff_rows()); }

}  // namespace overlord::config
