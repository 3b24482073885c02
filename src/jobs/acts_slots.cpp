#include <algorithm>
#include <set>

#include "base/log.h"
#include "jobs/acts.h"
#include "jobs/plan.h"

namespace overlord::jobs {
namespace {

using model::Node;
using redisctl::ClusterNode;
using redisctl::SlotMark;
using redisctl::Topology;

constexpr size_t kBatch = 32;          // slots open at a time
constexpr uint32_t kKeysAtOnce = 100;  // of a MIGRATE; a source does nothing else meanwhile

bool has(const ClusterNode& node, uint16_t slot) {
  return std::ranges::any_of(
      node.slots, [slot](const redisctl::SlotRange& range) { return range.first <= slot && slot <= range.last; });
}

const Node* node_of(const std::vector<Node>& nodes, const std::string& id) {
  const auto found = std::ranges::find(nodes, id, &Node::node_id);
  return found == nodes.end() ? nullptr : &*found;
}

// The master that has what this node had, or is to have: itself, or since a failover another.
const ClusterNode* acting(const Topology& seen, const std::string& id) {
  const ClusterNode* const found = redisctl::find(seen, id);
  if (found == nullptr || found->master) return found;
  return redisctl::find(seen, found->master_id);
}

class Mover {
 public:
  Mover(Tools& tools, const model::Job& job, const Topology& seen)
      : tools_(tools),
        job_(job),
        nodes_(members(tools, job)),
        seen_(seen),
        until_(tools.clock.now() + tools.timing.slots_turn) {}

  // All of them belong to `from`, or to `to` already with `from` not knowing it. Done, or why not.
  Report move(const ClusterNode& from, const ClusterNode& to, std::vector<uint16_t> slots) {
    const Node* const source = node_of(nodes_, from.id);
    const Node* const target = node_of(nodes_, to.id);
    if (source == nullptr || target == nullptr) {
      return Report::failed("slots are with " + (source == nullptr ? from.id : to.id) +
                            ", which is no node of the cluster");
    }
    if (Report need = need_running(tools_, job_, {source->address(), target->address()});
        need.kind != Report::Kind::done) {
      return need;
    }
    for (size_t first = 0; first < slots.size(); first += kBatch) {
      const auto begin = slots.begin() + static_cast<ptrdiff_t>(first);
      const auto end = slots.begin() + static_cast<ptrdiff_t>(std::min(first + kBatch, slots.size()));
      Report moved = batch(*source, *target, {begin, end});
      if (moved.kind != Report::Kind::done) return moved;
      if (tools_.clock.now() > until_) return Report::again("moving slots", 0);
    }
    return Report::done();
  }

