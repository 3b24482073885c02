#pragma once
// The answers to COMMAND and its subcommands, made from the table: what redis-server 7.0 says of its commands, in
// RESP2, in its form. Differences: CLIENT SETINFO is listed, key specs come without notes, HELP is in our words.

#include <span>
#include <string>

#include "protocol/redis/command.h"

namespace overlord::redis {

// request: a complete COMMAND request that resolve_command found to be ok, command being what it found (the container
// or the subcommand). learned: commands that the table lacks, which are described as well. Appends one reply; errors of
// the arguments are replies too.
void append_command_reply(std::string& out, const Command& command, const RequestParser& request,
                          std::span<const Command* const> learned = {});

// The name of a command and what the proxy says of it, two elements of the answer to COMMAND DOCS.
void append_command_doc(std::string& out, const Command& command);

}  // namespace overlord::redis
