#pragma once
// Server: an HTTP/1.1 server for operators and monitoring: few connections, small requests, a thread of its own. libevent's
// evhttp reads and writes the messages; this names the routes and keeps the bounds.
//
// A request larger than the limits gets 413 or 400, one that is not whole in time, an answer that is not taken and a
// connection that asks nothing end after `timeout`. Handlers run on the server's thread, one at a time: one that waits for
// long keeps the others waiting.
//
// A response with a Stream lasts as long as its client takes what comes. When nothing did for a while an empty line is sent,
// so that a client that vanished is noticed. Then the connection is closed.
//
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

  // Empty when there is none.
  std::string_view header(std::string_view lower_case_name) const;
  std::string_view parameter(std::string_view name) const;
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

  static Response error(int status, std::string_view text);
};

using Handler = std::function<Response(const Request&)>;

struct ServerOptions {
  std::chrono::seconds timeout{90};  // longer than the usual scrape intervals
  size_t max_head = 16 * 1024;       // bytes of request line and headers
  size_t max_body = 64 * 1024;
};

struct RouteInfo {
  std::string method;
  std::string path;
  std::string what;  // one line
};

class Server {
 public:
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

  void serve(evhttp_request& message);
  Response answer(const Request& request) const;
  std::string route_list() const;

  const ServerOptions options_;
  std::vector<RouteInfo> routes_;
  std::map<std::pair<std::string, std::string>, Handler> handlers_;  // by path and method
  std::unique_ptr<Events> events_;                                   // while it runs
  net::SocketAddress address_;
  std::atomic<bool> path_is_ours_{true};
  std::thread thread_;
};

}  // namespace overlord::http
