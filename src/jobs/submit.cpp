#include "jobs/submit.h"

#include <algorithm>
#include <charconv>

#include "jobs/machine.h"
#include "jobs/state.h"
#include "model/json.h"
#include "store/keys.h"

namespace overlord::jobs {
namespace {

namespace keys = store::keys;
using model::JobKind;

constexpr int kTries = 8;  // others may change the same records
constexpr uint64_t kFirstFrontPort = 20000;
constexpr uint64_t kLastFrontPort = 65535;

std::unexpected<Denied> denied(Denied::Kind kind, std::string message) {
  return std::unexpected(Denied{.kind = kind, .message = std::move(message)});
}
std::unexpected<Denied> unavailable(const store::Error& error) {
  return denied(Denied::Kind::unavailable, "the store: " + error.message);
}

struct Sequence {
  uint64_t last = 0;
  store::Revision modified = 0;
};

Submitted<Sequence> read_sequence(store::Store& store, std::string_view key) {
  const auto record = store.get(key);
  if (!record) return unavailable(record.error());
  if (!*record) return Sequence{};
  Sequence sequence{.last = 0, .modified = (*record)->modified};
  const std::string& text = (*record)->value;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), sequence.last);
  if (failure != std::errc{} || end != text.data() + text.size()) {
    return denied(Denied::Kind::unavailable, "the record " + std::string(key) + " is no number");
  }
  return sequence;
}

void take_next(Sequence& sequence, std::string_view key, store::Transaction& transaction) {
  transaction.conditions.push_back(store::modified_at(std::string(key), sequence.modified));
  transaction.changes.push_back(store::put(std::string(key), std::to_string(++sequence.last)));
}

template <typename T>
Submitted<Kept<T>> read_record(store::Store& store, const std::string& key, const std::string& what) {
  const auto record = store.get(key);
  if (!record) return unavailable(record.error());
  if (!*record) return denied(Denied::Kind::missing, "there is no " + what);
  auto value = model::from_json<T>((*record)->value);
  if (!value)
    return denied(Denied::Kind::unavailable, "the record of " + what + " cannot be read: " + value.error().message);
  return Kept<T>{std::move(*value), (*record)->modified};
}

// The commit, or nothing when somebody else was faster and it is to be tried anew.
Submitted<bool> try_commit(store::Store& store, const store::Transaction& transaction) {
  const auto made = store.commit(transaction);
  if (made) return true;
  if (made.error().trouble == store::Trouble::conflict) return false;
  return unavailable(made.error());
}

Submitted<model::Job> add_job(store::Store& store, model::Cluster& cluster, const model::Intent& intent,
                              const std::string& user, model::Moment now, store::Transaction& transaction) {
  auto sequence = read_sequence(store, kJobSequence);
  if (!sequence) return std::unexpected(sequence.error());
  take_next(*sequence, kJobSequence, transaction);
  model::Job job{.group = cluster.group, .number = sequence->last, .intent = intent, .user = user};
  job.created = now;
  job.changed = now;
  cluster.job = job.id();
  transaction.conditions.push_back(store::absent(job_key(job)));
  transaction.changes.push_back(put_job(job));
  return job;
}

Submitted<store::Transaction> front_port(store::Store& store, model::Cluster& cluster) {
  store::Transaction transaction;
  if (cluster.front_port == 0) {
    auto ports = read_sequence(store, keys::kPortSequence);
    if (!ports) return std::unexpected(ports.error());
    ports->last = std::max(ports->last, kFirstFrontPort - 1);
    if (ports->last >= kLastFrontPort) return denied(Denied::Kind::unavailable, "all front ports have been given out");
    take_next(*ports, keys::kPortSequence, transaction);
    cluster.front_port = static_cast<uint16_t>(ports->last);
  }
  transaction.changes.push_back(store::put(keys::cluster_front_port(cluster.name), std::to_string(cluster.front_port)));
  return transaction;
}

std::unexpected<Denied> too_busy() {
  return denied(Denied::Kind::unavailable, "others keep changing the same records; try again");
}

}  // namespace

Submitted<model::Job> submit_create(store::Store& store, model::Cluster cluster, const std::string& user,
                                    model::Moment now) {
  auto problems = model::problems_of(cluster);
  if (!problems.empty()) {
    return std::unexpected(
        Denied{.kind = Denied::Kind::invalid, .message = "this cluster cannot be", .problems = problems});
  }
  cluster.state = model::ClusterState::waiting;
  cluster.created = now;
  cluster.changed = now;
  cluster.created_by = user;
  const uint16_t wanted_port = cluster.front_port;
  for (int i = 0; i < kTries; ++i) {
    const auto there = store.list(keys::cluster(cluster.name), {.limit = 1});
    if (!there) return unavailable(there.error());
    if (!there->records.empty()) return denied(Denied::Kind::taken, "there is a cluster " + cluster.name + " already");
    cluster.front_port = wanted_port;
    auto transaction = front_port(store, cluster);
    if (!transaction) return std::unexpected(transaction.error());
    const model::Intent intent{.kind = JobKind::create, .cluster = cluster.name, .shards = cluster.shards};
    const auto job = add_job(store, cluster, intent, user, now, *transaction);
    if (!job) return job;
    transaction->conditions.push_back(store::absent(keys::cluster_info(cluster.name)));
    transaction->changes.push_back(put_cluster(cluster));
    const auto made = try_commit(store, *transaction);
    if (!made) return std::unexpected(made.error());
    if (*made) return job;
  }
  return too_busy();
}

