#pragma once
// For tests: hosts, tasks and redis nodes under a clock of their own, and the ports through which one scheduler sees
// them. Each scheduler has a Fuse: at its k-th act on the world it is killed, before the act or behind it; from then on
// nothing that it asks for happens. Without being killed, its acts can fail at random: before they take effect, or with
// only the answer lost.

#include <map>
#include <random>
#include <set>
#include <string>

#include "engine/engine.h"
#include "jobs/sim_redis.h"
#include "jobs/sim_store.h"
#include "jobs/tools.h"

namespace overlord::jobs::sim {

struct SimHost {
  model::Host host{};
  bool up = true;  // false: cut off; what runs there goes on
};

struct SimTask {
  model::NodeTask task{};
  engine::TaskState state = engine::TaskState::staging;
  Moment next = 0;  // when it goes on to the next state
  bool ending = false;
  bool doomed = false;  // it will not start
  std::string message{};
};

class World : public Clock {
 public:
  explicit World(uint64_t seed) : random(seed) {}

  Moment now() override { return at; }
  void add_host(const std::string& name, uint64_t mib, const std::string& group = "g") {
    model::Host host{.name = name, .group = group};
    host.capacity = {.cpu_milli = 64'000, .memory_mib = static_cast<uint32_t>(mib)};
    host.ports = {{31000, 31099}};
    hosts[name] = {.host = std::move(host)};
  }

  bool live(const SimTask& task) const { return !engine::is_over(task.state); }
  // Time goes on, and with it what takes time.
  void advance(Moment by) {
    at += by;
    for (auto& [id, task] : tasks) {
      if (!live(task) || task.next == 0 || at < task.next || !hosts.at(task.task.host).up) continue;
      task.next = 0;
      if (task.ending) {
        task.state = engine::TaskState::stopped;
      } else if (task.doomed || broken_versions.contains(task.task.version) ||
                 broken_addresses.contains(task.task.address())) {
        task.state = engine::TaskState::failed;
        task.message = "it does not start";
      } else {
        task.state = engine::TaskState::running;
        if (task.task.type == model::CacheType::redis_cluster) {
          buses.start(task.task.address(), task.task.host, task.task.port, task.task.nodes_conf, task.task.wipe);
        }
      }
    }
    std::set<std::string> running;
    for (const auto& [id, task] : tasks) {
      if (task.state == engine::TaskState::running && hosts.at(task.task.host).up) running.insert(task.task.address());
    }
    for (auto& [address, proc] : buses.procs) {
      if (running.contains(address)) {
        proc.away = 0;
      } else if (proc.away == 0) {
        proc.away = at;
      }
    }
    buses.gossip(at);
  }
  void kill_task(const std::string& address) {
    for (auto& [id, task] : tasks) {
      if (task.task.address() != address || !live(task)) continue;
      task.state = engine::TaskState::failed;
      task.message = "killed by signal 9";
    }
  }
  // Addresses at which something runs.
  std::multiset<std::string> running() const {
    std::multiset<std::string> found;
    for (const auto& [id, task] : tasks) {
      if (live(task)) found.insert(task.task.address());
    }
    return found;
  }

  Moment at = 1'700'000'000'000;
  std::map<std::string, SimHost> hosts;
  std::map<std::string, SimTask> tasks;
  std::set<std::string> broken_versions;
  std::set<std::string> broken_addresses;
  Buses buses;
  MemoryStore store;
  std::mt19937_64 random;
};

struct Fuse {
  int64_t kill_at = -1;      // the act at which it dies, from 0; -1: none
  bool behind = false;       // the act takes effect
  uint32_t fail_one_in = 0;  // acts fail at random; 0: none
  int64_t acts = 0;
  bool dead = false;
  std::mt19937_64 random{};

