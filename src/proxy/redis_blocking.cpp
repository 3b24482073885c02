// Commands that wait at their node (BLPOP, XREAD BLOCK, ...): each on a connection of its client's own, which is closed
// when the client leaves, so that nothing is popped for nobody.

#include <vector>

#include "proxy/redis_session.h"

namespace overlord::proxy {

using redis::Command;
using routing::Answer;
using routing::Failure;
using routing::Request;
using routing::Wire;

namespace {

// Beyond the time that the command names, where there is no read_timeout.
constexpr uint64_t kGrace = 5'000'000'000;

// How long the answer may take, 0: for ever.
uint64_t patience(const Command& command, const redis::RequestParser& request, const BackendLimits& limits) {
  const auto time = redis::block_time(command, request);
  if (!time.has_value()) return limits.read_timeout;  // the node answers with an error
  return *time == 0 ? 0 : *time + (limits.read_timeout > 0 ? limits.read_timeout : kGrace);
}

}  // namespace

void RedisSession::block(const Command& command) {
  if (in_flight()) return handle_later();
  const Placed placed = place(command);
  // Arguments that name no keys are the node's to complain of; any will do, but not on a shared connection.
  const std::string_view key = placed.found > 0 ? placed.first : parser_->arg(1);
  if (key.size() > cluster_.config().limits.max_key_size) return refuse_key();
  Request& request = new_request(Wire::redis, Answer::reply);
  if (!placed.one) return routing::fail(request, Failure::cross_node);
  Backend* const backend = cluster_.pool().find(cluster_.root().target(key));
  if (backend == nullptr) return routing::fail(request, Failure::no_backend);
  if (blocked_ == nullptr) {
    blocked_ = std::make_unique<LeasedConnection>(*this, moving_pool(), &cluster_.counters().blocked_clients);
  }
  if (!blocked_->take(*backend, request)) return;
  request.command = &command;
  request.key = key;
  request.bytes = parser_->wire();
  blocked_->send(request, LeasedConnection::After::give_back, patience(command, *parser_, backend->limits()));
  wait_for_answers();
  listen_on();
}

void RedisSession::wait_for_replicas(const Command& command) {
  if (in_flight()) return handle_later();
  Request& request = new_request(Wire::none, Answer::merged);
  request.command = &command;
  std::vector<Backend*> nodes;
  cluster_.pool().owners(nodes);
  if (nodes.empty()) return routing::fail(request, Failure::no_backend);
  if (replica_wait_ == nullptr) replica_wait_ = std::make_unique<ReplicaWait>(turn_);
  replica_wait_->ask(request, nodes, parser_->wire(), patience(command, *parser_, nodes.front()->limits()));
  wait_for_answers();
  listen_on();
}

}  // namespace overlord::proxy
