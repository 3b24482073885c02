#pragma once
// ServerWorkers: threads that answer a server's requests, and the requests that wait: for a thread, or for something to
// happen (Response::again_when). Internal to this folder.
//
// A message belongs to the server's thread; the threads see the Request alone and hand the Response back by an event.

#include <sys/time.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "http/server.h"
#include "net/socket.h"

struct event;
struct event_base;
struct evhttp_request;

namespace overlord::http {

class ServerWorkers {
 public:
  using Answer = std::function<Response(Request&)>;                      // on the threads
  using Finish = std::function<void(evhttp_request&, const Response&)>;  // on the server's thread
  ServerWorkers(event_base& base, size_t threads, size_t most, Answer answer, Finish finish);
  // When the server's thread has ended: waits for the answers that are being made, and gives all others 503.
  ~ServerWorkers();
  ServerWorkers(const ServerWorkers&) = delete;
  ServerWorkers& operator=(const ServerWorkers&) = delete;

  // On the server's thread.
  void take(evhttp_request& message, Request request);
  bool full() const { return held_ >= most_; }
  size_t held() const { return held_; }  // requests without an answer

 private:
  struct One {
    evhttp_request* message = nullptr;
    Request request;
    Response response;
  };
  using OnePtr = std::unique_ptr<One>;

  void work();
  void woken();
  void tick();
  void enqueue(OnePtr one);
  void finish(const One& one);

  const size_t most_;
  const Answer answer_;
  const Finish finish_;
  net::UniqueFd wake_;
  std::unique_ptr<event, void (*)(event*)> ready_;
  std::unique_ptr<event, void (*)(event*)> timer_;
  std::vector<OnePtr> waiting_;  // for again_when; the server's thread
  size_t held_ = 0;              // the server's thread

  std::mutex mutex_;  // guards what follows
  std::condition_variable work_;
  std::deque<OnePtr> queue_;
  std::vector<OnePtr> done_;
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace overlord::http
