#pragma once
// LearnedCommand: a command that the built-in table lacks, as a server's COMMAND reply describes it (servers from 2.8.13
// on; key specs and subcommands from 7.0 on). Its treatment follows from what the server says:
//
//   admin, blocking or pubsub            refused
//   one key at a fixed place             single
//   key specs that say where all keys are  one_node
//   no keys, or not all places known     refused
//
// The reply is hostile: numbers and names that make no sense make a command refused, or the reply malformed.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/redis/command.h"

namespace overlord::redis {

struct LearnedCommand {
  Command command{};  // its views point at what is below; kLearned is among its flags
  std::string bytes;  // its part of the reply: equal bytes, equal command
  std::string name;
  std::vector<KeySpec> specs;
  std::vector<std::unique_ptr<std::string>> words;  // keywords and tips
  std::vector<std::string_view> tips;
  std::vector<std::unique_ptr<LearnedCommand>> learned_subs;
  std::vector<Command> subs;

  LearnedCommand() = default;
  LearnedCommand(const LearnedCommand&) = delete;
  LearnedCommand& operator=(const LearnedCommand&) = delete;
};

using LearnedList = std::vector<std::unique_ptr<LearnedCommand>>;

// reply: to COMMAND, RESP2 or RESP3, whole. Appends the commands that the built-in table lacks; a subcommand that a
// built-in container lacks comes by itself, as "container|sub". False when the reply is not what COMMAND answers; then
// some may have been appended.
bool parse_command_table(std::string_view reply, LearnedList& out);

}  // namespace overlord::redis
