#include "http/server_workers.h"

#include <event2/event.h>
#include <event2/http.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <utility>

namespace overlord::http {
namespace {

constexpr timeval kPeriod{0, 50'000};

}  // namespace

ServerWorkers::ServerWorkers(event_base& base, size_t threads, size_t most, Answer answer, Finish finish)
    : most_(most),
      answer_(std::move(answer)),
      finish_(std::move(finish)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      ready_(::event_new(
                 &base, wake_.get(), EV_READ | EV_PERSIST,
                 [](evutil_socket_t, short, void* self) { static_cast<ServerWorkers*>(self)->woken(); }, this),
             ::event_free),
      timer_(::event_new(
                 &base, -1, EV_PERSIST,
                 [](evutil_socket_t, short, void* self) { static_cast<ServerWorkers*>(self)->tick(); }, this),
             ::event_free) {
  ::event_add(ready_.get(), nullptr);
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] {
      ::pthread_setname_np(::pthread_self(), "http-worker");
      work();
    });
  }
}

ServerWorkers::~ServerWorkers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  for (const OnePtr& one : done_) finish(*one);
  for (const OnePtr& one : queue_) waiting_.push_back(std::make_unique<One>(One{one->message, {}, {}}));
  for (const OnePtr& one : waiting_) {
    one->response = Response::error(503, "the server stops");
    finish(*one);
  }
}

void ServerWorkers::take(evhttp_request& message, Request request) {
  ++held_;
  enqueue(std::make_unique<One>(One{&message, std::move(request), {}}));
}

void ServerWorkers::enqueue(OnePtr one) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(one));
  }
  work_.notify_one();
}

void ServerWorkers::work() {
  for (;;) {
    OnePtr one;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      one = std::move(queue_.front());
      queue_.pop_front();
    }
    one->response = answer_(one->request);
    {
      const std::lock_guard lock(mutex_);
      done_.push_back(std::move(one));
    }
    ::eventfd_write(wake_.get(), 1);
  }
}

void ServerWorkers::woken() {
  eventfd_t ignored = 0;
  (void)::eventfd_read(wake_.get(), &ignored);
  std::vector<OnePtr> done;
  {
    const std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  for (OnePtr& one : done) {
    if (one->response.again_when != nullptr) {
      waiting_.push_back(std::move(one));
      ::event_add(timer_.get(), &kPeriod);
    } else {
      --held_;
      finish(*one);
    }
  }
}

void ServerWorkers::tick() {
  std::vector<OnePtr> waiting;
  waiting.swap(waiting_);
  for (OnePtr& one : waiting) {
    if (::evhttp_request_get_connection(one->message) == nullptr) {  // the client is gone; this frees the request
      --held_;
      ::evhttp_send_reply_end(one->message);
    } else if (one->response.again_when()) {
      one->response = {};
      enqueue(std::move(one));
    } else {
      waiting_.push_back(std::move(one));
    }
  }
  if (waiting_.empty()) ::event_del(timer_.get());
}

void ServerWorkers::finish(const One& one) {
  // Without a connection the client has gone meanwhile; this frees the request.
  if (::evhttp_request_get_connection(one.message) == nullptr) return ::evhttp_send_reply_end(one.message);
  finish_(*one.message, one.response);
}

}  // namespace overlord::http
