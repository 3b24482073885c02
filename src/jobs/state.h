#pragma once
// State: the records of the platform that jobs work with, in memory, as the store had them at one revision; and Desk,
// which keeps it so and through which the leader changes it.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/cluster.h"
#include "model/host.h"
#include "model/job.h"
#include "store/store.h"

namespace overlord::jobs {

template <typename T>
struct Kept {
  T value;
  store::Revision modified = 0;
};

struct State {
  std::map<std::string, Kept<model::Cluster>> clusters;
  std::map<std::string, Kept<model::Node>> nodes;        // by address
  std::map<std::string, Kept<model::NodeState>> states;  // by address
  std::map<std::string, Kept<model::Job>> jobs;          // by id
  std::map<std::string, Kept<model::Host>> hosts;
  std::map<std::string, model::Version> versions;                   // by "<type>/<version>"
  std::map<std::string, std::map<uint64_t, std::string>> in_force;  // cluster, alias, address
  std::map<std::string, std::set<std::string>> nodes_of;            // cluster, addresses
  std::map<std::string, std::string> tasks;                         // task id, address
  std::set<std::string> open_jobs;                                  // not over
  std::string file_server;
  uint64_t last_alias = 0;
  store::Revision alias_modified = 0;  // of the sequence; 0: there is none
  store::Revision revision = 0;

  // Takes in one record, or its removal. What cannot be read is logged and as if it were not there.
  void put(const store::Record& record);
  void remove(const std::string& key);

  const model::Cluster* cluster(const std::string& name) const;
  const model::Node* node(const std::string& address) const;
  std::vector<model::Node> cluster_nodes(const std::string& name) const;
  bool is_in_force(const model::Node& node) const;
};

// The store, seen by who leads. Every commit carries the fence: one that is no longer the leader changes nothing.
class Desk {
 public:
  using Fence = std::function<store::Condition()>;  // empty: no fence, for who does not lead

  Desk(store::Store& store, Fence fence) : store_(store), fence_(std::move(fence)) {}

  // Reads everything anew. Before anything else, and after an error of catch_up.
  store::Answer<void> open();
  // Takes in what others have changed, without waiting for it.
  store::Answer<void> catch_up();
  // State shows it when this returns without an error. After `uncertain` it may, or may come to.
  store::Answer<void> commit(store::Transaction transaction);

  const State& state() const { return state_; }
  store::Store& store() { return store_; }

 private:
  store::Answer<void> take(std::chrono::milliseconds patience, store::Revision until);

  store::Store& store_;
  Fence fence_;
  State state_;
  std::unique_ptr<store::Watch> watch_;
};

// Keys of what jobs write, and their changes.
inline constexpr std::string_view kAliasSequence = "/overlord/sequences/alias";
inline constexpr std::string_view kJobSequence = "/overlord/sequences/job";
std::string job_key(const model::Job& job);
store::Change put_job(const model::Job& job);
store::Change put_cluster(const model::Cluster& cluster);
store::Change put_node(const model::Node& node);
// Holds as long as nobody changes the record that State shows.
template <typename T>
store::Condition as_seen(std::string key, const Kept<T>& kept) {
  return store::modified_at(std::move(key), kept.modified);
}
store::Condition as_seen(const State& state, const model::Job& job);
store::Condition as_seen(const State& state, const model::Cluster& cluster);
store::Condition as_seen(const State& state, const model::Node& node);

}  // namespace overlord::jobs
