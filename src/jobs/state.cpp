#include "jobs/state.h"

#include <charconv>

#include "base/log.h"
#include "model/json.h"
#include "store/keys.h"

namespace overlord::jobs {
namespace {

namespace keys = store::keys;

// "<name>/<rest>" behind a prefix; nothing: not below it.
std::optional<std::pair<std::string, std::string_view>> below(std::string_view key, std::string_view prefix) {
  if (!key.starts_with(prefix)) return std::nullopt;
  key.remove_prefix(prefix.size());
  const size_t slash = key.find('/');
  if (slash == std::string_view::npos) return std::pair{std::string(key), std::string_view()};
  return std::pair{std::string(key.substr(0, slash)), key.substr(slash + 1)};
}

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <typename T>
std::optional<T> read(const store::Record& record) {
  auto value = model::from_json<T>(record.value);
  if (value) return std::move(*value);
  log_error("the record ", record.key, " cannot be read: ", value.error().message);
  return std::nullopt;
}

std::string job_id(const std::string& group, std::string_view number) { return group + "." + std::string(number); }

}  // namespace

void State::put(const store::Record& record) {
  const std::string_view key = record.key;
  // What cannot be read is as if it were not there.
  const auto keep = [&]<typename T>(std::map<std::string, Kept<T>>& kept, const std::string& name) -> const T* {
    auto value = read<T>(record);
    if (!value) {
      remove(record.key);
      return nullptr;
    }
    // In place: who holds a reference to the record sees what it has become.
    return &kept.insert_or_assign(name, Kept<T>{std::move(*value), record.modified}).first->second.value;
  };
  if (const auto at = below(key, keys::kClusters)) {
    if (at->second == "info") keep(clusters, at->first);
    if (at->second.starts_with("instances/")) {
      if (const auto alias = number(at->second.substr(10))) in_force[at->first][*alias] = record.value;
    }
  } else if (const auto instance = below(key, keys::kInstances)) {
    if (instance->second == "info") {
      if (const auto old = nodes.find(instance->first); old != nodes.end()) {
        tasks.erase(old->second.value.task);
        nodes_of[old->second.value.cluster].erase(instance->first);
      }
      if (const model::Node* const node = keep(nodes, instance->first)) {
        nodes_of[node->cluster].insert(instance->first);
        if (!node->task.empty()) tasks[node->task] = instance->first;
      }
    }
    if (instance->second == "state") keep(states, instance->first);
  } else if (const auto job = below(key, keys::kJobs)) {
    const std::string id = job_id(job->first, job->second);
    if (const model::Job* const value = keep(jobs, id)) {
      if (is_over(value->state)) {
        open_jobs.erase(id);
      } else {
        open_jobs.insert(id);
      }
    }
  } else if (const auto host = below(key, keys::kHosts)) {
    keep(hosts, host->first);
  } else if (key.starts_with(keys::kVersions)) {
    if (auto version = read<model::Version>(record)) {
      versions.insert_or_assign(std::string(key.substr(keys::kVersions.size())), std::move(*version));
    }
  } else if (key == keys::kFileServer) {
    file_server = record.value;
  } else if (key == kAliasSequence) {
    last_alias = number(record.value).value_or(0);
    alias_modified = record.modified;
  }
}

void State::remove(const std::string& key) {
  if (const auto at = below(key, keys::kClusters)) {
    if (at->second == "info") clusters.erase(at->first);
    if (at->second.starts_with("instances/")) {
      if (const auto alias = number(at->second.substr(10))) in_force[at->first].erase(*alias);
      if (in_force[at->first].empty()) in_force.erase(at->first);
    }
  } else if (const auto instance = below(key, keys::kInstances)) {
    if (instance->second == "state") states.erase(instance->first);
    const auto found = nodes.find(instance->first);
    if (instance->second != "info" || found == nodes.end()) return;
    auto& of_cluster = nodes_of[found->second.value.cluster];
    of_cluster.erase(instance->first);
    if (of_cluster.empty()) nodes_of.erase(found->second.value.cluster);
    tasks.erase(found->second.value.task);
    nodes.erase(found);
  } else if (const auto job = below(key, keys::kJobs)) {
    jobs.erase(job_id(job->first, job->second));
    open_jobs.erase(job_id(job->first, job->second));
  } else if (const auto host = below(key, keys::kHosts)) {
    hosts.erase(host->first);
  } else if (key.starts_with(keys::kVersions)) {
    versions.erase(key.substr(keys::kVersions.size()));
  } else if (key == keys::kFileServer) {
    file_server.clear();
  } else if (key == kAliasSequence) {
    alias_modified = 0;
  }
}

const model::Cluster* State::cluster(const std::string& name) const {
  const auto found = clusters.find(name);
  return found == clusters.end() ? nullptr : &found->second.value;
}

const model::Node* State::node(const std::string& address) const {
  const auto found = nodes.find(address);
  return found == nodes.end() ? nullptr : &found->second.value;
}

std::vector<model::Node> State::cluster_nodes(const std::string& name) const {
  std::vector<model::Node> found;
  const auto addresses = nodes_of.find(name);
  if (addresses == nodes_of.end()) return found;
  for (const std::string& address : addresses->second) found.push_back(nodes.at(address).value);
  return found;
}

bool State::is_in_force(const model::Node& node) const {
  const auto cluster = in_force.find(node.cluster);
  if (cluster == in_force.end()) return false;
  const auto alias = cluster->second.find(node.alias);
  return alias != cluster->second.end() && alias->second == node.address();
}

store::Answer<void> Desk::open() {
  watch_.reset();
  // Not below kRoot at once: audit records can be many.
  auto first = store_.list(keys::kJobs, {.limit = 1});
  if (!first) return std::unexpected(first.error());
  State fresh;
  fresh.revision = first->revision;
  for (const std::string_view prefix : {keys::kClusters, keys::kInstances, keys::kJobs, keys::kHosts, keys::kVersions,
                                        keys::kSequences, keys::kFileServer}) {
    store::ListOptions options{.at = first->revision};
    for (bool more = true; more;) {
      auto page = store_.list(prefix, options);
      if (!page) return std::unexpected(page.error());
      for (const store::Record& record : page->records) fresh.put(record);
      more = page->more;
      if (more) options.after = page->records.back().key;
    }
  }
  auto watch = store_.watch(keys::kRoot, first->revision + 1);
  if (!watch) return std::unexpected(watch.error());
  watch_ = std::move(*watch);
  state_ = std::move(fresh);
  return {};
}

store::Answer<void> Desk::take(std::chrono::milliseconds patience, store::Revision until) {
  if (watch_ == nullptr) return store::fail(store::Trouble::unavailable, "the state has not been read");
  do {
    auto batch = watch_->next(patience);
    if (!batch) {
      if (batch.error().trouble != store::Trouble::unavailable) watch_.reset();
      return std::unexpected(batch.error());
    }
    for (const store::Event& event : batch->events) {
      if (event.kind == store::Event::Kind::put) {
        state_.put(event.record);
      } else {
        state_.remove(event.record.key);
      }
    }
    if (batch->next > 0) state_.revision = std::max(state_.revision, batch->next - 1);
    if (batch->events.empty() && until <= state_.revision) break;
    if (batch->events.empty() && until > state_.revision) {
      return store::fail(store::Trouble::unavailable, "the store is slow to tell what was changed");
    }
  } while (until == 0 || state_.revision < until);
  return {};
}

store::Answer<void> Desk::catch_up() {
  auto taken = take(std::chrono::milliseconds(0), 0);
  if (!taken && watch_ == nullptr) return open();
  return taken;
}

store::Answer<void> Desk::commit(store::Transaction transaction) {
  if (fence_) transaction.conditions.push_back(fence_());
  auto made = store_.commit(transaction);
  if (!made) {
    // So that what others changed is seen at the next try.
    if (made.error().trouble == store::Trouble::conflict) {
      if (auto seen = catch_up(); !seen) return seen;
    }
    return std::unexpected(made.error());
  }
  if (*made <= state_.revision) return {};
  auto seen = take(std::chrono::seconds(5), *made);
  if (!seen) return open();
  return {};
}

std::string job_key(const model::Job& job) { return keys::job(job.group, job.number); }
store::Change put_job(const model::Job& job) { return store::put(job_key(job), to_json(job)); }
store::Change put_cluster(const model::Cluster& cluster) {
  return store::put(keys::cluster_info(cluster.name), to_json(cluster));
}
store::Change put_node(const model::Node& node) { return store::put(keys::instance(node.address()), to_json(node)); }

store::Condition as_seen(const State& state, const model::Job& job) {
  const auto found = state.jobs.find(job.id());
  return store::modified_at(job_key(job), found == state.jobs.end() ? 0 : found->second.modified);
}
store::Condition as_seen(const State& state, const model::Cluster& cluster) {
  const auto found = state.clusters.find(cluster.name);
  return store::modified_at(keys::cluster_info(cluster.name),
                            found == state.clusters.end() ? 0 : found->second.modified);
}
store::Condition as_seen(const State& state, const model::Node& node) {
  const auto found = state.nodes.find(node.address());
  return store::modified_at(keys::instance(node.address()), found == state.nodes.end() ? 0 : found->second.modified);
}

}  // namespace overlord::jobs
