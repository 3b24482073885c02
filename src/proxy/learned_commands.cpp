#include "proxy/learned_commands.h"

#include <algorithm>
#include <array>

#include "protocol/redis/command_lookup.h"

namespace overlord::proxy {

using redis::Command;
using redis::LearnedCommand;
using redis::Resolved;

const LearnedCommands::List LearnedCommands::kNone;

const Command* LearnedCommands::find(std::string_view name) const {
  const Table* const table = table_.load(std::memory_order_acquire);
  std::array<char, 128> letters;
  if (table == nullptr || name.size() > letters.size()) return nullptr;
  std::ranges::transform(name, letters.begin(), lower);
  const auto found = table->by_name.find({letters.data(), name.size()});
  return found == table->by_name.end() ? nullptr : found->second;
}

Resolved LearnedCommands::resolve(const Resolved& resolved, const redis::RequestParser& request) {
  using Status = Resolved::Status;
  const Command* command = nullptr;
  if (resolved.status == Status::unknown_command) {
    command = find(request.arg(0));
    if (command != nullptr && !command->subcommands.empty() && request.argc() > 1) {
      const Command* const sub = redis::find_subcommand(*command, request.arg(1));
      if (sub == nullptr) return {Status::unknown_subcommand, command};
      command = sub;
    }
  } else if (resolved.status == Status::unknown_subcommand && request.arg(1).size() < 100) {
    std::string name(resolved.command->name);
    command = find(name.append("|").append(request.arg(1)));
  } else {
    return resolved;
  }
  if (command == nullptr) {
    missed_.store(true, std::memory_order_relaxed);
    return resolved;
  }
  return {redis::arity_ok(*command, request.argc()) ? Status::ok : Status::wrong_arity, command};
}

const Command* LearnedCommands::keep(std::unique_ptr<LearnedCommand> learned) {
  if (const auto found = kept_.find(learned->bytes); found != kept_.end()) return &found->second->command;
  if (kept_.size() >= kMaxKept) return nullptr;
  LearnedCommand& kept = *learned;
  kept_.emplace(kept.bytes, std::move(learned));
  return &kept.command;
}

void LearnedCommands::publish(List commands) {
  std::ranges::sort(commands, {}, &Command::name);
  const auto same = std::ranges::unique(commands, {}, &Command::name);
  commands.erase(same.begin(), same.end());
  if (commands == all()) return;
  for (const auto& table : tables_) {
    if (table->list == commands) return table_.store(table.get(), std::memory_order_release);
  }
  if (tables_.size() >= kMaxTables) return;
  auto table = std::make_unique<Table>();
  for (const Command* command : commands) table->by_name.emplace(command->name, command);
  table->list = std::move(commands);
  table_.store(table.get(), std::memory_order_release);
  tables_.push_back(std::move(table));
}

}  // namespace overlord::proxy