  enum class Way : uint8_t { good, not_done, answer_lost };
  Way next() {
    if (dead) return Way::not_done;
    if (acts++ == kill_at) {
      dead = true;
      return behind ? Way::answer_lost : Way::not_done;
    }
    if (fail_one_in == 0 || random() % fail_one_in != 0) return Way::good;
    return random() % 2 == 0 ? Way::not_done : Way::answer_lost;
  }
};

class SimStore : public store::Store {
 public:
  SimStore(MemoryStore& below, Fuse& fuse) : below_(below), fuse_(fuse) {}
  store::Answer<std::optional<store::Record>> get(std::string_view key, store::Revision at) override {
    if (fuse_.dead) return store::fail(store::Trouble::unavailable, "killed");
    return below_.get(key, at);
  }
  store::Answer<store::Page> list(std::string_view prefix, const store::ListOptions& options) override {
    if (fuse_.dead) return store::fail(store::Trouble::unavailable, "killed");
    return below_.list(prefix, options);
  }
  store::Answer<store::Revision> commit(const store::Transaction& transaction) override {
    const Fuse::Way way = fuse_.next();
    if (way == Fuse::Way::not_done) return store::fail(store::Trouble::unavailable, "no answer");
    const auto made = below_.commit(transaction);
    if (way == Fuse::Way::answer_lost) return store::fail(store::Trouble::uncertain, "no answer");
    return made;
  }
  store::Answer<std::unique_ptr<store::Watch>> watch(std::string_view prefix, store::Revision from) override {
    return below_.watch(prefix, from);
  }
  store::Answer<void> compact(store::Revision revision) override { return below_.compact(revision); }
  store::Answer<store::Lease> grant(std::chrono::seconds ttl) override { return below_.grant(ttl); }
  store::Answer<store::Lease> keep_alive(store::LeaseId lease) override { return below_.keep_alive(lease); }
  store::Answer<void> revoke(store::LeaseId lease) override { return below_.revoke(lease); }

 private:
  MemoryStore& below_;
  Fuse& fuse_;
};

class SimEngine : public engine::Engine {
 public:
  SimEngine(World& world, Fuse& fuse) : world_(world), fuse_(fuse) {}
  std::vector<engine::HostStatus> hosts() override {
    std::vector<engine::HostStatus> all;
    for (const auto& [name, host] : world_.hosts) {
      engine::HostStatus status{.host = host.host, .free = {}, .reachable = host.up};
      status.free.name = name;
      status.free.memory_mib = host.host.capacity.memory_mib;
      status.free.cpu_milli = host.host.capacity.cpu_milli;
      for (const auto range : host.host.ports) status.free.ports.push_back({range.first, range.last});
      for (const auto& [id, task] : world_.tasks) {
        if (task.task.host != name || !world_.live(task)) continue;
        status.free.memory_mib -= std::min<uint64_t>(status.free.memory_mib, task.task.spec.memory_mib);
        status.free.cpu_milli -= std::min<uint64_t>(status.free.cpu_milli, task.task.spec.cpu_milli);
        status.free.taken.push_back(task.task.port);
      }
      all.push_back(std::move(status));
    }
    return all;
  }
  void want(bool) override {}
  Result<void> launch(const model::NodeTask& task) override {
    return act([&]() -> Result<void> {
      if (!world_.hosts.at(task.host).up) return fail("the host " + task.host + " cannot be reached");
      if (world_.tasks.contains(task.id)) return {};
      for (const auto& [id, other] : world_.tasks) {
        // As memory is: what is still there is not free.
        if (world_.live(other) && other.task.address() == task.address()) return fail("there is no room: " + id);
      }
      world_.tasks[task.id] = {.task = task, .next = world_.at + 300};
      return {};
    });
  }
  Result<void> kill(const std::string& id, const std::string& host, std::chrono::milliseconds) override {
    return act([&]() -> Result<void> {
      const auto found = world_.tasks.find(id);
      if (found == world_.tasks.end()) {
        told_[id] = {.id = id, .state = engine::TaskState::gone, .host = host, .message = {}};
        fresh_.insert(id);
        return {};
      }
      found->second.ending = true;
      found->second.next = world_.at + 200;
      return {};
    });
  }
  void reconcile(const std::vector<engine::TaskStatus>& known) override {
    for (const engine::TaskStatus& status : known) {
      if (world_.tasks.contains(status.id)) continue;
      told_[status.id] = {.id = status.id, .state = engine::TaskState::gone, .host = status.host, .message = {}};
      fresh_.insert(status.id);
    }
  }
  std::vector<engine::TaskStatus> changes(std::chrono::milliseconds) override {
    std::vector<engine::TaskStatus> changed;
    if (fuse_.dead) return changed;
    for (const auto& [id, task] : world_.tasks) {
      const bool up = world_.hosts.at(task.task.host).up;
      const engine::TaskState state = !up && world_.live(task) ? engine::TaskState::lost : task.state;
      if (!up && !told_.contains(id)) continue;  // nobody has told of it
      engine::TaskStatus status{.id = id, .state = state, .host = task.task.host, .message = task.message};
      if (told_.contains(id) && told_.at(id) == status) continue;
      told_[id] = status;
      changed.push_back(std::move(status));
    }
    for (const std::string& id : fresh_) changed.push_back(told_.at(id));
    fresh_.clear();
    return changed;
  }
  bool settled() override { return !fuse_.dead; }
  std::string trouble() override { return fuse_.dead ? "killed" : ""; }

