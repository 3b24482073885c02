#pragma once
// LearnedCommands: the commands of one cluster that the built-in table lacks, as its backends described them. One
// worker learns (command_learner.h), all look up, without a lock: a look-up sees one Table, which never changes. Tables
// and the commands in them live as long as the cluster, because requests point to them; how many there may be is
// bounded, and a cluster whose backends go on changing their commands beyond that keeps what it knows.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/redis/command.h"
#include "protocol/redis/learned_command.h"
#include "protocol/redis/request_parser.h"

namespace overlord::proxy {

class LearnedCommands {
 public:
  // By name. Those of a built-in container are "container|sub".
  using List = std::vector<const redis::Command*>;

  const List& all() const {
    const Table* const table = table_.load(std::memory_order_acquire);
    return table == nullptr ? kNone : table->list;
  }
  // Another try for what the built-in table does not know (resolved.status is not ok).
  redis::Resolved resolve(const redis::Resolved& resolved, const redis::RequestParser& request);

  // The learning worker. Keeps the command for the life of the process and returns the kept one; null when there are
  // too many.
  const redis::Command* keep(std::unique_ptr<redis::LearnedCommand> learned);
  // What look-ups find from now on.
  void publish(List commands);
  // True for the first caller only: who learns.
  bool claim() { return !claimed_.exchange(true); }
  // Nobody learns any more, until somebody claims again; what was learned is forgotten.
  void give_up() {
    publish({});
    claimed_.store(false);
  }
  // Since the last call a client has used a name that nobody knows.
  bool take_miss() { return missed_.exchange(false, std::memory_order_relaxed); }

 private:
  struct Table {
    List list;
    std::unordered_map<std::string_view, const redis::Command*> by_name;
  };
  static const List kNone;
  static constexpr size_t kMaxKept = 16384;
  static constexpr size_t kMaxTables = 256;

  const redis::Command* find(std::string_view name) const;

  std::atomic<const Table*> table_{nullptr};
  std::atomic<bool> claimed_{false};
  std::atomic<bool> missed_{false};
  std::vector<std::unique_ptr<Table>> tables_;
  std::unordered_map<std::string_view, std::unique_ptr<redis::LearnedCommand>> kept_;  // by their bytes
};

}  // namespace overlord::proxy
