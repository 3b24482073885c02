#include "proxy/slot_pool.h"

#include <algorithm>
#include <utility>

#include "protocol/redis/command.h"
#include "proxy/duration.h"

namespace overlord::proxy {

using redis::Redirection;
using routing::Failure;
using routing::HopResult;
using routing::Lane;
using routing::Request;

namespace {

constexpr uint8_t kMostRedirections = 5;
constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kFirstWait = 5 * kMillisecond;
constexpr uint64_t kLastWait = 80 * kMillisecond;
// Where read_timeout is 0.
constexpr uint64_t kLongestPatience = 30'000 * kMillisecond;
// A slot that nobody serves may be on its way to another node, but not for long.
constexpr uint8_t kWaitsForSlot = 3;

bool only_reads(const Request& request) {
  return request.command != nullptr && (request.command->flags & redis::kReadOnly) != 0;
}

// Its errors may be words of the client: they must not teach the proxy where nodes are.
bool runs_script(const Request& request) {
  return request.command == nullptr || request.command->name.starts_with("eval") ||
         request.command->name.starts_with("fcall");
}

bool waited_for(const Request& request) { return request.owner != nullptr || request.parent != nullptr; }

}  // namespace

SlotPool::Attempt SlotPool::Attempt::from(uint64_t scratch) {
  return {.redirections = static_cast<uint8_t>(scratch),
          .waits = static_cast<uint8_t>(scratch >> 8),
          .counted = (scratch >> 16 & 1) != 0,
          .again = (scratch >> 17 & 1) != 0};
}

uint64_t SlotPool::Attempt::scratch() const {
  return redirections | uint64_t{waits} << 8 | uint64_t{counted} << 16 | uint64_t{again} << 17;
}

SlotPool::SlotPool(Turn& turn, config::ClusterSnapshot cluster, Resolver& resolver, int32_t& next_id)
    : turn_(turn),
      tag_("{}", hashing::Compat::twemproxy),  // the rule for an empty tag is that of Redis Cluster
      nodes_(turn, cluster, resolver, next_id, *this),
      refresher_(turn, cluster, nodes_),
      waiting_(turn, *this) {
  use(std::move(cluster));
}

void SlotPool::use(config::ClusterSnapshot cluster) {
  cluster_ = std::move(cluster);
  stray_ = cluster_->read_from != config::ReadFrom::master;
  patience_ = cluster_->read_timeout.count() > 0 ? nanoseconds(cluster_->read_timeout) : kLongestPatience;
}

void SlotPool::commit(const PoolChange& change) {
  const bool followed_replicas = stray_;
  use(change.config);
  nodes_.commit(change);
  refresher_.use(change.config, change.new_servers);
  if (stray_ && !followed_replicas) refresher_.ask();
}

void SlotPool::housekeeping() {
  for (const auto& backend : nodes_.backends()) backend->close_idle_spares();
  nodes_.ping();
  nodes_.drop_gone();
}

void SlotPool::send(Request& request) noexcept {
  request.key_hash = slot_of(request.key);
  if (!request.uploading) turn_.requests.keep_bytes(request);
  request.sent_at = turn_.now();
  request.push_hop(this, 0);
  if (Lane* lane = request.lane) {
    if (!request.in_order) {
      lane->since = turn_.now();
      lane->retrying = lane->parked = 0;
      lane->wrote = false;
    } else if (lane->retrying + lane->parked > 0 || lane->since <= nodes_.last_change()) [[unlikely]] {
      return send_or_park(request);
    }
  }
  if (stray_) [[unlikely]]
    return send_by_map(request, 0);
  send_to(request, nodes_.owner(static_cast<uint16_t>(request.key_hash)));
}

bool SlotPool::may_stray(const Request& request) const noexcept {
  return stray_ && only_reads(request) && request.lane != nullptr && !request.lane->wrote;
}

void SlotPool::send_by_map(Request& request, uint32_t attempt) noexcept {
  const auto slot = static_cast<uint16_t>(request.key_hash);
  if (may_stray(request)) {
    // Where the master would do as well it gets what a replica could not answer.
    const bool master_too = attempt > 0 && cluster_->read_from != config::ReadFrom::replica;
    SlotNode* reader = master_too ? nodes_.owner(slot) : nodes_.reader(slot, request.lane->number + attempt);
    if (reader == nullptr && nodes_.owner(slot) != nullptr) return routing::fail(request, Failure::no_backend);
    return send_to(request, reader);
  }
  if (stray_ && request.lane != nullptr && !only_reads(request)) request.lane->wrote = true;
  send_to(request, nodes_.owner(slot));
}

void SlotPool::send_to(Request& request, SlotNode* node) noexcept {
  if (node == nullptr) [[unlikely]]
    return routing::fail(request, Failure::slot_not_served);
  node->backend->send(request);
}

void SlotPool::send_or_park(Request& request) noexcept {
  Lane& lane = *request.lane;
  const auto slot = static_cast<uint16_t>(request.key_hash);
  if (lane.retrying + lane.parked == 0) {
    if (may_stray(request)) return send_by_map(request, 0);
    if (SlotNode* earlier = nodes_.earlier_owner(slot, lane.since, patience_)) {
      if (!only_reads(request)) lane.wrote = true;
      return send_to(request, earlier);
    }
    return send_by_map(request, 0);
  }
  if (!request.copy || !waiting_.add(request, 0)) return routing::fail(request, Failure::queue_full);
  ++lane.parked;
}

bool SlotPool::on_due(Request& request) noexcept {
  if (request.hop_count > 0) {  // parked, for it has not been sent; a child has no hop
    Lane& lane = *request.lane;
    if (lane.retrying > 0) return false;
    --lane.parked;
    request.sent_at = turn_.now();
    request.bytes = request.copy_view();
  }
  send_by_map(request, request.parent != nullptr && request.hop_count == 0 ? 1 : 0);
  return true;
}

HopResult SlotPool::on_reply(Request& request, uint64_t scratch) noexcept {
  if (scratch == 0 && !request.error_reply && request.failure == Failure::none) [[likely]]
    return HopResult::done;
  const Attempt attempt = Attempt::from(scratch);
  Request& answered = attempt.again ? *request.children : request;
  // Whether anybody waits comes first: without an owner the lane is gone.
  if (waited_for(request)) {
    if (retry(request, answered, attempt)) return HopResult::taken;
    if (attempt.counted) --request.lane->retrying;
  }
  if (attempt.again) {
    turn_.requests.move_reply(answered, request);
    if (request.reply_volatile) turn_.note_volatile(request);
    turn_.requests.release_children(request);
  }
  return HopResult::done;
}

bool SlotPool::retry(Request& request, Request& answered, Attempt attempt) noexcept {
  if (answered.failure != Failure::none) return retry_failure(request, answered, attempt);
  if (!answered.error_reply) return false;
  const Redirection to = redis::parse_redirection(turn_.requests.flatten_reply(answered));
  switch (to.kind) {
    case Redirection::Kind::none: return false;
    case Redirection::Kind::moved:
    case Redirection::Kind::ask: return redirect(request, answered, attempt, to);
    case Redirection::Kind::slot_not_served:
      refresher_.ask();
      return attempt.waits < kWaitsForSlot && wait(request, answered, attempt);
    case Redirection::Kind::cluster_down:
    case Redirection::Kind::master_down: refresher_.ask(); [[fallthrough]];
    case Redirection::Kind::try_again:
    case Redirection::Kind::loading: return wait(request, answered, attempt);
  }
  return false;
}

bool SlotPool::retry_failure(Request& request, Request& answered, Attempt attempt) noexcept {
  switch (answered.failure) {
    case Failure::no_backend: refresher_.ask(); return false;
    case Failure::slot_not_served: refresher_.ask(); return !refresher_.known() && wait(request, answered, attempt);
    case Failure::backend_down:
    case Failure::connection_lost:
      refresher_.ask();
      return (!answered.reached || only_reads(request)) && wait(request, answered, attempt);
    case Failure::timed_out:
      // The queue of its connection may still hold it, and no time is left.
      refresher_.ask();
      return false;
    default: return false;
  }
}

SlotNode* SlotPool::node_of(const Redirection& to, const Request& answered, bool may_add) {
  std::string_view host = to.host;
  if (host.empty()) {
    if (answered.source == nullptr) return nullptr;
    host = static_cast<BackendConnection*>(answered.source)->backend().server().address.host;
  }
  return may_add ? nodes_.add(host, to.port) : nodes_.find(host, to.port);
}

bool SlotPool::redirect(Request& request, Request& answered, Attempt attempt, const Redirection& to) noexcept {
  const bool moved = to.kind == Redirection::Kind::moved;
  const bool trusted = !runs_script(request);
  SlotNode* node = node_of(to, answered, trusted);
  if (moved) {
    refresher_.ask();
    if (node != nullptr && trusted && !node->doubtful && to.slot == request.key_hash) nodes_.assign(to.slot, *node);
  }
  if (!request.copy || attempt.redirections == kMostRedirections) {
    turn_.requests.drop_reply(answered);
    answered.error_reply = false;
    answered.failure = request.copy ? Failure::redirect_loop : Failure::slot_moved;
    return false;
  }
  ++attempt.redirections;
  if (node == nullptr) return wait(request, answered, attempt);
  Request& child = next_try(request, answered, attempt);
  child.asking = !moved;
  node->backend->send(child);
  return true;
}

bool SlotPool::wait(Request& request, Request& answered, Attempt attempt) noexcept {
  const uint64_t delay = std::min(kFirstWait << std::min<uint8_t>(attempt.waits, 8), kLastWait);
  if (!request.copy || turn_.now() + delay > request.sent_at + patience_ || overtaken(request)) return false;
  if (attempt.waits < UINT8_MAX) ++attempt.waits;
  Request& child = next_try(request, answered, attempt);
  if (!waiting_.add(child, delay)) routing::fail(child, Failure::queue_full);
  return true;
}

Backend* SlotPool::redirected(Backend& from, std::string_view error, bool& asking) {
  const Redirection to = redis::parse_redirection(error);
  asking = to.kind == Redirection::Kind::ask;
  if (to.kind != Redirection::Kind::moved && !asking) return nullptr;
  refresher_.ask();
  SlotNode* const node = nodes_.add(to.host.empty() ? from.server().address.host : to.host, to.port);
  if (node != nullptr && !asking && !node->doubtful) nodes_.assign(to.slot, *node);
  return node == nullptr ? nullptr : node->backend;
}

bool SlotPool::may_pass(std::string_view error) {
  switch (redis::parse_redirection(error).kind) {
    case Redirection::Kind::none:
    case Redirection::Kind::moved:
    case Redirection::Kind::ask: return false;
    case Redirection::Kind::cluster_down:
    case Redirection::Kind::slot_not_served:
    case Redirection::Kind::master_down: refresher_.ask(); [[fallthrough]];
    case Redirection::Kind::try_again:
    case Redirection::Kind::loading: return true;
  }
  return false;
}

// A child in the place of what was answered, with the hop that its answer comes back by.
Request& SlotPool::next_try(Request& request, Request& answered, Attempt attempt) noexcept {
  turn_.requests.drop_reply(answered);
  turn_.requests.release_children(request);
  request.failure = Failure::none;
  request.error_reply = false;
  if (!attempt.counted && attempt.waits > 0 && request.lane != nullptr) {
    attempt.counted = true;
    ++request.lane->retrying;
  }
  attempt.again = true;
  request.push_hop(this, attempt.scratch());
  Request& child = turn_.requests.take_child(request, routing::Wire::redis);
  child.command = request.command;
  child.key_hash = request.key_hash;
  child.bytes = request.copy_view();
  child.in_order = true;
  if (request.answer == routing::Answer::exec) {
    child.preludes = 1 + request.key_count;
    request.queue_error = false;
  }
  return child;
}

// Whether a later request of the same client for the same slot is on its way, and the order of the two matters.
bool SlotPool::overtaken(const Request& request) {
  const Request& top = request.parent != nullptr ? *request.parent : request;
  const auto in_conflict = [&](const Request& later) {
    return later.wire == routing::Wire::redis && !later.finished && later.key_hash == request.key_hash &&
           later.source != nullptr && !(only_reads(request) && only_reads(later));
  };
  for (const Request* later = top.next; later != nullptr; later = later->next) {
    if (in_conflict(*later)) return true;
    for (const Request* part = later->children; part != nullptr; part = part->next) {
      if (in_conflict(*part)) return true;
    }
  }
  return false;
}

int32_t SlotPool::target(std::string_view key) const noexcept {
  const SlotNode* node = nodes_.owner(slot_of(key));
  return node == nullptr ? routing::kNoTarget : node->backend->id();
}

void SlotPool::broadcast(Request& parent, routing::Wire wire, std::string_view bytes) noexcept {
  std::vector<Backend*> masters;
  nodes_.owners(masters);
  if (masters.empty()) return routing::fail(parent, Failure::no_backend);
  // All children exist before the first is sent: one that fails at once must not complete the parent.
  for (size_t i = 0; i < masters.size(); ++i) turn_.requests.take_child(parent, wire).bytes = bytes;
  Request* child = parent.children;
  for (Backend* master : masters) {
    Request& request = *child;
    child = child->next;
    master->send(request);
  }
}

void SlotPool::explain(std::string_view key, std::string& out) const {
  const uint16_t slot = slot_of(key);
  const SlotNode* node = nodes_.owner(slot);
  out.append("cluster ").append(cluster_->name).append(": slot of '").append(tag_.trim(key)).append("' is ");
  out.append(std::to_string(slot)).append(" -> ");
  out.append(node != nullptr ? node->backend->name() : "not served by any node").append("\n");
}

}  // namespace overlord::proxy
