#include "proxy/lease_pool.h"

#include <algorithm>

#include "proxy/backend.h"

namespace overlord::proxy {
namespace {

constexpr uint64_t kIdle = 2'000'000'000;
// One that was given back may still wait for the answer to its undo; so many are looked at for one that does not.
constexpr size_t kLooks = 8;

}  // namespace

BackendConnection* LeasePool::take(LeaseHolder& holder) {
  BackendConnection* connection = nullptr;
  for (size_t i = 0; i < std::min(kLooks, free_.size()); ++i) {
    const auto candidate = free_.end() - 1 - static_cast<ptrdiff_t>(i);
    if (!(*candidate)->idle()) continue;
    connection = *candidate;
    free_.erase(candidate);
    break;
  }
  if (connection == nullptr) {
    if (all_.size() >= limit_) {
      // The free ones are only waiting for an answer to their undo: closing is another way to clear them.
      if (free_.empty()) return nullptr;
      connection = free_.front();
      free_.erase(free_.begin());
      connection->abandon();
    } else {
      all_.push_back(backend_.make_connection());
      connection = all_.back().get();
      connection->make_lease();
    }
  }
  in_use_.add();
  connection->lease_to(&holder);
  return connection;
}

void LeasePool::retire(BackendConnection& connection) {
  in_use_.sub();
  free_.push_back(&connection);
}

void LeasePool::give_back(BackendConnection& connection, std::string_view undo) {
  connection.lease_to(nullptr);
  // One that never opened, or has been closed since, has nothing to undo.
  if (!undo.empty() && connection.state() != BackendConnection::State::idle) connection.send_undo(undo);
  retire(connection);
}

void LeasePool::drop(BackendConnection& connection) {
  connection.abandon();
  retire(connection);
}

void LeasePool::close_all() {
  for (auto& connection : all_) connection->move(false);
}

void LeasePool::close_idle() {
  const uint64_t now = backend_.turn().now();
  bool any = false;
  for (BackendConnection* connection : free_) {
    connection->close_if_idle(kIdle);
    any = any || (connection->state() == BackendConnection::State::idle && now - connection->last_used() >= kIdle);
  }
  if (!any) return;
  const auto unused = [now](const BackendConnection& connection) {
    return !connection.leased() && connection.state() == BackendConnection::State::idle &&
           now - connection.last_used() >= kIdle;
  };
  std::erase_if(free_, [&](const BackendConnection* connection) { return unused(*connection); });
  std::erase_if(all_, [&](const auto& connection) { return unused(*connection); });
  all_.shrink_to_fit();
  free_.shrink_to_fit();
}

}  // namespace overlord::proxy
