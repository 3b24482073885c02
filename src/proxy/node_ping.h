#pragma once
// NodePing: how long a PING to one node takes, smoothed. One is under way at a time.

#include <cstdint>
#include <utility>

#include "proxy/backend.h"
#include "proxy/turn.h"
#include "routing/request.h"

namespace overlord::proxy {

class NodePing final : public routing::RequestOwner {
 public:
  NodePing(Turn& turn, Backend& backend) : turn_(turn), backend_(backend) {}
  ~NodePing() { let_go(); }
  NodePing(const NodePing&) = delete;
  NodePing& operator=(const NodePing&) = delete;

  // Unless the last one is still under way; one that failed, or does, makes the node far.
  void send() {
    if (request_ != nullptr && !request_->finished) return;
    let_go();
    request_ = &turn_.requests.take(routing::Wire::redis, routing::Answer::reply, this);
    request_->internal = true;
    request_->bytes = "*1\r\n$4\r\nPING\r\n";
    sent_at_ = turn_.now();
    backend_.send(*request_);
  }
  uint64_t time() const { return time_; }  // ns

  // routing::RequestOwner
  void on_finished(routing::Request& request) noexcept override {
    const bool good = request.failure == routing::Failure::none && !request.error_reply;
    const uint64_t took = turn_.now() - sent_at_;
    time_ = !good ? kFar : time_ == kFar ? took : time_ - time_ / 4 + took / 4;
  }

 private:
  static constexpr uint64_t kFar = UINT64_MAX / 4;

  void let_go() {
    if (request_ != nullptr) turn_.requests.release_owner(*std::exchange(request_, nullptr));
  }

  Turn& turn_;
  Backend& backend_;
  routing::Request* request_ = nullptr;
  uint64_t sent_at_ = 0;
  uint64_t time_ = kFar;
};

}  // namespace overlord::proxy