Submitted<model::Job> submit(store::Store& store, const model::Intent& intent, const std::string& user,
                             model::Moment now) {
  if (intent.kind == JobKind::create) return denied(Denied::Kind::invalid, "a new cluster is made by submit_create");
  if (!keys::valid_part(intent.cluster)) return denied(Denied::Kind::missing, "there is no cluster " + intent.cluster);
  for (int i = 0; i < kTries; ++i) {
    auto cluster = read_record<model::Cluster>(store, keys::cluster_info(intent.cluster), "cluster " + intent.cluster);
    if (!cluster) return std::unexpected(cluster.error());
    auto problems = problems_of(intent, cluster->value);
    if (!problems.empty()) {
      return std::unexpected(
          Denied{.kind = Denied::Kind::invalid, .message = problems.front().message, .problems = problems});
    }
    if (!cluster->value.job.empty()) {
      return denied(Denied::Kind::busy, "cluster " + intent.cluster + " is being changed by job " + cluster->value.job);
    }
    if (intent.kind == JobKind::destroy) {
      const auto bound = store.list(keys::of(keys::kClusters, intent.cluster, "appids/"), {.limit = 1});
      if (!bound) return unavailable(bound.error());
      if (!bound->records.empty()) {
        return denied(Denied::Kind::busy, "cluster " + intent.cluster + " is bound to applications; unbind them first");
      }
    }
    store::Transaction transaction;
    const auto job = add_job(store, cluster->value, intent, user, now, transaction);
    if (!job) return job;
    transaction.conditions.push_back(store::modified_at(keys::cluster_info(intent.cluster), cluster->modified));
    transaction.changes.push_back(put_cluster(cluster->value));
    const auto made = try_commit(store, transaction);
    if (!made) return std::unexpected(made.error());
    if (*made) return job;
  }
  return too_busy();
}

Submitted<model::Job> ask_of_job(store::Store& store, const std::string& id, Wish wish, model::Moment now) {
  const size_t dot = id.rfind('.');
  const std::string what = "job " + id;
  if (dot == std::string::npos || !keys::valid_part(id)) return denied(Denied::Kind::missing, "there is no " + what);
  const std::string key = keys::of(keys::kJobs, id.substr(0, dot), id.substr(dot + 1));
  for (int i = 0; i < kTries; ++i) {
    auto job = read_record<model::Job>(store, key, what);
    if (!job) return std::unexpected(job.error());
    model::Job& value = job->value;
    store::Transaction transaction;
    if (wish == Wish::retry) {
      if (value.state != model::JobState::failed)
        return denied(Denied::Kind::busy, "only a job that failed can be retried");
      auto cluster = read_record<model::Cluster>(store, keys::cluster_info(value.intent.cluster),
                                                 "cluster " + value.intent.cluster);
      if (!cluster) return std::unexpected(cluster.error());
      if (!cluster->value.job.empty()) {
        return denied(Denied::Kind::busy, "the cluster is being changed by job " + cluster->value.job);
      }
      // Where it was, unless another job has changed the cluster since it failed.
      retried(value, cluster->value.changed != value.ended, now);
      cluster->value.job = id;
      transaction.conditions.push_back(store::modified_at(keys::cluster_info(cluster->value.name), cluster->modified));
      transaction.changes.push_back(put_cluster(cluster->value));
    } else {
      if (is_over(value.state)) return denied(Denied::Kind::busy, what + " is over");
      if (wish == Wish::cancel) value.cancel = true;
      if (wish != Wish::cancel) value.pause = wish == Wish::pause;
      value.changed = now;
    }
    transaction.conditions.push_back(store::modified_at(key, job->modified));
    transaction.changes.push_back(put_job(value));
    const auto made = try_commit(store, transaction);
    if (!made) return std::unexpected(made.error());
    if (*made) return value;
  }
  return too_busy();
}

std::vector<model::Problem> problems_of(const model::Intent& intent, const model::Cluster& cluster) {
  std::vector<model::Problem> problems;
  const auto add = [&](const char* field, std::string message) { problems.push_back({field, std::move(message)}); };
  model::Cluster after = cluster;
  switch (intent.kind) {
    case JobKind::scale:
      after.shards = intent.shards;
      if (intent.shards == cluster.shards) add("shards", "the cluster has that many already");
      break;
    case JobKind::resize:
      after.spec.memory_mib = intent.memory_mib;
      if (intent.memory_mib == cluster.spec.memory_mib) add("memory", "the nodes have that much already");
      break;
    case JobKind::upgrade:
      after.version = intent.version;
      if (intent.version == cluster.version) add("version", "the cluster has that version already");
      break;
    case JobKind::configure:
      for (const auto& [name, value] : intent.settings) after.settings[name] = value;
      if (intent.settings.empty()) add("settings", "none is named");
      break;
    case JobKind::replace:
      if (intent.nodes.empty()) add("nodes", "none is named");
      break;
    case JobKind::recover:
    case JobKind::drain:
      if (intent.hosts.empty()) add("hosts", "none is named");
      break;
    case JobKind::rebalance:
      if (cluster.type != model::CacheType::redis_cluster) {
        add("cluster", "only a redis_cluster has roles and slots to rebalance");
      }
      break;
    case JobKind::create:
    case JobKind::destroy:
    case JobKind::restart: break;
  }
  for (model::Problem& problem : model::problems_of(after)) problems.push_back(std::move(problem));
  return problems;
}

}  // namespace overlord::jobs
