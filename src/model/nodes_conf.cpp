#include "model/nodes_conf.h"

#include <algorithm>
#include <map>
#include <set>

namespace overlord::model {
namespace {

constexpr size_t kIdSize = 40;
constexpr uint32_t kLargestPort = 65'535;

bool valid_id(std::string_view id) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return id.size() == kIdSize && std::all_of(id.begin(), id.end(), hex);
}

// Nothing else can be an address, and a blank or a newline would be another field of the file.
bool valid_host(std::string_view host) {
  const auto good = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '.' || c == ':';
  };
  return !host.empty() && host.size() < 46 && std::all_of(host.begin(), host.end(), good);
}

std::string name_of(const ConfNode& node) { return "node " + address_of(node.host, node.port); }

using ById = std::map<std::string_view, const ConfNode*>;

Result<void> check_node(const ConfNode& node, const ById& by_id) {
  if (!valid_host(node.host)) return fail(name_of(node) + ": its host is not a numeric address");
  if (node.port == 0 || node.port + kBusPortOffset > kLargestPort) {
    return fail(name_of(node) + ": its port must be 1 to 55535, since its bus is 10000 above");
  }
  if (node.role == Role::master) return {};
  const auto master = by_id.find(node.master);
  if (master == by_id.end()) return fail(name_of(node) + ": its master " + node.master + " is none of the nodes");
  if (master->second->role != Role::master) return fail(name_of(node) + ": its master is a replica itself");
  if (!node.slots.empty()) return fail(name_of(node) + " is a replica and has slots");
  return {};
}

Result<void> check_slots(std::span<const ConfNode> nodes) {
  std::vector<const ConfNode*> owner(kSlots, nullptr);
  for (const ConfNode& node : nodes) {
    for (const SlotSpan& span : node.slots) {
      if (span.first > span.last || span.last >= kSlots) {
        return fail(name_of(node) + ": " + std::to_string(span.first) + "-" + std::to_string(span.last) +
                    " are no slots");
      }
      for (uint32_t slot = span.first; slot <= span.last; ++slot) {
        if (owner[slot] != nullptr) {
          return fail("slot " + std::to_string(slot) + " is with " + name_of(*owner[slot]) + " and " + name_of(node));
        }
        owner[slot] = &node;
      }
    }
  }
  const auto missing = std::ranges::find(owner, nullptr);
  if (missing != owner.end()) return fail("slot " + std::to_string(missing - owner.begin()) + " is with no node");
  return {};
}

// By id of the master.
Result<std::map<std::string_view, uint64_t>> epochs_of(std::span<const ConfNode> nodes) {
  std::map<std::string_view, uint64_t> epochs;
  std::set<uint64_t> seen;
  uint64_t given = 0;
  for (const ConfNode& node : nodes) {
    if (node.role != Role::master) continue;
    const uint64_t epoch = node.epoch != 0 ? node.epoch : ++given;
    if (!seen.insert(epoch).second || (given > 0 && given != seen.size())) {
      return fail(name_of(node) + ": epochs must differ, and all masters bring one or none does");
    }
    epochs[node.id] = epoch;
  }
  return epochs;
}

std::string line_of(const ConfNode& node, bool myself, uint64_t epoch) {
  std::string line = node.id + " " + node.host + ":" + std::to_string(node.port) + "@" +
                     std::to_string(node.port + kBusPortOffset) + (myself ? " myself," : " ");
  line += node.role == Role::master ? "master -" : "slave " + node.master;
  line += " 0 0 " + std::to_string(epoch) + " connected";
  for (const SlotSpan& span : node.slots) {
    line += " " + std::to_string(span.first);
    if (span.last != span.first) line += "-" + std::to_string(span.last);
  }
  return line + "\n";
}

}  // namespace

Result<std::string> nodes_conf(std::span<const ConfNode> nodes, std::string_view myself) {
  ById by_id;
  std::set<std::pair<std::string, uint32_t>> listening;
  for (const ConfNode& node : nodes) {
    if (!valid_id(node.id)) return fail(name_of(node) + ": its id is not 40 lower-case hex digits");
    if (!by_id.emplace(node.id, &node).second) return fail(name_of(node) + ": its id is another's too");
    if (!listening.emplace(node.host, node.port).second ||
        !listening.emplace(node.host, node.port + kBusPortOffset).second) {
      return fail(name_of(node) + ": its port or its bus port is another's too");
    }
  }
  if (!by_id.contains(myself)) return fail("the node that the file is for is none of the cluster's");
  for (const ConfNode& node : nodes) {
    if (const auto good = check_node(node, by_id); !good) return fail(good.error().message);
  }
  if (const auto good = check_slots(nodes); !good) return fail(good.error().message);
  const auto epochs = epochs_of(nodes);
  if (!epochs) return fail(epochs.error().message);

  std::string text;
  uint64_t current = 0;
  for (const ConfNode& node : nodes) {
    const uint64_t epoch = epochs->at(node.role == Role::master ? node.id : node.master);
    current = std::max(current, epoch);
    text += line_of(node, node.id == myself, epoch);
  }
  return text + "vars currentEpoch " + std::to_string(current) + " lastVoteEpoch 0\n";
}

}  // namespace overlord::model