 private:
  Report batch(const Node& source, const Node& target, const std::vector<uint16_t>& slots) {
    const redisctl::Endpoint from = endpoint(tools_, source);
    const redisctl::Endpoint to = endpoint(tools_, target);
    const auto at_source = tools_.redis.topology(from);
    const auto at_target = tools_.redis.topology(to);
    if (!at_source) return Report::failed(source.address() + ": " + at_source.error().message);
    if (!at_target) return Report::failed(target.address() + ": " + at_target.error().message);
    const ClusterNode& giver = *redisctl::myself(*at_source);
    const ClusterNode& taker = *redisctl::myself(*at_target);
    if (!giver.master || !taker.master) return Report::failed("a failover is under way");

    std::vector<uint16_t> open_there;
    std::vector<uint16_t> open_here;
    std::vector<uint16_t> close;
    for (const uint16_t slot : slots) {
      const auto importing = taker.importing.find(slot);
      if (!has(taker, slot) && (importing == taker.importing.end() || importing->second != source.node_id)) {
        open_there.push_back(slot);
      }
      const auto migrating = giver.migrating.find(slot);
      const bool marked = migrating != giver.migrating.end() && migrating->second == target.node_id;
      if (has(giver, slot) && !has(taker, slot) && !marked) open_here.push_back(slot);
      if (!has(taker, slot)) close.push_back(slot);
    }
    if (auto marked = mark(target, open_there, SlotMark::importing, source.node_id); !marked) return failed(marked);
    if (auto marked = mark(source, open_here, SlotMark::migrating, target.node_id); !marked) return failed(marked);
    for (const uint16_t slot : slots) {
      for (;;) {
        const auto moved = tools_.redis.move_keys(from, to, slot, kKeysAtOnce);
        if (!moved) return Report::failed(source.address() + ": " + moved.error().message);
        if (*moved == 0) break;
        if (tools_.clock.now() > until_) return Report::again("moving keys", 0);
      }
    }
    // First to who has them now: with a new epoch its word counts, whatever others still say.
    if (auto marked = mark(target, close, SlotMark::node, target.node_id); !marked) return failed(marked);
    if (auto marked = mark(source, slots, SlotMark::node, target.node_id); !marked) return failed(marked);
    for (const ClusterNode& other : seen_) {
      if (!other.master || other.failed || other.id == source.node_id || other.id == target.node_id) continue;
      const Node* const node = node_of(nodes_, other.id);
      if (node == nullptr || !tools_.tasks.runs(node->task)) continue;
      // It would hear of it from others too; this is sooner.
      if (auto told = mark(*node, slots, SlotMark::node, target.node_id); !told) log_info(told.error().message);
    }
    return Report::done();
  }

  Result<void> mark(const Node& at, const std::vector<uint16_t>& slots, SlotMark mark, const std::string& id) {
    if (slots.empty()) return {};
    auto marked = tools_.redis.mark_slots(endpoint(tools_, at), slots, mark, id);
    if (!marked) return fail(at.address() + ": " + marked.error().message);
    return marked;
  }
  static Report failed(const Result<void>& result) { return Report::failed(result.error().message); }

  Tools& tools_;
  const model::Job& job_;
  const std::vector<Node> nodes_;
  const Topology& seen_;
  const model::Moment until_;
};

std::vector<uint16_t> numbers(const std::vector<redisctl::SlotRange>& ranges) {
  std::vector<uint16_t> slots;
  for (const redisctl::SlotRange& range : ranges) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) slots.push_back(static_cast<uint16_t>(slot));
  }
  return slots;
}

// Of these slots, what each master has that is not `to`.
std::map<std::string, std::vector<uint16_t>> elsewhere(const Topology& seen, const std::vector<uint16_t>& slots,
                                                       const std::string& to) {
  std::map<std::string, std::vector<uint16_t>> found;
  for (const ClusterNode& node : seen) {
    if (node.id == to || node.slots.empty()) continue;
    for (const uint16_t slot : slots) {
      if (has(node, slot)) found[node.id].push_back(slot);
    }
  }
  return found;
}

// A leader that was killed may have left marks on slots that have arrived since.
Report close_marks(Tools& tools, const model::Job& job, const std::vector<uint16_t>& slots,
                   const std::set<std::string>& ids) {
  const std::vector<Node> nodes = members(tools, job);
  for (const std::string& id : ids) {
    const Node* const node = node_of(nodes, id);
    if (node == nullptr || !tools.tasks.runs(node->task)) continue;
    const auto seen = tools.redis.topology(endpoint(tools, *node));
    if (!seen) return Report::failed(node->address() + ": " + seen.error().message);
    const ClusterNode& self = *redisctl::myself(*seen);
    std::vector<uint16_t> marked;
    for (const uint16_t slot : slots) {
      if (self.migrating.contains(slot) || self.importing.contains(slot)) marked.push_back(slot);
    }
    if (!self.master || marked.empty()) continue;
    const auto closed = tools.redis.mark_slots(endpoint(tools, *node), marked, SlotMark::stable, {});
    if (!closed) return Report::failed(node->address() + ": " + closed.error().message);
  }
  return Report::done();
}

}  // namespace

