#pragma once
// Pool: a leaf of a route tree: the backends of one cluster in one worker, and the rule that gives each key its
// backend. PoolRoute places by a ring, as twemproxy does.

#include <memory>
#include <vector>

#include "config/config.h"
#include "hashing/ring.h"
#include "proxy/backend.h"
#include "routing/route.h"

namespace overlord::proxy {

// What a reload changes for one pool; the same for all workers.
struct PoolChange {
  config::ClusterSnapshot config;  // from now on
  // Over all of its servers, in their order; null: keys stay where they are, or are in slots.
  std::shared_ptr<const hashing::Ring> ring = {};
  std::vector<int32_t> kept = {};  // for each of its servers: its place before; -1: it is new
  bool new_connections = false;    // none of the present ones is what the configuration wants
  bool new_servers = false;        // redis_cluster: other seeds

  // Keys go to other backends, or the same way over other connections.
  bool moves() const { return ring != nullptr || new_connections || new_servers; }
};

class Pool : public routing::Route {
 public:
  virtual void start() = 0;
  // A reload, in two steps, so that what is new is connected before it gets requests. prepare() does a part of the work
  // and is called again and again, until it returns true: whatever can be reached is connected. commit() ends it, and
  // may be called before.
  virtual bool prepare(const PoolChange& change) = 0;
  virtual void commit(const PoolChange& change) = 0;
  // Called about once a second.
  virtual void housekeeping() = 0;
  // All backends, also those that get no keys now. Pointers stay valid until the worker's turn ends.
  virtual const std::vector<std::unique_ptr<Backend>>& backends() const = 0;
  // The backends that hold keys, each once, in an order that does not change while they stay the same: a command over
  // all nodes goes to these.
  virtual void owners(std::vector<Backend*>& out) const = 0;

  // Where a request belongs that `from` would not serve, by its error line; null when that says nothing of the kind. What
  // the line says is remembered. asking: ASKING has to go in front of it.
  virtual Backend* redirected(Backend& /*from*/, std::string_view /*error*/, bool& /*asking*/) { return nullptr; }
  // The error line says that the same request may succeed in a moment. What it says of the map is acted on.
  virtual bool may_pass(std::string_view /*error*/) { return false; }
  // Another number whenever keys may have gone to other backends.
  virtual uint64_t placement() const { return 0; }

  // Who has a slot; null when nobody has it, or keys are not in slots here.
  virtual Backend* slot_owner(uint16_t /*slot*/) const { return nullptr; }

  // The backends that Sentinels know the address of, by the name of the master; also those that a reload prepares.
  virtual void sentinel_moved(std::string_view master, const std::string& host, const net::SocketAddress& address) {
    for (const auto& backend : backends()) {
      if (backend->serves(master)) backend->move_to(host, address);
    }
  }

  // The backend with this id; null when there is none (any more).
  Backend* find(int32_t id) const {
    for (const auto& backend : backends()) {
      if (backend->id() == id) return backend.get();
    }
    return nullptr;
  }
};

}  // namespace overlord::proxy
