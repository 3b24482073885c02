#pragma once
// Call: one request on its way through the API, with who asks; Route: what there is to ask. Internal to this module.
//
//   http::Server -> dispatch: request id -> token -> access -> body by its schema -> handler -> answer or error
//                                                                  |
//                                              reads the store, or makes one transaction (change.h)

#include <chrono>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "api/config.h"
#include "api/counters.h"
#include "api/error.h"
#include "api/login_limit.h"
#include "api/request_body.h"
#include "api/schema.h"
#include "http/server.h"
#include "model/people.h"
#include "store/store.h"

namespace overlord::api {

class Feed;

// What /metrics says of the platform, for some seconds: anybody may ask for it, and it takes reading the whole store.
struct PlatformPage {
  std::mutex mutex{};  // guards what follows
  std::chrono::steady_clock::time_point made{};
  std::string text{};  // empty: the store did not answer
};

// What all handlers share. Handlers run on several threads at once.
struct Service {
  store::Store& store;
  const Config& config;
  Feed& feed;
  LoginLimit logins{};
  Counters counters{};
  PlatformPage platform{};
};

struct Who {
  std::string user{};  // empty: nobody
  model::Access access = model::Access::viewer;
  std::string token_key{};  // in the store
};

struct Route;

struct Call {
  Service& service;
  const http::Request& request;
  const Route& route;
  std::string request_id{};
  Who who{};
  Body body{};
  std::string target{};  // "cluster a", for the audit

  store::Store& store() const { return service.store; }
  std::string capture(std::string_view name) const { return std::string(request.capture(name)); }
};

using Handler = Result<http::Response> (*)(Call&);

// How far a route is open.
enum class Need : uint8_t { nothing, viewer, operator_, admin };

struct Route {
  std::string_view method;
  std::string_view path;
  std::string_view what;  // one sentence
  Need need = Need::viewer;
  Handler handler = nullptr;
  const Schema* body = nullptr;    // null: none is read
  const Schema* answer = nullptr;  // of an object, or of the items of a list; null: other than JSON
  bool list = false;               // the answer is {"count", "items", "next"}
  std::span<const Field> query{};
  int status = 200;  // when all is well
};

// Tables of routes by subject; openapi.cpp and api.cpp go over all of them.
std::span<const Route> cluster_routes();
std::span<const Route> instance_routes();
std::span<const Route> job_routes();
std::span<const Route> catalog_routes();
std::span<const Route> host_routes();
std::span<const Route> people_routes();
std::span<const Route> proxy_routes();
std::span<const Route> command_routes();
std::span<const Route> system_routes();
std::vector<const Route*> all_routes();

}  // namespace overlord::api