Report move_slots(Tools& tools, const model::Job& job, const Act& act, bool back) {
  const auto seen = see_cluster(tools, job.intent.cluster);
  if (!seen) return Report::failed(seen.error().message);
  const std::vector<uint16_t> slots = numbers(act.slots);
  const ClusterNode* const from = acting(*seen, back ? act.to : act.from);
  const ClusterNode* const to = acting(*seen, back ? act.from : act.to);
  if (to == nullptr) {
    // Taken back before they had met.
    if (back) return Report::done();
    return Report::failed("the cluster does not know " + act.to);
  }
  Mover mover(tools, job, *seen);
  if (back && from == nullptr) return Report::done();
  if (back) {
    // Slots whose moving was broken off have keys on both sides. They are moved whole first.
    const std::vector<Node> nodes = members(tools, job);
    const Node* const half = node_of(nodes, from->id);
    if (half == nullptr) return Report::done();
    const auto own = tools.redis.topology(endpoint(tools, *half));
    if (!own) return Report::failed(half->address() + ": " + own.error().message);
    std::vector<uint16_t> open;
    for (const auto& [slot, giver] : redisctl::myself(*own)->importing) {
      if (std::ranges::find(slots, slot) != slots.end() && has(*to, slot)) open.push_back(slot);
    }
    if (!open.empty()) {
      const Report moved = mover.move(*to, *from, open);
      return moved.kind == Report::Kind::done ? Report::again("moving slots back", 0) : moved;
    }
  }
  const auto pending = elsewhere(*seen, slots, to->id);
  for (const auto& [id, theirs] : pending) {
    Report moved = mover.move(*redisctl::find(*seen, id), *to, theirs);
    if (moved.kind != Report::Kind::done) return moved;
  }
  if (!pending.empty()) return Report::again("moving slots", 0);
  return close_marks(tools, job, slots, {act.from, act.to, to->id, from == nullptr ? to->id : from->id});
}

Report adopt_slots(Tools& tools, const model::Job& job, const Act& act) {
  if (Report need = need_running(tools, job, act.nodes); need.kind != Report::Kind::done) return need;
  const std::vector<Node> all = members(tools, job);
  const Node& heir = *tools.state().node(act.nodes.front());
  const redisctl::Endpoint at = endpoint(tools, heir);
  const auto own = tools.redis.topology(at);
  if (!own) return Report::failed(heir.address() + ": " + own.error().message);
  bool done = true;
  for (const ClusterNode& dead : *own) {
    if (std::ranges::find(act.ids, dead.id) == act.ids.end() || dead.slots.empty()) continue;
    done = false;
    const std::vector<uint16_t> slots = numbers(dead.slots);
    // Importing first: the epoch that the heir then takes makes its word count.
    auto marked = tools.redis.mark_slots(at, slots, SlotMark::importing, dead.id);
    if (marked) marked = tools.redis.mark_slots(at, slots, SlotMark::node, heir.node_id);
    if (!marked) return Report::failed(heir.address() + ": " + marked.error().message);
  }
  const ClusterNode& me = *redisctl::myself(*own);
  for (const Node& node : running(tools, all)) {
    const auto seen = tools.redis.topology(endpoint(tools, node));
    if (!seen) return Report::failed(node.address() + ": " + seen.error().message);
    const bool late = std::ranges::any_of(*seen, [&](const ClusterNode& one) {
      return !one.slots.empty() && std::ranges::find(act.ids, one.id) != act.ids.end();
    });
    if (!late) continue;
    done = false;
    const ClusterNode* const self = redisctl::myself(*seen);
    if (!self->master || self->id == me.id) continue;
    const auto told = tools.redis.mark_slots(endpoint(tools, node), numbers(me.slots), SlotMark::node, me.id);
    if (!told) log_info(node.address(), ": ", told.error().message);
  }
  return done ? Report::done() : Report::again("the others are told whose the slots are");
}

}  // namespace overlord::jobs
