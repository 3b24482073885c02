#pragma once
// LeasedConnection: the backend connection that one session has for itself, and the request that is on it. It stands
// between connection and session: when the answer that ends a state has come, it gives the connection back before the
// session hears of it. In a Redis Cluster a request that sets or waits for something goes on to the node that the first
// one names, as a child of itself made from a copy of its bytes; or once more to the same node after a moment, when that
// answered TRYAGAIN, CLUSTERDOWN or LOADING, for as long as read_timeout lets any other request wait for that.

#include <cstdint>
#include <string_view>

#include "base/counter.h"
#include "net/timer.h"
#include "proxy/pool.h"
#include "routing/request.h"

namespace overlord::proxy {

class LeasedConnection final : public LeaseHolder, public routing::RequestOwner {
 public:
  enum class After : uint8_t {
    keep,      // the request sets a state that lasts (WATCH)
    give_back  // its answer ends every state
  };
  static constexpr uint64_t kReadTimeout = UINT64_MAX;

  // client: the session; it is told of answers as the owner of its other requests is. waiting: counts it while it is
  // blocked().
  explicit LeasedConnection(routing::RequestOwner& client, Pool* pool = nullptr, Counter* waiting = nullptr)
      : client_(client), pool_(pool), count_(waiting) {
    timer_.set([](void* self) { static_cast<LeasedConnection*>(self)->try_again(); }, this);
  }
  ~LeasedConnection() { end(); }
  LeasedConnection(const LeasedConnection&) = delete;
  LeasedConnection& operator=(const LeasedConnection&) = delete;

  bool held() const { return connection_ != nullptr; }
  Backend* backend() const { return connection_ == nullptr ? nullptr : backend_; }
  // It broke and with it the state that was set. Until forget().
  bool broken() const { return broken_; }
  void forget() { broken_ = false; }
  // A command that may wait at the backend has not been answered.
  bool blocked() const { return blocked_; }

  // False: there was none to be had, and the request has failed.
  bool take(Backend& backend, routing::Request& request) noexcept;
  // On the held connection. patience: how long the answer may take, ns, 0: for ever.
  void send(routing::Request& request, After after, uint64_t patience = kReadTimeout) noexcept;
  // Gives it back, cleared. No-op when none is held.
  void give_back();
  // The client has gone: what it waits for must not happen any more.
  void end() noexcept;

  // LeaseHolder
  void on_lease_lost() noexcept override;
  // routing::RequestOwner
  void on_finished(routing::Request& request) noexcept override;
  routing::Progress on_progress(routing::Request& request) noexcept override { return client_.on_progress(request); }
  void on_stalled(routing::Request& request) noexcept override { client_.on_stalled(request); }

 private:
  void set_blocked(bool blocked);
  void drop();
  bool follow(routing::Request& request);
  bool wait(routing::Request& request);
  bool send_copy(Backend& to, routing::Request& request, bool asking);
  void try_again();

  routing::RequestOwner& client_;
  Pool* const pool_;            // null: nothing is redirected
  Counter* const count_;        // null: nobody counts
  Backend* backend_ = nullptr;  // of the connection
  BackendConnection* connection_ = nullptr;
  After after_ = After::keep;
  uint64_t patience_ = kReadTimeout;
  int redirections_ = 0;
  uint8_t waits_ = 0;
  uint64_t give_up_at_ = 0;              // loop time
  routing::Request* waiting_ = nullptr;  // for the timer
  int32_t waiting_for_ = -1;             // the backend
  net::Timer timer_;
  bool set_ = false;  // a state lasts on the connection
  bool blocked_ = false;
  bool broken_ = false;
};

}  // namespace overlord::proxy
