#pragma once
// Records of the store as the API reads them, with the revision that a later change names as its condition.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/error.h"
#include "model/cluster.h"
#include "model/host.h"
#include "model/job.h"
#include "model/json.h"
#include "model/people.h"
#include "store/store.h"

namespace overlord::api {

template <typename Record>
struct Stored {
  Record record{};
  std::string key{};
  store::Revision revision = 0;  // of its last change
};

// Says once a minute that a record cannot be read.
void log_damaged(const std::string& key, const std::string& why);

// Nothing: there is none. A record that cannot be read is an error that names its key.
template <typename Record>
Result<std::optional<Stored<Record>>> read(store::Store& from, const std::string& key) {
  const auto found = from.get(key);
  if (!found) return refuse(found.error());
  if (!*found) return std::nullopt;
  auto record = model::from_json<Record>((*found)->value);
  if (!record) return refuse("internal", "what stands at " + key + " cannot be read: " + record.error().message);
  return Stored<Record>{std::move(*record), key, (*found)->modified};
}

// All below a prefix, by key; those that cannot be read are left out and logged.
template <typename Record>
Result<std::vector<Stored<Record>>> read_all(store::Store& from, std::string_view prefix) {
  const auto page = store::list_all(from, prefix);
  if (!page) return refuse(page.error());
  std::vector<Stored<Record>> out;
  out.reserve(page->records.size());
  for (const store::Record& raw : page->records) {
    auto record = model::from_json<Record>(raw.value);
    if (!record) {
      log_damaged(raw.key, record.error().message);
      continue;
    }
    out.push_back({std::move(*record), raw.key, raw.modified});
  }
  return out;
}

struct NodeView {
  model::Node node{};
  store::Revision revision = 0;
  model::NodeState state{};
};

// A cluster with all that belongs to it.
struct ClusterView {
  model::Cluster cluster{};
  store::Revision revision = 0;  // of the cluster's own record
  std::vector<std::string> appids{};
  std::vector<NodeView> nodes{};  // by alias
};

// Nothing: there is none.
Result<std::optional<ClusterView>> read_cluster(store::Store& from, const std::string& name);
// By name.
Result<std::vector<ClusterView>> read_clusters(store::Store& from);
// By address.
Result<std::vector<NodeView>> read_nodes(store::Store& from);

// "<group>.<20 digits>" as the key of the job; empty: no job is called so.
std::string job_key(std::string_view id);

// The part of a key behind a prefix.
std::string_view below(std::string_view key, std::string_view prefix);

}  // namespace overlord::api
