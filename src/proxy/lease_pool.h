#pragma once
// LeasePool: the connections to one backend that single clients have for themselves for a while: what a client does
// there (WATCH, a command that waits) changes the connection or keeps it busy. One worker.
//
// A connection is taken, used by its holder alone, and given back clean or closed. Idle ones are used again, and closed
// after a moment. At most `limit` are out or waiting to be used again.

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "base/counter.h"
#include "proxy/backend_connection.h"

namespace overlord::proxy {

class LeasePool {
 public:
  LeasePool(Backend& backend, size_t limit) : backend_(backend), limit_(limit) {}

  // Null when the limit is reached.
  BackendConnection* take(LeaseHolder& holder);
  // undo: the command that clears what the holder left on it; empty when there is nothing.
  void give_back(BackendConnection& connection, std::string_view undo);
  // Closes it: nothing that its holder asked for happens any more.
  void drop(BackendConnection& connection);
  // From the connection: it broke while somebody had it.
  void lost(BackendConnection& connection) { retire(connection); }

  void set_limit(size_t limit) { limit_ = limit; }
  void close_idle();  // about once a second
  void close_all();   // the backend is somewhere else now: what was set where it was is gone
  size_t in_use() const { return static_cast<size_t>(in_use_.get()); }
  const Counter& in_use_counter() const { return in_use_; }
  template <typename Visit>
  void visit_connections(Visit&& visit) const {
    for (const auto& connection : all_) visit(*connection);
  }

 private:
  void retire(BackendConnection& connection);

  Backend& backend_;
  size_t limit_;
  Counter in_use_;
  std::vector<std::unique_ptr<BackendConnection>> all_;
  std::vector<BackendConnection*> free_;  // the last used at the back
};

}  // namespace overlord::proxy
