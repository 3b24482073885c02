#pragma once
// Process: a server that this executor, or an earlier one, has started. It is known by its pid together with the time of
// its start, so a pid that the kernel has given to another is never taken for it, and it is watched and signalled by a
// pidfd, so not even between looking and signalling.
//
// A server has a session of its own: no signal for the executor reaches it, and it outlives the executor.

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/socket.h"

namespace overlord::executor {

struct ProcessId {
  pid_t pid = 0;
  uint64_t started = 0;  // clock ticks since the kernel's start
  std::string boot;      // which start of the kernel
  bool operator==(const ProcessId&) const = default;
};

struct Start {
  std::string program{};
  std::vector<std::string> arguments{};  // behind the program's own name
  std::string folder{};                  // where it runs
  std::string log{};                     // stdout and stderr are appended to it
  std::string cgroup{};                  // cgroup.procs of the group that it joins; empty: none
  uint64_t descriptors = 0;              // RLIMIT_NOFILE, as far as the hard limit allows; 0: as it is
  uint64_t address_space = 0;            // RLIMIT_AS in bytes; 0: as it is
};

class Process {
 public:
  // The child exists, but is not the server yet, while `record` runs; if that fails, or this process dies in it, the child
  // goes away and has done nothing. So no server runs that is not written down.
  static Result<Process> start(const Start& start, const std::function<Result<void>(const ProcessId&)>& record);
  // A process that was started before; nothing when it does not run any more.
  static std::optional<Process> adopt(const ProcessId& id);

  const ProcessId& id() const { return id_; }
  int fd() const { return fd_.get(); }  // readable when it has ended
  // How it ended, in words: "exit status 1", "killed by signal 9 (Killed)". Nothing while it runs. Ends what is left of
  // its session's first process group.
  std::optional<std::string> ended();
  bool signal(int number) const;  // false: it has ended
  void kill() const;              // it, and what it has forked

 private:
  Process(ProcessId id, net::UniqueFd fd, bool child) : id_(std::move(id)), fd_(std::move(fd)), child_(child) {}

  ProcessId id_;
  net::UniqueFd fd_;
  bool child_;  // of ours; else only that it ended can be known, not how
  std::optional<std::string> end_;
};

}  // namespace overlord::executor
