#pragma once
// Door: the HTTP interface of an executor, on a unix socket that only its owner may use.
//
//   PUT    /tasks                       body: model::NodeTask as JSON; has it run. Again: nothing changes
//   GET    /tasks                       all tasks, and the number of the next event
//   DELETE /tasks?id=ID[&grace_ms=N]    has it ended; one that is over is forgotten
//   GET    /events?from=N               a line of JSON for each change from that number on, for ever; first a line
//                                       {"next":N}, or {"reset":true,"next":N}: events were missed, ask for /tasks
//   GET    /healthz                     who this is
//
// 200, or: 400 the request is wrong, 404 no such task, 409 the task's port or id is in use, 500 this host cannot.

#include <memory>
#include <string>

#include "executor/supervisor.h"
#include "http/server.h"

namespace overlord::executor {

class Door {
 public:
  explicit Door(Supervisor& supervisor);
  // path: of the socket.
  Result<void> open(const std::string& path);
  void close() { server_.stop(); }

  static constexpr std::chrono::milliseconds kUsualGrace{10'000};
  static constexpr std::chrono::milliseconds kLongestGrace{3'600'000};

 private:
  http::Response launch(const http::Request& request);
  http::Response stop(const http::Request& request);
  http::Response events(const http::Request& request);

  Supervisor& supervisor_;
  http::Server server_;
};

}  // namespace overlord::executor
