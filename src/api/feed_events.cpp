// What of a change in the store is shown, and how: server-sent events.
// Source: https://html.spec.whatwg.org/multipage/server-sent-events.html

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/feed.h"
#include "api/records.h"
#include "api/views.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;
using Clock = std::chrono::steady_clock;

constexpr size_t kEventsAtOnce = 200;
constexpr std::chrono::hours kLongest{1};

// A record that cannot be read has no data.
template <typename Record>
std::optional<Record> record_of(const store::Event& event) {
  if (event.kind == store::Event::Kind::removed) return std::nullopt;
  auto record = model::from_json<Record>(event.record.value);
  if (!record) return std::nullopt;
  return std::move(*record);
}

void of_cluster(std::string_view path, const store::Event& event, FeedEvent& out) {
  const size_t slash = path.find('/');
  const std::string_view kind = slash == std::string_view::npos ? "" : path.substr(slash + 1);
  out.cluster = path.substr(0, slash);
  if (kind == "info") {
    out.type = "cluster";
    out.name = out.cluster;
    if (const auto cluster = record_of<model::Cluster>(event)) {
      out.data = text_of({{"state", to_string(cluster->state)},
                          {"reason", cluster->reason},
                          {"job", cluster->job},
                          {"number", cluster->shards},
                          {"version", cluster->version}});
    }
  } else if (kind.starts_with("appids/")) {
    out.type = "binding";
    out.name = out.cluster + "/" + std::string(kind.substr(7));
  }
}

void of_instance(std::string_view path, const store::Event& event, FeedEvent& out) {
  const size_t slash = path.find('/');
  const std::string_view kind = slash == std::string_view::npos ? "" : path.substr(slash + 1);
  if (kind != "info" && kind != "state") return;
  out.type = kind == "info" ? "instance" : "instance_state";
  out.name = path.substr(0, slash);
  if (kind == "info") {
    if (const auto node = record_of<model::Node>(event)) {
      out.cluster = node->cluster;
      out.data = text_of({{"cluster", node->cluster},
                          {"alias", keys::ordered(node->alias)},
                          {"shard", node->shard},
                          {"weight", node->weight}});
    }
  } else if (const auto state = record_of<model::NodeState>(event)) {
    out.data = text_of({{"state", to_string(state->health)}, {"reason", state->reason}});
  }
}

void of_job(const store::Event& event, FeedEvent& out) {
  out.type = "job";
  out.name = below(event.record.key, keys::kJobs);
  std::ranges::replace(out.name, '/', '.');
  if (const auto job = record_of<model::Job>(event)) {
    out.cluster = job->intent.cluster;
    out.data = text_of(view(*job, false));
  }
}

void of_host(const store::Event& event, FeedEvent& out) {
  out.type = "host";
  out.name = below(event.record.key, keys::kHosts);
  if (const auto host = record_of<model::Host>(event)) {
    out.data = text_of({{"group", host->group}, {"draining", host->draining}, {"lost", host->lost}});
  }
}

struct Kind {
  std::string_view prefix;
  std::string_view type;  // empty: only to end streams by
};
constexpr Kind kOthers[] = {
    {keys::kAppids, "appid"}, {keys::kSpecs, "spec"}, {keys::kVersions, "version"}, {keys::kProxies, "proxy"},
    {keys::kUsers, ""},       {keys::kTokens, ""},    {keys::kLeaders, "leader"},
};

std::string message_of(const FeedEvent& event, bool last) {
  Json document{{"type", event.type}, {"name", event.name}, {"action", event.removed ? "removed" : "put"}};
  if (!event.cluster.empty()) document["cluster"] = event.cluster;
  if (!event.data.empty()) {
    Json data = Json::parse(event.data, nullptr, false);
    if (!data.is_discarded()) document["data"] = std::move(data);
  }
  document["revision"] = event.revision;
  std::string out = "event: " + event.type + "\n";
  // Who comes back in the middle of a transaction gets all of it again.
  if (last) out += "id: " + std::to_string(event.revision) + "\n";
  return out + "data: " + text_of(document) + "\n\n";
}

