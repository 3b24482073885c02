// What is about the server itself: events, health, metrics, its own description.

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "api/feed.h"
#include "api/metrics_page.h"
#include "api/openapi.h"
#include "api/paging.h"
#include "api/views.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

namespace keys = store::keys;

constexpr int64_t kMaxStreams = 1000;

constexpr Field kEventsQuery[] = {
    {.name = "types", .what = "With commas between: cluster, job, instance, instance_state, host, binding, ..."},
    {.name = "cluster", .what = "Only what is about it."},
    {.name = "last_event_id", .what = "As the header Last-Event-ID, which counts if there are both."},
};

Result<store::Revision> last_seen(const Call& call) {
  std::string_view text = call.request.header("last-event-id");
  if (text.empty()) text = call.request.parameter("last_event_id");
  store::Revision revision = 0;
  if (text.empty()) return revision;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (wrong != std::errc{} || end != text.data() + text.size() || revision < 1) {
    Problems problems;
    problems.add("last_event_id", "must be the id of an event");
    return problems.refusal();
  }
  return revision;
}

Result<http::Response> events(Call& call) {
  Feed& feed = call.service.feed;
  const auto seen = last_seen(call);
  if (!seen) return std::unexpected(seen.error());
  const store::Revision next = feed.next();
  if (next == 0) return refuse("unavailable", "the store is not being watched");
  if (call.service.counters.streams.load() >= kMaxStreams) {
    return refuse("unavailable", "as many as this server serves follow events already");
  }
  store::Revision from = *seen == 0 ? next : *seen + 1;
  std::vector<FeedEvent> first;
  if (*seen != 0 && from < next && !feed.since(from, 1)) {
    // What is neither here nor in the store is missed; the stream says so.
    if (auto earlier = feed.earlier(from)) first = std::move(*earlier);
  }
  FeedFilter filter{.cluster = std::string(call.request.parameter("cluster"))};
  for (std::string_view types = call.request.parameter("types"); !types.empty();) {
    const std::string_view type = types.substr(0, types.find(','));
    types.remove_prefix(std::min(types.size(), type.size() + 1));
    filter.types.emplace_back(type);
  }
  http::Response response{.type = "text/event-stream; charset=utf-8", .body = {}};
  response.headers.emplace_back("X-Accel-Buffering", "no");
  response.stream = event_stream(feed, from, std::move(first), std::move(filter), call.who.token_key,
                                 keys::of(keys::kUsers, call.who.user), call.service.counters.streams);
  return response;
}

Result<http::Response> healthz(Call&) { return http::Response{.body = "ok\n"}; }

Result<http::Response> readyz(Call& call) {
  const auto answer = call.store().get(keys::kFramework);
  if (!answer) return refuse(answer.error());
  if (!call.service.feed.healthy()) return refuse("unavailable", "the store is not being watched");
  return http::Response{.body = "ok\n"};
}

Result<http::Response> metrics(Call& call) {
  return http::Response{.type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_page(call.service)};
}

Result<http::Response> description(Call&) {
  return http::Response{.type = "application/json; charset=utf-8", .body = openapi_document()};
}

constexpr Route kRoutes[] = {
    {.method = "GET",
     .path = "/api/v1/events",
     .what = "What changes, as server-sent events.",
     .handler = events,
     .query = kEventsQuery},
    {.method = "GET",
     .path = "/api/v1/openapi.json",
     .what = "This description.",
     .need = Need::nothing,
     .handler = description},
    {.method = "GET",
     .path = "/healthz",
     .what = "Whether the server runs.",
     .need = Need::nothing,
     .handler = healthz},
    {.method = "GET",
     .path = "/readyz",
     .what = "Whether it can serve: the store answers and is being watched.",
     .need = Need::nothing,
     .handler = readyz},
    {.method = "GET", .path = "/metrics", .what = "Numbers for Prometheus.", .need = Need::nothing, .handler = metrics},
};

}  // namespace

std::span<const Route> system_routes() { return kRoutes; }

}  // namespace overlord::api
