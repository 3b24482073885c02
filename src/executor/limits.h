#pragma once
// Limits: what keeps a node within what was reserved for it.
//
// In a cgroup of version 2 that is this executor's to use: memory.max is the reserved memory, without swap, and cpu.weight
// follows the cpus (a share where they are short, no throttling where they are not). Elsewhere RLIMIT_AS is set: a fence
// far above what a node needs, against one that runs away; nothing limits its cpu there.

#include <string>

#include "base/error.h"
#include "model/task.h"

namespace overlord::executor {

class Limits {
 public:
  // wish: "auto", "none" or the folder of a cgroup without processes of its own. auto: the group of this process if it is
  // alone there; it then moves into a group below it. The log says what came of it.
  static Limits make(const std::string& wish, const std::string& mounted = "/sys/fs/cgroup");

  const std::string& text() const { return text_; }  // what is in force, in words

  // Of one node, before it starts. procs: file to write a process to that joins; empty: there are no groups.
  struct OfNode {
    std::string procs;
    uint64_t address_space = 0;  // bytes; 0: not limited
  };
  Result<OfNode> prepare(const model::NodeTask& task) const;
  // After it has ended.
  void remove(const model::NodeTask& task) const;

 private:
  std::string group_of(const model::NodeTask& task) const;

  std::string folder_;  // empty: no groups
  bool fence_ = false;
  std::string text_;
};

}  // namespace overlord::executor
