#include "proxy/leased_connection.h"

#include <utility>

namespace overlord::proxy {

using routing::Failure;
using routing::Request;

namespace {

// All that a client can leave on a connection that it gives back: nothing else goes there (see RedisSession).
constexpr int kMostRedirections = 5;
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
  redirections_ = 0;
  blocked_ = patience != kReadTimeout;
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

void LeasedConnection::drop() {
  set_ = blocked_ = false;
  if (BackendConnection* connection = std::exchange(connection_, nullptr)) backend_->leases().drop(*connection);
}

void LeasedConnection::end() noexcept {
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
  Turn& turn = backend_->turn();
  bool asking = false;
  Backend* const to = pool_->redirected(*backend_, turn.requests.flatten_reply(request), asking);
  if (to == nullptr) return false;
  ++redirections_;
  backend_->leases().give_back(*std::exchange(connection_, nullptr), {});
  turn.requests.drop_reply(request);
  turn.requests.release_children(request);
  request.error_reply = false;
  request.finished = false;
  if (!take(*to, request)) return true;
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
  blocked_ = false;
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
