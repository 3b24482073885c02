#pragma once
// ServerStreams: the responses of a server that are being streamed. On the server's thread.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "http/server.h"

struct event;
struct event_base;
struct evhttp_request;

namespace overlord::http {

class ServerStreams {
 public:
  explicit ServerStreams(event_base& base);
  // Ends them all.
  ~ServerStreams();
  ServerStreams(const ServerStreams&) = delete;
  ServerStreams& operator=(const ServerStreams&) = delete;

  // The message's headers are set. patience: for a client that takes nothing.
  void start(evhttp_request& message, int status, std::shared_ptr<Stream> stream, std::chrono::seconds patience);

 private:
  struct One {
    evhttp_request* message;
    std::shared_ptr<Stream> stream;
    std::chrono::steady_clock::time_point last_sent;
  };

  void tick();
  static bool feed(One& one);  // false: it has ended

  std::unique_ptr<event, void (*)(event*)> timer_;
  std::vector<One> open_;
};

}  // namespace overlord::http
