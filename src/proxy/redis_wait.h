#pragma once
// ReplicaWait: WAIT of one client: how many replicas have what the client wrote, asked of every node at once, each on a
// connection that the client has for itself meanwhile, since WAIT keeps a connection busy. The children's replies are
// merged when the answer is written (redis_fanout.h).
//
// A server counts for the connection that WAIT comes on, and the client's writes went over others. What counts before
// redis 7.2 is the master's whole stream as it was at the last command of that connection, so PING goes in front; from
// 7.2 on as it was at the connection's last write, so a write goes in front that changes nothing: FUNCTION RESTORE of a
// dump without functions. Either way the number holds for all that was written before, also by other clients.
// Source: https://redis.io/commands/wait, and measured on redis-server 7.0.

#include <memory>
#include <string_view>
#include <vector>

#include "proxy/backend.h"
#include "routing/route.h"

namespace overlord::proxy {

class ReplicaWait final : public routing::Route {
 public:
  explicit ReplicaWait(Turn& turn) : turn_(turn) {}
  ~ReplicaWait() override { end(); }
  ReplicaWait(const ReplicaWait&) = delete;
  ReplicaWait& operator=(const ReplicaWait&) = delete;

  // parent: gets a child for each node; the one before has been answered. patience: as LeasedConnection::send.
  void ask(routing::Request& parent, const std::vector<Backend*>& nodes, std::string_view wait, uint64_t patience);
  // A node has not answered.
  bool waiting() const;
  // The client has gone.
  void end() noexcept;

  // routing::Route: of the children it only sees the replies.
  void send(routing::Request& request) noexcept override { routing::fail(request, routing::Failure::no_backend); }
  routing::HopResult on_reply(routing::Request& child, uint64_t place) noexcept override;
  int32_t target(std::string_view) const noexcept override { return routing::kNoTarget; }
  void broadcast(routing::Request& parent, routing::Wire, std::string_view) noexcept override { send(parent); }
  void explain(std::string_view, std::string&) const override {}

 private:
  struct Place final : public LeaseHolder {
    Backend* backend = nullptr;
    BackendConnection* connection = nullptr;  // null: none, or it broke
    void on_lease_lost() noexcept override { connection = nullptr; }
  };

  Turn& turn_;
  std::vector<std::unique_ptr<Place>> places_;
};

}  // namespace overlord::proxy
