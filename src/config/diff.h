#pragma once
// What a reload would change: two configurations compared key by key and server by server. Pure; nothing is looked up.
//
// A cluster is known by its name: another name is another cluster. Servers are the same when their address is (for a
// Redis Sentinel's master: its name); under one address a server may get another weight or alias and keep its
// connections. A password appears as "(secret)".

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.h"

namespace overlord::config {

// What a key concerns, and so what has to be done when it changes.
enum class Concern : uint8_t {
  new_work,     // nothing: whatever happens from now on follows it
  placement,    // keys may belong to other servers
  connections,  // those to the servers are made anew
  listeners,
  sentinels,  // who is asked for the masters
  identity,   // the cluster is another one: the old one goes, a new one comes
  restart,    // in force when the process starts again
};

struct KeyChange {
  std::string_view key;
  Concern concern;
  std::string before;
  std::string after;
};

struct ServerChange {
  enum class Kind : uint8_t { added, removed, moved, reweighted, renamed };
  Kind kind;
  std::string server;  // as it is now; of a removed one, as it was
  std::string before;  // moved: its address; reweighted: its weight; renamed: its alias
};

struct ClusterDiff {
  enum class Kind : uint8_t { added, removed, changed };
  Kind kind = Kind::changed;
  std::string name;
  ClusterSnapshot before = {};  // null: added
  ClusterSnapshot after = {};   // null: removed
  std::vector<KeyChange> keys = {};
  std::vector<ServerChange> servers = {};
  bool reordered = false;          // the same servers in another order
  std::vector<int32_t> kept = {};  // changed, for each server after: its place before; -1: it was not there

  // Some changed key is of that concern.
  bool concerns(Concern concern) const;
  bool same_servers() const { return servers.empty() && !reordered; }
};

struct Diff {
  std::vector<KeyChange> process;
  std::vector<ClusterDiff> clusters;  // those that differ; a cluster that becomes another one is in it twice

  bool empty() const { return process.empty() && clusters.empty(); }
};

Diff compare(const Configuration& before, const Configuration& after);

// `running` with those values of `wanted` that need no restart.
ProcessConfig without_restart(const ProcessConfig& running, const ProcessConfig& wanted);

// One line for the log: "cluster a: +1 server, read_timeout 1000 -> 500; cluster b: removed".
std::string summary(const Diff& diff);
// All of it, a line each, for who wants to know beforehand. Empty when nothing differs.
std::string describe(const Diff& diff);

// Names of the keys that are compared, those of the two files apart; for the check that none is left out.
std::vector<std::string_view> compared_cluster_keys();
std::vector<std::string_view> compared_process_keys();

}  // namespace overlord::config
