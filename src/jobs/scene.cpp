#include "jobs/scene.h"

#include <algorithm>
#include <unordered_map>

#include "base/log.h"

namespace overlord::jobs {
namespace {

// What one node will take from its host.
struct Booking {
  std::string host;
  uint16_t port = 0;
  bool bus = false;
  model::Spec spec{};  // none of either: the engine has taken it off already
};

std::vector<Booking> bookings(const State& state, const TaskBoard* tasks) {
  std::vector<Booking> all;
  for (const auto& [address, kept] : state.nodes) {
    const model::Node& node = kept.value;
    const bool live = tasks != nullptr && tasks->find(node.task) != nullptr && !tasks->is_over(node.task);
    all.push_back({.host = node.host,
                   .port = node.port,
                   .bus = node.type == model::CacheType::redis_cluster,
                   .spec = live ? model::Spec{} : node.spec});
  }
  for (const std::string& id : state.open_jobs) {
    const model::Job& job = state.jobs.at(id).value;
    const model::Cluster* const cluster = state.cluster(job.intent.cluster);
    if (cluster == nullptr || job.state == model::JobState::undoing) continue;
    for (size_t i = job.cursor; i < job.steps.size(); ++i) {
      if (job.steps[i].kind != to_string(StepKind::place)) continue;
      const auto act = act_of(job.steps[i]);
      if (!act) continue;
      for (const Place& place : act->places) {
        if (state.node(address_of(place)) != nullptr) continue;
        all.push_back({.host = place.host,
                       .port = place.port,
                       .bus = cluster->type == model::CacheType::redis_cluster,
                       .spec = cluster->spec});
      }
    }
  }
  return all;
}

std::string label(const model::Host& host, const char* name) {
  const auto found = host.labels.find(name);
  return found == host.labels.end() ? "" : found->second;
}

}  // namespace

placement::Fleet fleet_of(const State& state, const std::vector<engine::HostStatus>& statuses, const TaskBoard* tasks,
                          const std::string& group) {
  std::vector<placement::Host> hosts;
  std::unordered_map<std::string, size_t> index;
  for (const engine::HostStatus& status : statuses) {
    placement::Host host = status.free;
    host.name = status.host.name;
    host.group = status.host.group;
    const auto record = state.hosts.find(host.name);
    const model::Host& labelled = record == state.hosts.end() ? status.host : record->second.value;
    host.zone = label(labelled, "zone");
    host.rack = label(labelled, "rack");
    host.draining = status.host.draining || labelled.draining || !status.reachable || labelled.lost;
    index[host.name] = hosts.size();
    hosts.push_back(std::move(host));
  }
  for (const Booking& booking : bookings(state, tasks)) {
    const auto found = index.find(booking.host);
    if (found == index.end()) continue;
    placement::Host& host = hosts[found->second];
    host.memory_mib -= std::min<uint64_t>(host.memory_mib, booking.spec.memory_mib);
    host.cpu_milli -= std::min<uint64_t>(host.cpu_milli, booking.spec.cpu_milli);
    host.taken.push_back(booking.port);
    if (booking.bus) host.taken.push_back(static_cast<uint16_t>(booking.port + placement::kBusOffset));
  }
  return placement::Fleet(std::move(hosts), group);
}

Scene scene_of(Tools& tools, const model::Job& job, const model::Cluster& cluster, std::mt19937_64& random) {
  const State& state = tools.state();
  Scene scene{.intent = job.intent,
              .cluster = cluster,
              .nodes = state.cluster_nodes(cluster.name),
              .fleet = fleet_of(state, tools.tasks.hosts(), &tools.tasks, cluster.group),
              .last_alias = state.last_alias,
              .random = &random,
              .ramp_hold = tools.timing.ramp_hold};
  using enum model::JobKind;
  if (job.intent.kind == destroy) return scene;
  if (job.intent.kind != create) {
    std::erase_if(scene.nodes, [&](const model::Node& node) { return !state.is_in_force(node); });
  }
  for (const model::Node& node : scene.nodes) {
    const engine::TaskStatus* const status = tools.tasks.find(node.task);
    const bool lost = status != nullptr && (engine::is_over(status->state) || status->state == engine::TaskState::lost);
    if (lost || !tools.tasks.reachable(node.host)) scene.dead.push_back(node.address());
  }
  if (cluster.type == model::CacheType::redis_cluster && job.intent.kind != create) {
    auto seen = see_cluster(tools, cluster.name);
    if (seen) {
      scene.topology = std::move(*seen);
    } else {
      log_info("cluster ", cluster.name, ": ", seen.error().message);
    }
  }
  return scene;
}

Steps steps_to_clear(const State& state, const model::Job& job, const model::Cluster& cluster) {
  Steps steps;
  if (job.intent.kind == model::JobKind::create || job.intent.kind == model::JobKind::destroy) return steps;
  std::vector<std::string> left;
  Act forget{.kind = StepKind::forget};
  for (const model::Node& node : state.cluster_nodes(cluster.name)) {
    if (state.is_in_force(node)) continue;
    left.push_back(node.address());
    forget.ids.push_back(node.node_id);
  }
  if (left.empty()) return steps;
  if (cluster.type == model::CacheType::redis_cluster) {
    add_for_nodes(steps, {.kind = StepKind::stop, .flag = true}, left);
    steps.acts.push_back(std::move(forget));
  }
  add_for_nodes(steps, {.kind = StepKind::stop}, left);
  return steps;
}

}  // namespace overlord::jobs
