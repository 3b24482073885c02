#include "api/metrics_page.h"

#include <algorithm>
#include <map>

#include "api/feed.h"
#include "api/records.h"
#include "model/names.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;

constexpr std::chrono::seconds kFresh{2};

class Page {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
    text.append(name).append(" ").append(type).append("\n");
  }
  // labels: as they stand between the braces; their values are words of ours.
  void sample(const std::string& labels, uint64_t value) {
    text.append(name_);
    if (!labels.empty()) text.append("{").append(labels).append("}");
    text.append(" ").append(std::to_string(value)).append("\n");
  }

  std::string text;

 private:
  std::string_view name_;
};

template <typename Enum>
void by_state(Page& page, const std::map<Enum, uint64_t>& counts) {
  for (size_t i = 0; i < model::kNames<Enum>.size(); ++i) {
    const auto found = counts.find(static_cast<Enum>(i));
    page.sample("state=\"" + std::string(model::kNames<Enum>[i]) + "\"", found == counts.end() ? 0 : found->second);
  }
}

void server(Page& page, const Service& service) {
  const Counters& counters = service.counters;
  page.family("overlord_api_requests_total", "counter", "Requests that were answered, by class of status.");
  for (size_t i = 1; i < Counters::kClasses; ++i) {
    page.sample("status=\"" + std::to_string(i) + "xx\"", counters.answers[i].load());
  }
  page.family("overlord_api_busy_microseconds_total", "counter", "Time that handlers took, all together.");
  page.sample("", counters.busy_us.load());
  page.family("overlord_api_changes_total", "counter", "Changes that were made.");
  page.sample("", counters.changes.load());
  page.family("overlord_api_refusals_total", "counter", "Requests without a good token or enough access.");
  page.sample("", counters.refused.load());
  page.family("overlord_api_login_failures_total", "counter", "Logins that failed.");
  page.sample("", counters.logins_failed.load());
  page.family("overlord_api_store_failures_total", "counter", "Requests that the store failed.");
  page.sample("", counters.store_errors.load());
  page.family("overlord_api_streams", "gauge", "Clients that follow events.");
  page.sample("", static_cast<uint64_t>(std::max<int64_t>(0, counters.streams.load())));
  page.family("overlord_api_store_watched", "gauge", "1 while the store is being watched.");
  page.sample("", service.feed.healthy() ? 1 : 0);
}

// Empty: the store does not answer.
std::string platform(store::Store& store) {
  Page page;
  const auto clusters = read_clusters(store);
  const auto jobs = read_all<model::Job>(store, keys::kJobs);
  const auto hosts = read_all<model::Host>(store, keys::kHosts);
  if (!clusters || !jobs || !hosts) return {};
  std::map<model::ClusterState, uint64_t> states;
  std::map<model::Health, uint64_t> healths;
  for (const ClusterView& view : *clusters) {
    ++states[view.cluster.state];
    for (const NodeView& node : view.nodes) ++healths[node.state.health];
  }
  std::map<model::JobState, uint64_t> job_states;
  for (const auto& job : *jobs) ++job_states[job.record.state];
  uint64_t lost = 0;
  uint64_t draining = 0;
  for (const auto& host : *hosts) {
    lost += host.record.lost ? 1 : 0;
    draining += host.record.draining ? 1 : 0;
  }
  page.family("overlord_platform_clusters", "gauge", "Clusters by state.");
  by_state(page, states);
  page.family("overlord_platform_nodes", "gauge", "Nodes of clusters by what they were last seen to be.");
  by_state(page, healths);
  page.family("overlord_platform_jobs", "gauge", "Jobs that are kept, by state.");
  by_state(page, job_states);
  page.family("overlord_platform_hosts", "gauge", "Hosts that are known.");
  page.sample("", hosts->size());
  page.family("overlord_platform_hosts_lost", "gauge", "Hosts that were not heard of for long.");
  page.sample("", lost);
  page.family("overlord_platform_hosts_draining", "gauge", "Hosts that take no new nodes.");
  page.sample("", draining);
  return page.text;
}

}  // namespace

std::string metrics_page(Service& service) {
  Page page;
  server(page, service);
  bool up = false;
  {
    const std::lock_guard lock(service.platform.mutex);
    const auto now = std::chrono::steady_clock::now();
    if (service.platform.text.empty() || now - service.platform.made >= kFresh) {
      service.platform.text = platform(service.store);
      service.platform.made = now;
    }
    page.text += service.platform.text;
    up = !service.platform.text.empty();
  }
  page.family("overlord_api_store_up", "gauge", "1 when the store answered for this page.");
  page.sample("", up ? 1 : 0);
  return page.text;
}

}  // namespace overlord::api
