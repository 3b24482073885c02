#include "admin/views.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "admin/json_response.h"
#include "admin/parameters.h"
#include "protocol/redis/command_lookup.h"
#include "proxy/ask_workers.h"
#include "proxy/session.h"

namespace overlord::admin {
namespace {

using Json = nlohmann::ordered_json;
using proxy::BackendSnapshot;
using proxy::ClientSnapshot;
using proxy::ClusterSnapshot;
using routing::CommandKind;
using routing::Failure;

// A quantile of what was measured, us: the upper bound of the bucket that it is in; null when nothing was, or it lies
// above all bounds.
Json quantile(const HistogramCounts& counts, double part) {
  const auto wanted = static_cast<uint64_t>(part * static_cast<double>(counts.count()));
  uint64_t below = 0;
  for (size_t i = 0; i < kHistogramBounds.size(); ++i) {
    below += counts.buckets[i];
    if (below > 0 && below >= wanted) return kHistogramBounds[i];
  }
  return nullptr;
}

Json times_json(const HistogramCounts& counts) {
  const uint64_t count = counts.count();
  return {{"count", count},
          {"mean_us", count == 0 ? Json(nullptr) : Json(counts.sum_ns / 1000 / count)},
          {"p50_us_at_most", quantile(counts, 0.5)},
          {"p99_us_at_most", quantile(counts, 0.99)}};
}

Json failures_json(const std::array<uint64_t, routing::kFailureCount>& failures) {
  Json out = Json::object();
  for (size_t i = 1; i < failures.size(); ++i) {
    if (failures[i] > 0) out[std::string(failure_name(static_cast<Failure>(i)))] = failures[i];
  }
  return out;
}

std::string_view state_of(const BackendSnapshot& backend) {
  if (!backend.in_ring) return "ejected";
  if (backend.failing) return "down";
  return backend.connections.up > 0 ? "up" : "idle";
}

Json backend_json(const BackendSnapshot& backend) {
  Json out = {{"cluster", backend.cluster},
              {"node", backend.node},
              {"alias", backend.alias},
              {"state", state_of(backend)},
              {"in_ring", backend.in_ring},
              {"version", backend.version},
              {"connections",
               {{"idle", backend.connections.idle},
                {"connecting", backend.connections.connecting},
                {"up", backend.connections.up},
                {"down", backend.connections.down},
                {"leased", backend.connections.leased}}},
              {"queued_requests", backend.queued},
              {"unsent_bytes", backend.unsent},
              {"requests", backend.requests},
              {"faults", backend.faults},
              {"ejections", backend.ejections},
              {"bytes_in", backend.bytes_in},
              {"bytes_out", backend.bytes_out}};
  std::array<uint64_t, routing::kFailureCount> failed{};
  for (const auto& kind : backend.failed) {
    for (size_t i = 0; i < kind.size(); ++i) failed[i] += kind[i];
  }
  out["failures"] = failures_json(failed);
  for (size_t kind = 0; kind < backend.times.size(); ++kind) {
    if (backend.times[kind].count() == 0) continue;
    out["times"][std::string(kind_name(static_cast<CommandKind>(kind)))] = times_json(backend.times[kind]);
  }
  return out;
}

// For workers that did not answer: the page would look whole without.
void note_silent(Json& page, const std::vector<uint32_t>& silent) {
  if (!silent.empty()) page["workers_without_answer"] = silent;
}

// The first answer that a worker gave; the question is asked to all, since one may hang.
template <typename T>
std::optional<T> first_answer(proxy::Proxy& proxy, std::chrono::milliseconds patience,
                              const std::function<T(proxy::Worker&)>& question) {
  for (std::optional<T>& answer : proxy::ask_workers<T>(proxy.workers(), patience, question)) {
    if (answer.has_value()) return std::move(answer);
  }
  return std::nullopt;
}

struct Explanation {
  std::string steps = {};  // one a line
  std::string treatment = {};
  std::string problem = {};  // instead of the others
  std::optional<BackendSnapshot> backend = {};
};

Explanation explain(proxy::Cluster& cluster, const std::string& key, const std::string& cmd) {
  Explanation out;
  if (!cmd.empty() && config::is_redis(cluster.config().cache_type)) {
    const redis::Command* command = redis::find_command(cmd.substr(0, cmd.find('|')));
    if (const size_t bar = cmd.find('|'); command != nullptr && bar != std::string::npos) {
      command = redis::find_subcommand(*command, cmd.substr(bar + 1));
    }
    out.treatment = command == nullptr ? "unknown" : redis::treatment_name(command->treatment);
  }
  if (key.empty()) return out;
  cluster.root().explain(key, out.steps);
  const int32_t target = cluster.root().target(key);
  if (const proxy::Backend* backend = cluster.pool().find(target)) out.backend = take_snapshot(*backend);
  return out;
}

}  // namespace

http::Response clusters_page(const proxy::Snapshot& snapshot) {
  Json page = {{"clusters", Json::array()}};
  for (const ClusterSnapshot& cluster : snapshot.clusters()) {
    Json commands = Json::object();
    for (const auto& [name, counts] : cluster.commands) commands[std::string(name)] = times_json(counts);
    const auto usable = std::ranges::count_if(
        cluster.backends, [](const BackendSnapshot& backend) { return backend.in_ring && !backend.failing; });
    page["clusters"].push_back({{"name", cluster.name},
                                {"type", cluster.type},
                                {"clients", cluster.connections},
                                {"clients_accepted", cluster.accepted},
                                {"clients_refused", cluster.rejected},
                                {"clients_blocked", cluster.blocked_clients},
                                {"requests", cluster.requests},
                                {"bytes_in", cluster.bytes_in},
                                {"bytes_out", cluster.bytes_out},
                                {"failures", failures_json(cluster.failures)},
                                {"backends", cluster.backends.size()},
                                {"backends_usable", usable},
                                {"commands", commands}});
  }
  note_silent(page, snapshot.silent);
  return json_response(page);
}

http::Response backends_page(const proxy::Snapshot& snapshot, const http::Request& request) {
  const std::string_view wanted = request.parameter("cluster");
  Json page = {{"backends", Json::array()}};
  bool found = wanted.empty();
  for (const ClusterSnapshot& cluster : snapshot.clusters()) {
    if (!wanted.empty() && cluster.name != wanted) continue;
    found = true;
    for (const BackendSnapshot& backend : cluster.backends) page["backends"].push_back(backend_json(backend));
  }
  if (!found) return no_cluster(wanted);
  note_silent(page, snapshot.silent);
  return json_response(page);
}

http::Response clients_page(proxy::Proxy& proxy, const http::Request& request, std::chrono::milliseconds patience) {
  const auto number = number_parameter(request, "limit", 100, 1000);
  if (!number) return number.error();
  const size_t limit = *number;
  struct Part {
    bool found = false;
    size_t connected = 0;
    std::vector<ClientSnapshot> clients;
  };
  const std::string wanted(request.parameter("cluster"));
  const auto answers = proxy::ask_workers<Part>(proxy.workers(), patience, [wanted, limit](proxy::Worker& worker) {
    Part part;
    for (const auto& cluster : worker.clusters()) {
      if (!wanted.empty() && cluster->config().name != wanted) continue;
      part.found = true;
      part.connected += cluster->session_count();
      for (const proxy::Session* each = cluster->first_session(); each != nullptr && part.clients.size() < limit;
           each = each->list_next) {
        part.clients.push_back(each->snapshot());
      }
    }
    return part;
  });
  Json page = {{"connected", 0}, {"clients", Json::array()}};
  size_t connected = 0;
  bool found = false;
  std::vector<uint32_t> silent;
  for (uint32_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].has_value()) {
      silent.push_back(i);
      continue;
    }
    found = found || answers[i]->found;
    connected += answers[i]->connected;
    for (const ClientSnapshot& client : answers[i]->clients) {
      page["clients"].push_back({{"id", client.id},
                                 {"cluster", client.cluster},
                                 {"worker", i},
                                 {"address", client.address},
                                 {"idle_ms", client.idle_ns / 1'000'000},
                                 {"requests_in_flight", client.requests},
                                 {"unsent_bytes", client.unsent},
                                 {"unparsed_bytes", client.kept}});
    }
  }
  if (!found && silent.size() < answers.size()) return no_cluster(wanted);
  page["connected"] = connected;
  note_silent(page, silent);
  return json_response(page);
}