class EventStream : public http::Stream {
 public:
  EventStream(Feed& feed, store::Revision from, std::vector<FeedEvent> first, FeedFilter filter, std::string token_key,
              std::string user_key, std::atomic<int64_t>& streams)
      : feed_(feed),
        from_(from),
        first_(std::move(first)),
        filter_(std::move(filter)),
        token_key_(std::move(token_key)),
        user_key_(std::move(user_key)),
        streams_(streams) {
    streams_.fetch_add(1);
  }
  ~EventStream() override { streams_.fetch_sub(1); }
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  bool read(std::string& out) override {
    if (!greeted_) {
      out += "retry: 1000\n: events of Overlord\n\n";
      greeted_ = true;
    }
    if (Clock::now() - began_ >= kLongest) return false;
    if (!first_.empty()) {
      const std::vector<FeedEvent> first = std::exchange(first_, {});
      return write(first, out);
    }
    const auto events = feed_.since(from_, kEventsAtOnce);
    if (events) return write(*events, out);
    const store::Revision next = feed_.next();
    if (next == 0) return true;  // the store does not answer; this comes again
    out += "event: reset\nid: " + std::to_string(next - 1) +
           "\ndata: {\"type\":\"reset\",\"message\":\"events were missed: list anew\"}\n\n";
    from_ = next;
    return true;
  }

 private:
  bool write(const std::vector<FeedEvent>& events, std::string& out) {
    for (size_t i = 0; i < events.size(); ++i) {
      const FeedEvent& event = events[i];
      from_ = event.revision + 1;
      if (event.key == user_key_ || (event.key == token_key_ && event.removed)) return false;
      const bool last = i + 1 == events.size() || events[i + 1].revision != event.revision;
      if (wanted(event)) out += message_of(event, last);
    }
    return true;
  }

  bool wanted(const FeedEvent& event) const {
    if (event.type.empty()) return false;
    const auto& types = filter_.types;
    if (!types.empty() && std::ranges::find(types, event.type) == types.end()) return false;
    return filter_.cluster.empty() || filter_.cluster == event.cluster;
  }

  Feed& feed_;
  store::Revision from_;
  std::vector<FeedEvent> first_;
  const FeedFilter filter_;
  const std::string token_key_;
  const std::string user_key_;
  std::atomic<int64_t>& streams_;
  const Clock::time_point began_ = Clock::now();
  bool greeted_ = false;
};

}  // namespace

std::optional<FeedEvent> feed_event(const store::Event& event) {
  const std::string& key = event.record.key;
  FeedEvent out{.revision = event.record.modified, .removed = event.kind == store::Event::Kind::removed, .key = key};
  if (key.starts_with(keys::kClusters)) {
    of_cluster(below(key, keys::kClusters), event, out);
  } else if (key.starts_with(keys::kInstances)) {
    of_instance(below(key, keys::kInstances), event, out);
  } else if (key.starts_with(keys::kJobs)) {
    of_job(event, out);
  } else if (key.starts_with(keys::kHosts)) {
    of_host(event, out);
  } else {
    for (const Kind& kind : kOthers) {
      if (!key.starts_with(kind.prefix)) continue;
      out.type = kind.type;
      if (!kind.type.empty()) out.name = below(key, kind.prefix);
      return out;
    }
  }
  if (out.type.empty()) return std::nullopt;
  return out;
}

std::shared_ptr<http::Stream> event_stream(Feed& feed, store::Revision from, std::vector<FeedEvent> first,
                                           FeedFilter filter, std::string token_key, std::string user_key,
                                           std::atomic<int64_t>& streams) {
  return std::make_shared<EventStream>(feed, from, std::move(first), std::move(filter), std::move(token_key),
                                       std::move(user_key), streams);
}

}  // namespace overlord::api
