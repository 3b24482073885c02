#pragma once
// Server: an HTTP/1.1 server for operators and monitoring: few connections, small requests, a thread of its own. libevent's
// evhttp reads and writes the messages; this names the routes and keeps the bounds.
//
// A request larger than the limits gets 413 or 400, one that is not whole in time, an answer that is not taken and a
// connection that asks nothing end after `timeout`. Handlers run on the server's thread, one at a time: one that waits for
// long keeps the others waiting. With `workers` they run on so many threads instead, at the same time, and may wait; what
// comes while kMostQueued requests wait for a thread gets 503.
//
// A response with a Stream lasts as long as its client takes what comes. When nothing did for a while an empty line is sent,
// so that a client that vanished is noticed. Then the connection is closed.
//
// A path is matched as it is, or segment by segment where the route has names in braces: "/clusters/{name}/nodes".
// Unknown paths get 404 and the list of routes, known ones with another method 405.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "net/address.h"
#include "net/socket.h"

struct evhttp_request;

namespace overlord::http {

struct Request {
  std::string method;                                       // "GET"; HEAD is shown to handlers as GET
  std::string path;                                         // decoded, without the query
  std::map<std::string, std::string, std::less<>> query;    // decoded; of equal names the last
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  std::string body;
  std::map<std::string, std::string, std::less<>> captures{};  // by the names in braces, decoded
  std::string raw_path{};                                      // as it came
  std::string peer{};                                          // address of the client, without its port
  std::chrono::steady_clock::time_point came{};

  // Empty when there is none.
  std::string_view header(std::string_view lower_case_name) const;
  std::string_view parameter(std::string_view name) const;
  std::string_view capture(std::string_view name) const;
};

// A body that comes piece by piece, as fast as the client takes it. On the server's thread, as the destructor, which runs when
// the stream has ended or its client is gone.
class Stream {
 public:
  virtual ~Stream() = default;
  // Appends what there is now, which may be nothing; false: nothing will come after that. Asked about twenty times a
  // second, but not while kMostUnsent bytes wait for the client.
  virtual bool read(std::string& out) = 0;

  static constexpr size_t kMostUnsent = 256 * 1024;
};

struct Response {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::shared_ptr<Stream> stream = nullptr;  // instead of a body
  // Not to be sent yet: asked about twenty times a second, on the server's thread, and once it is true the handler is
  // called again with the same request. Needs `workers`.
  std::function<bool()> again_when = nullptr;

  static Response error(int status, std::string_view text);
};

using Handler = std::function<Response(const Request&)>;
// What the server itself answers: 404, 405 with `allowed` methods, 403, 500, 503.
using Refusal = std::function<Response(const Request&, int status, std::string_view why)>;

struct ServerOptions {
  std::chrono::seconds timeout{90};  // longer than the usual scrape intervals
  size_t max_head = 16 * 1024;       // bytes of request line and headers
  size_t max_body = 64 * 1024;
  size_t workers = 0;          // threads for handlers; 0: they run on the server's thread
  size_t max_connections = 0;  // about; more wait in the kernel's backlog. 0: no limit
  bool loose_slash = false;    // a slash at the end of a path counts for nothing
  bool own_pages = false;      // web pages that come from here may change things, too
  std::string cert_file{};     // PEM, with its chain; TLS alone is spoken then
  std::string key_file{};
  Refusal refusal = nullptr;  // null: plain text
};

struct RouteInfo {
  std::string method;
  std::string path;
  std::string what;  // one line
};

class ServerWorkers;
class ServerTls;

class Server {
 public:
  static constexpr size_t kMostQueued = 1024;

  explicit Server(ServerOptions options = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Before start().
  void route(std::string_view method, std::string_view path, std::string_view what, Handler handler);
  const std::vector<RouteInfo>& routes() const { return routes_; }
  // Listens and starts the thread; the error says what is wrong with the address.
  // handed: a socket that listens there already. open: from the beginning; see let_in().
  Result<void> start(const net::SocketAddress& address, net::UniqueFd handed = {}, bool open = true);
  // Any thread, while it runs: whether connections are taken. Those that are not wait in the kernel's backlog.
  void let_in(bool open);
  // The socket that listens, for another process; invalid: there is none. When that has it, the path of a unix socket is
  // not ours to remove any more.
  net::UniqueFd socket() const;
  void leave_path() { path_is_ours_ = false; }
  void stop();
  // Where it listens; the port is known when 0 was asked for.
  const net::SocketAddress& address() const { return address_; }

 private:
  struct Events;

  struct Found {
    const Handler* handler = nullptr;
    std::string allowed;  // methods of this path
  };

  Result<void> prepare(Events& events);
  void serve(evhttp_request& message);
  void finish(evhttp_request& message, const Response& response);
  Response answer(Request& request) const;
  Response refuse(const Request& request, int status, std::string_view why) const;
  Found find(Request& request) const;
  std::string route_list() const;

  const ServerOptions options_;
  std::vector<RouteInfo> routes_;
  std::vector<Handler> handlers_;   // of each of routes_
  std::unique_ptr<Events> events_;  // while it runs
  net::SocketAddress address_;
  std::atomic<bool> path_is_ours_{true};
  std::thread thread_;
};

}  // namespace overlord::http
