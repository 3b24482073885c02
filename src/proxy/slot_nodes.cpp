#include "proxy/slot_nodes.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace overlord::proxy {
namespace {

// A node is dropped when so many descriptions in a row did not name it.
constexpr uint32_t kMissedToGo = 3;

// Ways that differ by less than a quarter and this are taken for the same.
constexpr uint64_t kSameWay = 200'000;

// By then a node that is up has heard from the others who has a slot.
constexpr uint64_t kHeardOf = 5'000'000'000;

// New backends are made so many at a time, as each opens sockets.
constexpr size_t kMostAtOnce = 8;

}  // namespace

SlotNodes::SlotNodes(Turn& turn, config::ClusterSnapshot cluster, Resolver& resolver, int32_t& next_id,
                     HealthListener& listener)
    : turn_(turn),
      cluster_(std::move(cluster)),
      resolver_(resolver),
      next_id_(next_id),
      listener_(listener),
      leaving_(turn) {
  owner_.fill(kNobody);
  previous_.fill(kNobody);
  changed_.fill(0);
  for (const config::ServerConfig& seed : cluster_->servers) make(seed, NameLookup::now);
}

SlotNode* SlotNodes::make(config::ServerConfig server, NameLookup lookup) {
  size_t index = 0;
  while (index < nodes_.size() && nodes_[index] != nullptr) ++index;
  if (index == kMostNodes) return nullptr;
  if (index == nodes_.size()) nodes_.emplace_back();
  auto node = std::make_unique<SlotNode>();
  node->server = std::move(server);
  node->server.ring_name = config::to_string(node->server.address);
  node->index = static_cast<uint16_t>(index);
  backends_.push_back(
      std::make_unique<Backend>(turn_, cluster_, node->server, next_id_++, listener_, resolver_, lookup));
  node->backend = backends_.back().get();
  nodes_[index] = std::move(node);
  return nodes_[index].get();
}

bool SlotNodes::next_fresh(size_t& index) const {
  while (index < nodes_.size() && (nodes_[index] == nullptr || !nodes_[index]->started)) ++index;
  return index < nodes_.size();
}

void SlotNodes::make_fresh(const PoolChange& change) {
  const SlotNode& node = *nodes_[fresh_made_];
  fresh_.resize(nodes_.size());
  fresh_[fresh_made_++] =
      std::make_unique<Backend>(turn_, change.config, node.server, next_id_++, listener_, resolver_, NameLookup::later);
  fresh_[fresh_made_ - 1]->start();
}

bool SlotNodes::prepare(const PoolChange& change) {
  if (!change.new_connections) return true;
  for (size_t made = 0; made < kMostAtOnce && next_fresh(fresh_made_); ++made) make_fresh(change);
  if (next_fresh(fresh_made_)) return false;
  return std::ranges::all_of(fresh_, [](const auto& backend) { return backend == nullptr || backend->settled(); });
}

void SlotNodes::commit(const PoolChange& change) {
  cluster_ = change.config;
  fresh_.resize(nodes_.size());
  for (const auto& node : nodes_) {
    if (node == nullptr) continue;
    if (!change.new_connections) {
      node->backend->use(cluster_, node->server);
      continue;
    }
    // One that appeared or was started since, or that nobody has used yet, has none that is connected.
    std::unique_ptr<Backend>& fresh = fresh_[node->index];
    if (fresh == nullptr || &fresh->server() != &node->server) {
      fresh =
          std::make_unique<Backend>(turn_, cluster_, node->server, next_id_++, listener_, resolver_, NameLookup::later);
      if (node->started) fresh->start();
    }
    replace_backend(*node, std::move(fresh));
  }
  fresh_.clear();
  fresh_made_ = 0;
  if (change.new_servers) doubt_all_but_seeds();
}

void SlotNodes::replace_backend(SlotNode& node, std::unique_ptr<Backend> fresh) {
  const auto at = std::ranges::find_if(backends_, [&](const auto& b) { return b.get() == node.backend; });
  node.ping.reset();
  node.backend = fresh.get();
  std::swap(*at, fresh);
  leaving_.add(std::move(fresh));
}

