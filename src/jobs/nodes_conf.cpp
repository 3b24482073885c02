#include "jobs/nodes_conf.h"

#include <algorithm>
#include <map>

#include "jobs/plan.h"
#include "placement/slots.h"

namespace overlord::jobs {
namespace {

using model::Node;
using model::Role;

std::string line(const Node& node, bool myself, const std::string& master_id, uint64_t epoch,
                 const std::vector<placement::SlotRange>& slots) {
  const std::string port = std::to_string(node.port);
  std::string text =
      node.node_id + " " + node.host + ":" + port + "@" + std::to_string(node.port + placement::kBusOffset) + " ";
  if (myself) text += "myself,";
  text += master_id.empty() ? "master - " : "slave " + master_id + " ";
  text += "0 0 " + std::to_string(epoch) + " connected";
  for (const placement::SlotRange& range : slots) {
    text += " " + std::to_string(range.first);
    if (range.last != range.first) text += "-" + std::to_string(range.last);
  }
  return text + "\n";
}

std::string vars(uint64_t epoch) { return "vars currentEpoch " + std::to_string(epoch) + " lastVoteEpoch 0\n"; }

}  // namespace

std::string nodes_conf_new(const std::vector<Node>& nodes, const Node& of) {
  std::map<uint32_t, const Node*> masters;  // by shard
  for (const Node& node : nodes) {
    if (node.role == Role::master) masters[node.shard] = &node;
  }
  const auto slots = placement::divide_slots(static_cast<uint32_t>(masters.size()));
  std::map<uint32_t, size_t> order;
  for (const auto& [shard, master] : masters) order.emplace(shard, order.size());
  std::string text;
  for (const Node& node : nodes) {
    const auto master = masters.find(node.shard);
    if (master == masters.end()) continue;
    const bool myself = node.node_id == of.node_id;
    if (node.role == Role::master) {
      const size_t at = order[node.shard];
      text += line(node, myself, {}, at + 1, {slots[at]});
    } else {
      text += line(node, myself, master->second->node_id, 0, {});
    }
  }
  return text + vars(masters.size());
}

std::string nodes_conf_alone(const Node& of) { return line(of, true, {}, 0, {}) + vars(0); }

std::string nodes_conf_again(const redisctl::Topology& seen, const std::vector<Node>& nodes, const Node& of) {
  std::string text;
  uint64_t epoch = 0;
  const redisctl::ClusterNode* const master = master_of(seen, nodes, of.shard);
  const bool copies = master != nullptr && master->id != of.node_id;
  text += line(of, true, copies ? master->id : "", 0, {});
  for (const Node& node : nodes) {
    const redisctl::ClusterNode* const known = redisctl::find(seen, node.node_id);
    if (known == nullptr || node.node_id == of.node_id) continue;
    text += line(node, false, known->master ? "" : known->master_id, known->epoch, known->slots);
    epoch = std::max(epoch, known->epoch);
  }
  return text + vars(epoch);
}

}  // namespace overlord::jobs
