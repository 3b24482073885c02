#include "proxy/leased_connection.h"

#include <utility>

namespace overlord::proxy {

using routing::Failure;
using routing::Request;

namespace {

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
  blocked_ = patience != kReadTimeout;
  request.owner = this;
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

void LeasedConnection::on_finished(Request& request) noexcept {
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