void SlotNodes::doubt_all_but_seeds() {
  add_seeds();
  for (const auto& node : nodes_) {
    if (node == nullptr) continue;
    node->doubtful = std::ranges::none_of(
        cluster_->servers, [&](const config::ServerConfig& seed) { return seed.address == node->server.address; });
  }
}

SlotNode* SlotNodes::find(std::string_view host, uint16_t port) const {
  for (const auto& node : nodes_) {
    if (node != nullptr && node->server.address.port == port && node->server.address.host == host) return node.get();
  }
  return nullptr;
}

SlotNode* SlotNodes::find(const Backend& backend) const {
  for (const auto& node : nodes_) {
    if (node != nullptr && node->backend == &backend) return node.get();
  }
  return nullptr;
}

SlotNode* SlotNodes::add(std::string_view host, uint16_t port) {
  if (SlotNode* known = find(host, port)) return known;
  config::ServerConfig server;
  server.address.host = host;
  server.address.port = port;
  return make(std::move(server), NameLookup::later);
}

void SlotNodes::add_seeds() {
  for (const config::ServerConfig& seed : cluster_->servers) {
    const bool known = std::ranges::any_of(
        nodes_, [&](const auto& node) { return node != nullptr && node->server.address == seed.address; });
    if (!known) make(seed, NameLookup::later);
  }
}

void SlotNodes::start(SlotNode& node) {
  if (node.started) return;
  node.started = true;
  node.backend->start();
}

void SlotNodes::set_owner(uint16_t slot, uint16_t index) {
  const uint16_t before = owner_[slot];
  if (before != kNobody) {
    --nodes_[before]->slots;
    --served_;
  }
  if (index != kNobody) {
    ++nodes_[index]->slots;
    ++served_;
  }
  owner_[slot] = index;
  taught_.reset(slot);
  previous_[slot] = before;
  changed_[slot] = last_change_ = turn_.now();
}

void SlotNodes::assign(uint16_t slot, SlotNode& node) {
  if (owner_[slot] == node.index) return;
  set_owner(slot, node.index);
  taught_.set(slot);
}

// Not when that owner is no master any more: then the slot has gone to another since.
bool SlotNodes::taught_lately(uint16_t slot) const {
  return taught_.test(slot) && owner_[slot] != kNobody && nodes_[owner_[slot]]->leads &&
         turn_.now() - changed_[slot] < kHeardOf;
}

SlotNode* SlotNodes::earlier_owner(uint16_t slot, uint64_t since, uint64_t longest) const {
  const uint16_t before = previous_[slot];
  if (before == kNobody || before == owner_[slot] || nodes_[before] == nullptr) return nullptr;
  if (changed_[slot] < since || turn_.now() - changed_[slot] > longest) return nullptr;
  return nodes_[before]->backend->failing() ? nullptr : nodes_[before].get();
}

bool SlotNodes::apply(const redis::Topology& topology) {
  bool changed = false;
  for (const auto& node : nodes_) {
    if (node == nullptr) continue;
    ++node->missed;
    node->leads = false;
  }
  // All of them first: taught_lately() wants to know who leads.
  std::vector<SlotNode*> masters;
  for (const redis::TopologyShard& shard : topology.shards) {
    masters.push_back(add(shard.master.host, shard.master.port));
    if (masters.back() != nullptr) masters.back()->leads = true;
  }
  std::bitset<hashing::kSlots> named;
  for (size_t i = 0; i < masters.size(); ++i) {
    const redis::TopologyShard& shard = topology.shards[i];
    SlotNode* const master = masters[i];
    if (master == nullptr) continue;
    master->missed = 0;
    master->named = true;
    master->doubtful = false;
    for (const redis::SlotRange range : shard.slots) {
      for (uint32_t slot = range.first; slot <= range.last; ++slot) {
        named.set(slot);
        if (owner_[slot] == master->index || taught_lately(static_cast<uint16_t>(slot))) continue;
        set_owner(static_cast<uint16_t>(slot), master->index);
        changed = true;
      }
    }
    if (master->slots > 0) start(*master);
    add_replicas(*master, shard);
  }
  for (uint32_t slot = 0; slot < hashing::kSlots; ++slot) {
    if (named.test(slot) || owner_[slot] == kNobody || !unnamed_.test(slot)) continue;
    set_owner(static_cast<uint16_t>(slot), kNobody);
    changed = true;
  }
  unnamed_ = ~named;
  return changed;
}