 private:
  template <typename Do>
  Result<void> act(const Do& act) {
    const Fuse::Way way = fuse_.next();
    if (way == Fuse::Way::not_done) return fail("no answer");
    const Result<void> done = act();
    return way == Fuse::Way::answer_lost ? fail("no answer") : done;
  }

  World& world_;
  Fuse& fuse_;
  std::map<std::string, engine::TaskStatus> told_;
  std::set<std::string> fresh_;
};

class SimRedis : public redisctl::Admin {
 public:
  SimRedis(World& world, Fuse& fuse) : world_(world), fuse_(fuse) {}
  Result<redisctl::Topology> topology(const redisctl::Endpoint& at) override {
    Proc* const proc = reach(at);
    if (proc == nullptr) return fail("no answer");
    return world_.buses.view(*proc, world_.at);
  }
  Result<redisctl::ClusterInfo> cluster_info(const redisctl::Endpoint& at) override {
    Proc* const proc = reach(at);
    if (proc == nullptr) return fail("no answer");
    redisctl::ClusterInfo info;
    for (const ClusterNode& node : world_.buses.view(*proc, world_.at)) {
      ++info.known_nodes;
      for (const auto range : node.slots) info.slots_ok += node.failed ? 0 : range.size();
    }
    info.ok = info.slots_ok == kSlots;
    return info;
  }
  Result<redisctl::NodeInfo> info(const redisctl::Endpoint& at) override {
    Proc* const proc = reach(at);
    if (proc == nullptr) return fail("no answer");
    const Proc* const master = world_.buses.find(proc->master);
    return redisctl::NodeInfo{.master = proc->master.empty(),
                              .link_up = master != nullptr && master->away == 0 && proc->synced <= world_.at};
  }
  Result<void> meet(const redisctl::Endpoint& at, const std::string& host, uint16_t port) override {
    return act(at, [&](Proc& proc) -> std::string {
      Proc* const other = reach({.host = host, .port = port, .password = {}});
      if (other == nullptr) return {};
      proc.banned.erase(other->id);
      other->banned.erase(proc.id);
      proc.known.insert(other->id);
      other->known.insert(proc.id);
      return {};
    });
  }
  Result<void> forget(const redisctl::Endpoint& at, const std::string& id) override {
    return act(at, [&](Proc& proc) -> std::string {
      if (proc.master == id) return "ERR Can't forget my master!";
      proc.known.erase(id);
      proc.banned[id] = world_.at + kForgotten;
      return {};
    });
  }
  Result<void> replicate(const redisctl::Endpoint& at, const std::string& id) override {
    return act(at, [&](Proc& proc) -> std::string {
      Proc* const master = world_.buses.find(id);
      if (master == nullptr || !proc.known.contains(id)) return "ERR Unknown node " + id;
      if (!master->master.empty()) return "ERR I can only replicate a master, not a replica.";
      if (proc.master.empty() && (proc.claims.any() || !proc.keys.empty())) {
        return "ERR To set a master the node must be empty and without assigned slots.";
      }
      proc.master = id;
      proc.synced = world_.at + kCopyTime;
      return {};
    });
  }
  Result<void> failover(const redisctl::Endpoint& at, redisctl::Failover how) override {
    return act(at, [&](Proc& proc) -> std::string {
      if (proc.master.empty()) return {};
      const Proc* const master = world_.buses.find(proc.master);
      if (how == redisctl::Failover::agreed && (master == nullptr || master->away != 0)) {
        return "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE";
      }
      if (proc.synced > world_.at) return {};  // it begins, and comes to nothing
      world_.buses.promote(proc, world_.at);
      return {};
    });
  }
  Result<void> mark_slots(const redisctl::Endpoint& at, std::span<const uint16_t> slots, SlotMark mark,
                          const std::string& id) override {
    const Fuse::Way way = fuse_.next();
    Proc* const proc = reach(at, way == Fuse::Way::answer_lost);
    if (way == Fuse::Way::not_done || proc == nullptr) return fail("no answer");
    // One that is killed in it may have done a part.
    const size_t most = way == Fuse::Way::answer_lost ? world_.random() % (slots.size() + 1) : slots.size();
    for (size_t i = 0; i < most; ++i) {
      const std::string error = world_.buses.mark(*proc, slots[i], mark, id);
      if (!error.empty()) return fail(error);
    }
    if (way == Fuse::Way::answer_lost) return fail("no answer");
    return {};
  }
  Result<uint64_t> count_keys(const redisctl::Endpoint& at, uint16_t slot) override {
    Proc* const proc = reach(at);
    if (proc == nullptr) return fail("no answer");
    return proc->keys.contains(slot) ? proc->keys.at(slot) : 0;
  }
  Result<uint64_t> move_keys(const redisctl::Endpoint& from, const redisctl::Endpoint& to, uint16_t slot,
                             uint32_t most) override {
    Proc* const giver = reach(from);
    Proc* const taker = reach(to);
    if (giver == nullptr || taker == nullptr) return fail("no answer");
    if (!giver->keys.contains(slot)) return 0;
    uint64_t moved = 0;
    const auto done = act(from, [&](Proc&) -> std::string {
      if (!taker->importing.contains(slot) && !taker->claims.test(slot))
        return "ERR TRYAGAIN the target does not import";
      moved = std::min<uint64_t>(most, giver->keys[slot]);
      taker->keys[slot] += moved;
      giver->keys[slot] -= moved;
      if (giver->keys[slot] == 0) giver->keys.erase(slot);
      return {};
    });
    if (!done) return std::unexpected(done.error());
    return moved;
  }
  Result<void> config_set(const redisctl::Endpoint& at, const std::map<std::string, std::string>& settings) override {
    for (const auto& [id, task] : world_.tasks) {
      if (task.task.host != at.host || task.task.port != at.port || !world_.live(task)) continue;
      const Fuse::Way way = fuse_.next();
      if (way == Fuse::Way::not_done) return fail("no answer");
      for (const auto& [name, value] : settings) world_.tasks.at(id).task.settings[name] = value;
      if (way == Fuse::Way::answer_lost) return fail("no answer");
      return {};
    }
    return fail("no answer");
  }

 private:
  Proc* reach(const redisctl::Endpoint& at, bool dying = false) {
    if (fuse_.dead && !dying) return nullptr;
    const auto found = world_.buses.procs.find(model::address_of(at.host, at.port));
    if (found == world_.buses.procs.end() || found->second.away != 0) return nullptr;
    return &found->second;
  }
  template <typename Do>
  Result<void> act(const redisctl::Endpoint& at, const Do& act) {
    Proc* const proc = reach(at);
    if (proc == nullptr) return fail("no answer");
    const Fuse::Way way = fuse_.next();
    if (way == Fuse::Way::not_done) return fail("no answer");
    const bool dead = std::exchange(fuse_.dead, false);  // meanwhile others are to be reached
    const std::string error = act(*proc);
    fuse_.dead = dead;
    if (way == Fuse::Way::answer_lost) return fail("no answer");
    if (!error.empty()) return fail(error);
    return {};
  }

  World& world_;
  Fuse& fuse_;
};

}  // namespace overlord::jobs::sim
