#include "proxy/leased_connection.h"

#include <algorithm>
#include <utility>

namespace overlord::proxy {

using routing::Failure;
using routing::Request;

namespace {

constexpr int kMostRedirections = 5;
constexpr uint64_t kFirstWait = 5'000'000;
constexpr uint64_t kLastWait = 80'000'000;
constexpr uint64_t kLongestPatience = 30'000'000'000;  // where read_timeout is 0
// All that a client can leave on a connection that it gives back: nothing else goes there (see RedisSession).
constexpr std::string_view kUnwatch = "*1\r\n$7\r\nUNWATCH\r\n";

}  // namespace

bool LeasedConnection::take(Backend& backend, Request& request) noexcept {
  Failure why = Failure::none;
  connection_ = backend.lease(*this, why);
  if (connection_ == nullptr) {
    routing::fail(request, why);
    return false;
  }
  backend_ = &backend;
  return true;
}

void LeasedConnection::send(Request& request, After after, uint64_t patience) noexcept {
  after_ = after;
  patience_ = patience;
  redirections_ = waits_ = 0;
  const uint64_t longest = backend_->limits().read_timeout;
  give_up_at_ = backend_->turn().now() + (longest > 0 ? longest : kLongestPatience);
  set_blocked(patience != kReadTimeout);
  request.owner = this;
  // A transaction stays where its keys are watched.
  if (pool_ != nullptr && request.answer == routing::Answer::reply) backend_->turn().requests.keep_bytes(request);
  backend_->counters().requests.add();
  if (blocked_) connection_->set_patience(patience);
  connection_->send(request);
}

void LeasedConnection::give_back() {
  set_ = false;
  if (BackendConnection* connection = std::exchange(connection_, nullptr)) {
    backend_->leases().give_back(*connection, kUnwatch);
  }
}

void LeasedConnection::set_blocked(bool blocked) {
  if (blocked == blocked_) return;
  blocked_ = blocked;
  if (count_ == nullptr) return;
  if (blocked) {
    count_->add();
  } else {
    count_->sub();
  }
}

void LeasedConnection::drop() {
  set_ = false;
  set_blocked(false);
  if (BackendConnection* connection = std::exchange(connection_, nullptr)) backend_->leases().drop(*connection);
}

void LeasedConnection::end() noexcept {
  timer_.cancel();
  waiting_ = nullptr;
  if (blocked_) {
    drop();
  } else {
    give_back();
  }
}

void LeasedConnection::on_lease_lost() noexcept {
  broken_ = broken_ || set_;
  set_ = false;
  connection_ = nullptr;
}

// True: the request is on its way again, and not finished after all.
bool LeasedConnection::follow(Request& request) {
  if (pool_ == nullptr || !request.copy || connection_ == nullptr || set_ || redirections_ == kMostRedirections)
    return false;
  bool asking = false;
  const std::string_view error = backend_->turn().requests.flatten_reply(request);
  Backend* const to = pool_->redirected(*backend_, error, asking);
  if (to == nullptr) return pool_->may_pass(error) && wait(request);
  ++redirections_;
  return send_copy(*to, request, asking);
}

// As follow. The connection is free meanwhile.
bool LeasedConnection::wait(Request& request) {
  Turn& turn = backend_->turn();
  const uint64_t delay = std::min(kFirstWait << std::min<uint8_t>(waits_, 8), kLastWait);
  if (turn.now() + delay > give_up_at_) return false;
  if (waits_ < UINT8_MAX) ++waits_;
  backend_->leases().give_back(*std::exchange(connection_, nullptr), {});
  turn.requests.drop_reply(request);
  request.error_reply = request.finished = false;
  waiting_ = &request;
  waiting_for_ = backend_->id();
  turn.loop.timers().arm(timer_, turn.now(), delay);
  return true;
}

void LeasedConnection::try_again() {
  Request& request = *std::exchange(waiting_, nullptr);
  Backend* const backend = pool_->find(waiting_for_);
  if (backend == nullptr) return routing::fail(request, Failure::no_backend);
  send_copy(*backend, request, false);
}

bool LeasedConnection::send_copy(Backend& to, Request& request, bool asking) {
  if (connection_ != nullptr) backend_->leases().give_back(*std::exchange(connection_, nullptr), {});
  Turn& turn = to.turn();
  turn.requests.drop_reply(request);
  turn.requests.release_children(request);
  request.error_reply = false;
  request.finished = false;
  if (!take(to, request)) return true;
  Request& again = turn.requests.take_child(request, routing::Wire::redis);
  again.command = request.command;
  again.bytes = request.copy_view();
  again.asking = asking;
  if (blocked_) connection_->set_patience(patience_);
  connection_->send(again);
  return true;
}

void LeasedConnection::on_finished(Request& request) noexcept {
  if (Request* again = request.children; again != nullptr && request.answer == routing::Answer::reply) {
    Turn& turn = backend_->turn();
    turn.requests.move_reply(*again, request);
    if (request.reply_volatile) turn.note_volatile(request);
    turn.requests.release_children(request);
  }
  if (request.failure == Failure::none && request.error_reply && follow(request)) return;
  set_blocked(false);
  if (after_ == After::give_back) {
    broken_ = set_ = false;
    // Answered, it is clean. A request that could not even be sent leaves one about which nothing is certain.
    if (request.failure != Failure::none) {
      drop();
    } else if (BackendConnection* connection = std::exchange(connection_, nullptr)) {
      backend_->leases().give_back(*connection, {});
    }
  } else if (request.failure == Failure::none && !request.error_reply) {
    set_ = true;
  } else if (!set_) {
    give_back();
  }
  client_.on_finished(request);
}

}  // namespace overlord::proxy