void SlotNodes::add_replicas(SlotNode& master, const redis::TopologyShard& shard) {
  master.replicas.clear();
  for (const redis::TopologyNode& one : shard.replicas) {
    SlotNode* replica = add(one.host, one.port);
    if (replica == nullptr) continue;
    replica->missed = 0;
    replica->named = true;
    replica->doubtful = false;
    if (cluster_->read_from == config::ReadFrom::master) continue;
    start(*replica);
    // Where no offsets are told they are all 0.
    const uint64_t lag = shard.master.offset > one.offset ? shard.master.offset - one.offset : 0;
    const bool near = cluster_->max_replica_lag == 0 || lag <= cluster_->max_replica_lag;
    if (one.healthy && near) master.replicas.push_back(replica->index);
  }
  choose_readers(master);
}

void SlotNodes::choose_readers(SlotNode& master) {
  master.readers = master.replicas;
  if (cluster_->read_from != config::ReadFrom::nearest) return;
  master.readers.push_back(master.index);
  const auto way = [this](uint16_t index) {
    const SlotNode& node = *nodes_[index];
    return node.ping != nullptr ? node.ping->time() : UINT64_MAX / 4;
  };
  uint64_t shortest = UINT64_MAX / 4;
  for (const uint16_t index : master.readers) shortest = std::min(shortest, way(index));
  std::erase_if(master.readers, [&](uint16_t index) { return way(index) > shortest + shortest / 4 + kSameWay; });
}

void SlotNodes::ping() {
  if (cluster_->read_from != config::ReadFrom::nearest) return;
  for (const auto& node : nodes_) {
    if (node == nullptr || !node->started) continue;
    if (node->ping == nullptr) node->ping = std::make_unique<NodePing>(turn_, *node->backend);
    node->ping->send();
  }
  for (const auto& node : nodes_) {
    if (node != nullptr && node->slots > 0) choose_readers(*node);
  }
}

SlotNode* SlotNodes::reader(uint16_t slot, uint32_t client) const {
  SlotNode* master = owner(slot);
  if (master == nullptr) return nullptr;
  const size_t count = master->readers.size();
  for (size_t i = 0; i < count; ++i) {
    SlotNode* node = nodes_[master->readers[(client + i) % count]].get();
    if (!node->backend->failing()) return node;
  }
  return cluster_->read_from == config::ReadFrom::replica ? nullptr : master;
}

void SlotNodes::drop_gone() {
  if (!fresh_.empty()) return;  // a reload is being prepared for these nodes
  gone_.clear();
  for (auto& node : nodes_) {
    if (node == nullptr || node->slots > 0 || !node->backend->idle()) continue;
    // A seed by another name than the cluster's goes at once.
    if (node->missed < (node->named ? kMissedToGo : 1)) continue;
    // The last one stays: there must be somebody to ask.
    if (backends_.size() == 1) break;
    const auto at = std::ranges::find_if(backends_, [&](const auto& b) { return b.get() == node->backend; });
    static LogEvery every(std::chrono::seconds(1), LogEvery::kBurst);
    if (auto turn = every.next()) {
      log_info("cluster ", cluster_->name, ": ", node->server.ring_name, " is not one of its nodes (any more)",
               turn.suffix());
    }
    for (uint16_t& before : previous_) {
      if (before == node->index) before = kNobody;
    }
    for (const auto& other : nodes_) {
      if (other == nullptr) continue;
      std::erase(other->replicas, node->index);
      std::erase(other->readers, node->index);
    }
    gone_.push_back({std::move(node), std::move(*at)});
    backends_.erase(at);
  }
}

void SlotNodes::owners(std::vector<Backend*>& out) const {
  for (const auto& backend : backends_) {
    const SlotNode* node = find(*backend);
    if (node != nullptr && node->slots > 0) out.push_back(backend.get());
  }
}

}  // namespace overlord::proxy
