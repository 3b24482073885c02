#pragma once
// CommandPolicy: what a cluster lets nobody do, whoever the client is: deny_commands and read_only. Made when the
// configuration is read and never changed.

#include <set>
#include <string>
#include <string_view>

#include "protocol/redis/command.h"

namespace overlord::access {

class CommandPolicy {
 public:
  // name: in lower case: a command, a container with all its subcommands, or "container|sub".
  void deny(std::string name) { denied_.insert(std::move(name)); }
  void set_read_only(bool on) { read_only_ = on; }

  bool read_only() const { return read_only_; }
  const std::set<std::string, std::less<>>& denied() const { return denied_; }
  // Whether there is anything to ask refusal() about.
  bool restricts() const { return read_only_ || !denied_.empty(); }
  // An error text without '-' and CRLF; empty when the command may go on.
  std::string refusal(const redis::Command& command) const;

 private:
  bool read_only_ = false;
  std::set<std::string, std::less<>> denied_;
};

}  // namespace overlord::access