http::Response explain_page(proxy::Proxy& proxy, const http::Request& request, std::chrono::milliseconds patience) {
  const std::string name(request.parameter("cluster"));
  const std::string key(request.parameter("key"));
  std::string cmd(request.parameter("cmd"));
  std::ranges::transform(cmd, cmd.begin(), [](char c) { return c == ' ' ? '|' : lower(c); });
  if (name.empty() || (key.empty() && cmd.empty())) {
    return http::Response::error(400, "ask for /explain?cluster=NAME&key=KEY, with &cmd=GET if you like");
  }
  const auto answer = first_answer<Explanation>(proxy, patience, [name, key, cmd](proxy::Worker& worker) {
    proxy::Cluster* const cluster = worker.find_cluster(name);
    return cluster == nullptr ? Explanation{.problem = "no cluster"} : explain(*cluster, key, cmd);
  });
  if (!answer.has_value()) return http::Response::error(503, "no worker answered in time");
  if (!answer->problem.empty()) return no_cluster(name);
  Json page = {{"cluster", name}};
  if (!cmd.empty()) page["cmd"] = cmd;
  if (!answer->treatment.empty()) page["treatment"] = answer->treatment;
  if (key.empty()) return json_response(page);
  page["key"] = key;
  page["steps"] = Json::array();
  std::string_view rest = answer->steps;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    page["steps"].push_back(line);
  }
  page["backend"] = answer->backend.has_value() ? backend_json(*answer->backend) : Json(nullptr);
  return json_response(page);
}

}  // namespace overlord::admin
