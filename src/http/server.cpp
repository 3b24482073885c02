#include "http/server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "http/server_routes.h"
#include "http/server_streams.h"
#include "http/server_tls.h"
#include "http/server_workers.h"
#include "net/socket.h"

namespace overlord::http {
namespace {

constexpr int kBacklog = 64;
constexpr int kMethods =
    EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE;
// While there are too many connections, how often it is looked whether some have gone.
constexpr timeval kCrowdPeriod{0, 100'000};

std::string_view method_name(evhttp_cmd_type type) {
  switch (type) {
    case EVHTTP_REQ_POST: return "POST";
    case EVHTTP_REQ_PUT: return "PUT";
    case EVHTTP_REQ_PATCH: return "PATCH";
    case EVHTTP_REQ_DELETE: return "DELETE";
    default: return "GET";
  }
}

std::string decoded(const std::string& text) {
  size_t size = 0;
  const std::unique_ptr<char, decltype(&::free)> plain(::evhttp_uridecode(text.c_str(), 0, &size), ::free);
  return plain == nullptr ? std::string() : std::string(plain.get(), size);
}

std::map<std::string, std::string, std::less<>> query_of(const char* text) {
  std::map<std::string, std::string, std::less<>> out;
  evkeyvalq list{};
  if (text == nullptr || ::evhttp_parse_query_str(text, &list) != 0) return out;
  for (const evkeyval* item = list.tqh_first; item != nullptr; item = item->next.tqe_next) {
    out.insert_or_assign(item->key, item->value);
  }
  ::evhttp_clear_headers(&list);
  return out;
}

Request read(evhttp_request& message) {
  Request request;
  request.method = method_name(::evhttp_request_get_command(&message));
  const evhttp_uri* uri = ::evhttp_request_get_evhttp_uri(&message);
  const char* path = ::evhttp_uri_get_path(uri);
  request.raw_path = path == nullptr || *path == '\0' ? "/" : path;
  request.path = decoded(request.raw_path);
  request.came = std::chrono::steady_clock::now();
  if (evhttp_connection* connection = ::evhttp_request_get_connection(&message)) {
    char* peer = nullptr;
    uint16_t port = 0;
    ::evhttp_connection_get_peer(connection, &peer, &port);
    if (peer != nullptr) request.peer = peer;
  }
  request.query = query_of(::evhttp_uri_get_query(uri));
  const evkeyvalq* headers = ::evhttp_request_get_input_headers(&message);
  for (const evkeyval* item = headers->tqh_first; item != nullptr; item = item->next.tqe_next) {
    request.headers.insert_or_assign(lower_case(item->key), item->value);
  }
  evbuffer* body = ::evhttp_request_get_input_buffer(&message);
  request.body.resize(::evbuffer_get_length(body));
  ::evbuffer_remove(body, request.body.data(), request.body.size());
  return request;
}

// Whether the request has a body that evhttp leaves in the connection, where it would become the next request: it reads
// none of those that need not have one.
bool leaves_bytes(evhttp_request& message) {
  const evkeyvalq* headers = ::evhttp_request_get_input_headers(&message);
  const size_t got = ::evbuffer_get_length(::evhttp_request_get_input_buffer(&message));
  if (::evhttp_find_header(headers, "Transfer-Encoding") != nullptr) return got == 0;
  const char* const length = ::evhttp_find_header(headers, "Content-Length");
  return length != nullptr && length != std::to_string(got);
}

void write_headers(evhttp_request& message, const Response& response) {
  evkeyvalq* headers = ::evhttp_request_get_output_headers(&message);
  ::evhttp_add_header(headers, "Content-Type", response.type.c_str());
  ::evhttp_add_header(headers, "Cache-Control", "no-store");
  for (const auto& [name, value] : response.headers) ::evhttp_add_header(headers, name.c_str(), value.c_str());
}

void write(evhttp_request& message, const Response& response) {
  write_headers(message, response);
  evkeyvalq* headers = ::evhttp_request_get_output_headers(&message);
  if (::evhttp_request_get_command(&message) == EVHTTP_REQ_HEAD) {
    ::evhttp_add_header(headers, "Content-Length", std::to_string(response.body.size()).c_str());
    return ::evhttp_send_reply(&message, response.status, nullptr, nullptr);
  }
  evbuffer* body = ::evhttp_request_get_output_buffer(&message);
  ::evbuffer_add(body, response.body.data(), response.body.size());
  ::evhttp_send_reply(&message, response.status, nullptr, nullptr);
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

}  // namespace

struct Server::Events {
  net::UniqueFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Owned<event_base> base{::event_base_new(), ::event_base_free};
  Owned<event> stop{nullptr, ::event_free};
  Owned<evhttp> http{::evhttp_new(base.get()), ::evhttp_free};
  Owned<event> crowd{nullptr, ::event_free};  // looks whether there is room again
  std::unique_ptr<ServerTls> tls;             // null: plain
  ServerStreams streams{*base};               // ends before the connections do
  std::unique_ptr<ServerWorkers> workers;     // null: handlers run here
  evconnlistener* listener = nullptr;
  int fd = -1;  // of the listener
  size_t max_connections = 0;
  bool crowded = false;
  std::atomic<bool> open{true};
  std::atomic<bool> stopping{false};

  // On the server's thread.
  void woken() {
    eventfd_t ignored = 0;
    (void)::eventfd_read(wake.get(), &ignored);
    if (stopping.load()) {
      ::event_base_loopbreak(base.get());
    } else {
      listen();
    }
  }
  void listen() {
    if (open.load() && !crowded) {
      ::evconnlistener_enable(listener);
    } else {
      ::evconnlistener_disable(listener);
    }
  }
  // evhttp does not say when a connection ends. But each has an event with a time-out, which counts twice, unless it is
  // being answered.
  size_t connections() const {
    const auto events = static_cast<size_t>(::event_base_get_num_events(base.get(), EVENT_BASE_COUNT_ADDED));
    return events / 2 + (workers == nullptr ? 0 : workers->held());
  }
  void look_at_crowd() {
    crowded = max_connections > 0 && connections() >= max_connections;
    if (crowded) ::event_add(crowd.get(), &kCrowdPeriod);
    listen();
  }
  // For a connection that was just accepted.
  bufferevent* connection() {
    look_at_crowd();
    return tls != nullptr ? tls->accepting(*base) : ::bufferevent_socket_new(base.get(), -1, BEV_OPT_CLOSE_ON_FREE);
  }
};

std::string_view Request::header(std::string_view lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::string_view{} : found->second;
}

std::string_view Request::parameter(std::string_view name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string_view{} : found->second;
}

std::string_view Request::capture(std::string_view name) const {
  const auto found = captures.find(name);
  return found == captures.end() ? std::string_view{} : found->second;
}

Response Response::error(int status, std::string_view text) {
  return {.status = status, .body = std::string(text) + (text.ends_with('\n') ? "" : "\n")};
}

Server::Server(ServerOptions options) : options_(std::move(options)) {}

Server::~Server() { stop(); }

void Server::route(std::string_view method, std::string_view path, std::string_view what, Handler handler) {
  routes_.push_back({std::string(method), std::string(path), std::string(what)});
  handlers_.push_back(std::move(handler));
}

Result<void> Server::start(const net::SocketAddress& address, net::UniqueFd handed, bool open) {
  Result<net::UniqueFd> fd = std::move(handed);
  if (!fd->valid()) fd = net::listen_socket(address, false, kBacklog);
  if (!fd) return fail(fd.error().message);
  address_ = address;
  address_.length = sizeof address_.storage;
  if (::getsockname(fd->get(), reinterpret_cast<sockaddr*>(&address_.storage), &address_.length) != 0) {
    return fail(std::string("cannot ask for the socket's address: ") + std::strerror(errno));
  }
  auto events = std::make_unique<Events>();
  if (auto prepared = prepare(*events); !prepared) return prepared;
  evhttp* http = events->http.get();
  ::evhttp_set_timeout(http, static_cast<int>(options_.timeout.count()));
  ::evhttp_set_max_headers_size(http, static_cast<ev_ssize_t>(options_.max_head));
  ::evhttp_set_max_body_size(http, static_cast<ev_ssize_t>(options_.max_body));
  ::evhttp_set_allowed_methods(http, kMethods);
  if (events->tls != nullptr || events->max_connections > 0) {
    ::evhttp_set_bevcb(
        http, [](event_base*, void* self) { return static_cast<Events*>(self)->connection(); }, events.get());
  }
  ::evhttp_set_gencb(
      http, [](evhttp_request* message, void* self) { static_cast<Server*>(self)->serve(*message); }, this);
  evhttp_bound_socket* const bound = ::evhttp_accept_socket_with_handle(http, fd->get());
  if (bound == nullptr) return fail("cannot accept connections there");
  events->fd = fd->release();  // evhttp closes it
  events->listener = ::evhttp_bound_socket_get_listener(bound);
  events->open.store(open);
  if (!open) ::evconnlistener_disable(events->listener);
  const auto on_wake = [](evutil_socket_t, short, void* woken) { static_cast<Events*>(woken)->woken(); };
  event_base* base = events->base.get();
  events->stop.reset(::event_new(base, events->wake.get(), EV_READ | EV_PERSIST, on_wake, events.get()));
  ::event_add(events->stop.get(), nullptr);
  events_ = std::move(events);
  thread_ = std::thread([base] {
    ::pthread_setname_np(::pthread_self(), "http");
    ::event_base_dispatch(base);
  });
  return {};
}

// TLS, threads, and the timer of a crowd.
Result<void> Server::prepare(Events& events) {
  if (!options_.cert_file.empty()) {
    auto tls = ServerTls::make(options_.cert_file, options_.key_file);
    if (!tls) return fail(tls.error().message);
    events.tls = std::move(*tls);
  }
  events.max_connections = options_.max_connections;
  const auto on_crowd = [](evutil_socket_t, short, void* self) { static_cast<Events*>(self)->look_at_crowd(); };
  events.crowd.reset(::event_new(events.base.get(), -1, 0, on_crowd, &events));
  if (options_.workers > 0) {
    events.workers = std::make_unique<ServerWorkers>(
        *events.base, options_.workers, kMostQueued, [this](Request& request) { return answer(request); },
        [this](evhttp_request& message, const Response& response) { finish(message, response); });
  }
  return {};
}

void Server::let_in(bool open) {
  if (events_ == nullptr) return;
  events_->open.store(open);
  ::eventfd_write(events_->wake.get(), 1);
}

net::UniqueFd Server::socket() const {
  return net::UniqueFd(events_ == nullptr ? -1 : ::fcntl(events_->fd, F_DUPFD_CLOEXEC, 0));
}

void Server::stop() {
  if (events_ == nullptr) return;
  events_->stopping.store(true);
  ::eventfd_write(events_->wake.get(), 1);
  if (thread_.joinable()) thread_.join();
  events_->workers.reset();  // what they were at is answered while there is a server
  events_.reset();
  if (address_.family() == AF_UNIX && path_is_ours_.load()) {
    ::unlink(reinterpret_cast<const sockaddr_un*>(&address_.storage)->sun_path);
  }
}

void Server::serve(evhttp_request& message) {
  if (leaves_bytes(message)) {
    ::evhttp_add_header(::evhttp_request_get_output_headers(&message), "Connection", "close");
  }
  Request request = read(message);
  if (events_->workers == nullptr) return finish(message, answer(request));
  if (events_->workers->full()) return finish(message, refuse(request, 503, "too many requests wait for their turn"));
  events_->workers->take(message, std::move(request));
}

void Server::finish(evhttp_request& message, const Response& response) {
  if (response.stream == nullptr || ::evhttp_request_get_command(&message) == EVHTTP_REQ_HEAD) {
    return write(message, response);
  }
  write_headers(message, response);
  events_->streams.start(message, response.status, response.stream, options_.timeout);
}

Server::Found Server::find(Request& request) const {
  Found found;
  for (size_t i = 0; i < routes_.size(); ++i) {
    if (!matches(routes_[i].path, request, options_.loose_slash)) continue;
    found.allowed.append(found.allowed.empty() ? "" : ", ").append(routes_[i].method);
    if (found.handler == nullptr && routes_[i].method == request.method) {
      found.handler = &handlers_[i];
      request.captures = captures(routes_[i].path, request.raw_path);
    }
  }
  return found;
}

Response Server::refuse(const Request& request, int status, std::string_view why) const {
  return options_.refusal != nullptr ? options_.refusal(request, status, why) : Response::error(status, why);
}

Response Server::answer(Request& request) const {
  // A web page in an operator's browser may send requests here; what changes something is not for it.
  if (request.method != "GET" && !request.header("origin").empty() &&
      !(options_.own_pages && is_own_page(request.header("origin"), request.header("host")))) {
    return refuse(request, 403, "requests of web pages may only read");
  }
  const Found found = find(request);
  if (found.handler == nullptr) {
    if (found.allowed.empty()) {
      return refuse(request, 404, "there is nothing at this path; there is:\n" + route_list());
    }
    Response response = refuse(request, 405, "this path answers to " + found.allowed);
    response.headers.emplace_back("Allow", found.allowed);
    return response;
  }
  try {
    return (*found.handler)(request);
  } catch (const std::exception& problem) {
    log_error("http: ", request.path, ": ", problem.what());
    return refuse(request, 500, "this page failed; the log says why");
  }
}

std::string Server::route_list() const {
  std::string text;
  for (const RouteInfo& route : routes_) {
    text.append(route.method).append(" ").append(route.path).append("  ").append(route.what).append("\n");
  }
  return text;
}

}  // namespace overlord::http
