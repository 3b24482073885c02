#include "api/api.h"

#include <chrono>

#include "api/auth.h"
#include "api/call.h"
#include "api/change.h"
#include "api/feed.h"
#include "api/paging.h"
#include "api/secrets.h"
#include "base/log.h"
#include "store/keys.h"

namespace overlord::api {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTimeout{90};
constexpr size_t kMaxHead = 16 * 1024;

bool changes(const Call& call) { return call.request.method != "GET"; }

// Whoever asks may name his request; else it gets a name here.
std::string request_id_of(const http::Request& request) {
  constexpr size_t kLongest = 64;
  const std::string_view given = request.header("x-request-id");
  const bool good = !given.empty() && given.size() <= kLongest && store::keys::valid_part(given);
  return good ? std::string(given) : new_id();
}

http::Response error_response(const ApiError& error, const std::string& request_id) {
  http::Response response{
      .status = error.status, .type = "application/json; charset=utf-8", .body = error_body(error, request_id)};
  if (error.retry_after > 0) response.headers.emplace_back("Retry-After", std::to_string(error.retry_after));
  if (error.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

// What the HTTP server itself refuses.
http::Response server_refusal(const http::Request& request, int status, std::string_view why) {
  std::string_view code = "internal";
  if (status == 404) {
    code = "not_found";
    why = "there is nothing at this path; see /api/v1/openapi.json";
  } else if (status == 405) {
    code = "method_not_allowed";
  } else if (status == 400) {
    code = "bad_request";
  } else if (status == 403) {
    code = "forbidden";
  } else if (status == 503) {
    code = "unavailable";
  }
  const ApiError error{.status = status, .code = std::string(code), .message = std::string(why)};
  const std::string id = request_id_of(request);
  http::Response response = error_response(error, id);
  response.headers.emplace_back("X-Request-Id", id);
  return response;
}

Result<void> admit(Call& call) {
  auto who = who_asks(call.store(), call.request);
  if (!who) return std::unexpected(who.error());
  call.who = std::move(*who);
  if (call.route.need == Need::nothing) return {};
  if (call.who.user.empty()) return refuse("unauthorized", "a token is needed: Authorization: Bearer TOKEN");
  if (!may(call.who.access, call.route.need)) {
    return refuse("forbidden", "user " + call.who.user + " is " + std::string(to_string(call.who.access)) +
                                   ", which is not enough for this");
  }
  return {};
}

Result<http::Response> handle(Call& call) {
  // What is open stays open when somebody comes with a bad token, or while the store is away.
  if (call.route.need != Need::nothing) {
    if (auto admitted = admit(call); !admitted) return std::unexpected(admitted.error());
  }
  if (auto good = check_query(call); !good) return std::unexpected(good.error());
  if (call.route.body != nullptr) {
    auto body = read_body(call.request.body, call.request.header("content-type"), *call.route.body);
    if (!body) return std::unexpected(body.error());
    call.body = std::move(*body);
  }
  return call.route.handler(call);
}

void count(Service& service, const http::Response& response, Clock::time_point began) {
  service.counters.answered(response.status);
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began);
  service.counters.busy_us.fetch_add(static_cast<uint64_t>(took.count()), std::memory_order_relaxed);
}

http::Response dispatch(Service& service, const Route& route, const http::Request& request) {
  const Clock::time_point began = Clock::now();
  Call call{.service = service, .request = request, .route = route, .request_id = request_id_of(request)};
  auto answer = handle(call);
  http::Response response = answer ? std::move(*answer) : error_response(answer.error(), call.request_id);
  response.headers.emplace_back("X-Request-Id", call.request_id);
  if (response.again_when != nullptr) return response;
  if (!answer) {
    const int status = response.status;
    if (status == 401 || status == 403) service.counters.refused.fetch_add(1, std::memory_order_relaxed);
    if (status >= 500) {
      service.counters.store_errors.fetch_add(1, std::memory_order_relaxed);
      log_error("api: ", call.request_id, " ", request.method, " ", request.path, ": ", answer.error().message);
    } else if (changes(call) || status == 401 || status == 403) {
      audit_refusal(call, status);
    }
  }
  count(service, response, began);
  log_debug(1, "api: ", call.request_id, " ", request.peer, " ", call.who.user, " ", request.method, " ", request.path,
            " ", response.status);
  return response;
}

}  // namespace

std::vector<const Route*> all_routes() {
  std::vector<const Route*> out;
  for (const auto& table : {cluster_routes(), instance_routes(), job_routes(), catalog_routes(), host_routes(),
                            people_routes(), proxy_routes(), command_routes(), system_routes()}) {
    for (const Route& route : table) out.push_back(&route);
  }
  return out;
}

Api::Api(store::Store& store, const Config& config)
    : feed_(std::make_unique<Feed>(store)), service_(new Service{.store = store, .config = config, .feed = *feed_}) {}

Api::~Api() { feed_->stop(); }

Result<std::string> Api::prepare() {
  if (auto put = put_versions(); !put) return std::unexpected(put.error());
  auto token = make_first_user(service_->store);
  if (token) feed_->start();
  return token;
}

// Those of the configuration that the store does not have yet: what is changed there stays.
Result<void> Api::put_versions() {
  for (const KnownVersions& known : service_->config.versions) {
    for (const std::string& version : known.versions) {
      const std::string key = store::keys::of(store::keys::kVersions, to_string(known.type), version);
      const std::string record = model::to_json(model::Version{.type = known.type, .version = version});
      const auto put =
          service_->store.commit({.conditions = {store::absent(key)}, .changes = {store::put(key, record)}});
      if (!put && put.error().trouble != store::Trouble::conflict) return refuse(put.error());
    }
  }
  return {};
}

http::ServerOptions Api::server_options() const {
  const Config& config = service_->config;
  return {.timeout = kTimeout,
          .max_head = kMaxHead,
          .max_body = 2 * kMaxBody,  // what is between is refused in the API's own words
          .workers = static_cast<size_t>(config.workers),
          .max_connections = static_cast<size_t>(config.max_connections),
          .loose_slash = true,
          .own_pages = true,
          .cert_file = config.tls_cert,
          .key_file = config.tls_key,
          .refusal = server_refusal};
}

void Api::serve_on(http::Server& server) {
  for (const Route* route : all_routes()) {
    server.route(route->method, route->path, route->what,
                 [this, route](const http::Request& request) { return dispatch(*service_, *route, request); });
  }
}

}  // namespace overlord::api
