#pragma once
// Act: what one step of a job does, as planners make it and steps keep it. The kinds are a closed set. Each is carried
// out by check, then act, so a leader may begin it anew wherever another was killed in it (acts.h).
//
// Nodes are named by their addresses: while a node moves, its alias stands for two.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/job.h"
#include "placement/slots.h"

namespace overlord::jobs {

enum class StepKind : uint8_t {
  place,           // places: writes the records of new nodes; `flag`: in force at once
  launch,          // nodes: asks the engine for their tasks; `flag`: they begin a new redis_cluster
  await_tasks,     // nodes: until all run; what fails is started again, a few times
  enlist,          // nodes: in force under their aliases, instead of what was
  ramp,            // nodes: in force with weight `number` (0: not), for `hold` ms; `flag`: they leave
  stop,            // nodes: ends them, and their records; `flag`: keeps the records
  await_cluster,   // until all nodes of a redis_cluster agree that it is well
  meet,            // nodes: join the redis_cluster
  replicate,       // nodes: each copies the master of its shard
  promote,         // nodes: each becomes its shard's master; `flag`: it must, else it is tried for a while
  step_down,       // nodes: each that is a master hands over to a replica
  await_master,    // nodes: until their shards have masters that live
  move_slots,      // slots: live, to the shard of id `to`; undone: to that of `from`
  adopt_slots,     // nodes: each takes what a dead master, of id `ids`, had
  forget,          // ids: cast out of the redis_cluster, at all of its nodes
  restart,         // nodes, to incarnation `number`: ended and started anew where they are
  configure,       // nodes: CONFIG SET of `settings`
  update_cluster,  // what `settings`, `version`, `memory_mib`, `shards` say becomes the cluster's; undone: what was
  remove_cluster,
};
std::string_view to_string(StepKind kind);

struct Place {
  uint64_t alias = 0;
  std::string host{};
  uint16_t port = 0;
  uint32_t shard = 0;
  model::Role role = model::Role::master;
  std::string node_id{};
  bool operator==(const Place&) const = default;
};

// Which fields count follows from the kind.
struct Act {
  StepKind kind = StepKind::place;
  std::vector<Place> places{};
  std::vector<std::string> nodes{};
  std::vector<std::string> ids{};
  std::string from{};
  std::string to{};
  std::vector<placement::SlotRange> slots{};
  uint32_t number = 0;
  uint32_t hold = 0;
  bool flag = false;
  uint32_t shards = 0;  // 0, empty: stays
  uint32_t memory_mib = 0;
  std::string version{};
  std::map<std::string, std::string> settings{};
  // What was, for undoing; filled in by the planner.
  uint32_t old_shards = 0;
  bool operator==(const Act&) const = default;
};

model::Step make_step(const Act& act);
// Of a step that make_step() made; what stands in a store can be anything.
Result<Act> act_of(const model::Step& step);

// For a person: "start 12 nodes".
std::string describe(const Act& act);
// Whether what it did can be taken back, if it did anything.
bool can_undo(StepKind kind);

}  // namespace overlord::jobs
