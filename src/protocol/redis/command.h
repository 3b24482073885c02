#pragma once
// Command: what the proxy knows of a redis command; find_command: by name.
// Source: the COMMAND reply of redis-server 7.0 (src/protocol/redis/commands.inc is made from it by
// scripts/redis-commands.py; a system test compares the table with the live server's reply).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace overlord::redis {

// How the proxy treats a command. One word each, in docs/protocols.md too.
enum class Treatment : uint8_t {
  single,      // one key: goes to the key's node
  one_node,    // several keys: passes when all are on one node, else an error
  split_mget,  // split by node, array merged in key order
  split_mset,  // split by node, OK when all are OK
  split_sum,   // split by node, integers added (DEL, UNLINK, TOUCH, EXISTS)
  local,       // answered by the proxy
  refused      // not supported through a proxy (in this version)
};

enum CommandFlag : uint32_t {
  kReadOnly = 1u << 0,
  kWrite = 1u << 1,
  kBlocking = 1u << 2,
  kPubSub = 1u << 3,
  kAdmin = 1u << 4,
  kNoAuth = 1u << 5,      // allowed before AUTH
  kMovableKeys = 1u << 6,
  kDenyOom = 1u << 7,
  kFast = 1u << 8,
  kLoading = 1u << 9,
  kStale = 1u << 10,
  kNoScript = 1u << 11,
  kContainer = 1u << 12,  // has subcommands
};

// Where keys are, as redis' key specs say it. A command has up to a few of them.
struct KeySpec {
  enum class Begin : uint8_t { index, keyword } begin;
  int16_t begin_index;             // index: position; keyword: where to start looking (negative: from the end)
  const char* keyword;             // keyword: upper case
  enum class Find : uint8_t { range, keynum } find;
  int16_t last;                    // range: last key relative to the first (negative: from the end)
  int16_t step;                    // both
  int16_t limit;                   // range: 1/limit of the arguments when last is -1 and limit > 1
  int16_t keynum_index;            // keynum: where the count is, relative to begin
  int16_t first_key;               // keynum: first key relative to begin
  bool incomplete;                 // redis says these keys are not all of them
};

struct Command {
  std::string_view name;      // lower case; for a subcommand "container|sub"
  int16_t arity;              // as redis: counts the name; negative: at least
  uint32_t flags;             // CommandFlag
  int16_t first_key, last_key, step;
  Treatment treatment;
  std::span<const KeySpec> key_specs;
  std::span<const Command> subcommands;
};

// Case-insensitive; nullptr when unknown. No allocation; a few nanoseconds for common commands.
const Command* find_command(std::string_view name);
// The subcommand of a container; nullptr when unknown.
const Command* find_subcommand(const Command& container, std::string_view name);
std::span<const Command> all_commands();

inline bool arity_ok(const Command& command, uint32_t argc) {
  return command.arity >= 0 ? argc == static_cast<uint32_t>(command.arity)
                            : argc >= static_cast<uint32_t>(-command.arity);
}

class RequestParser;

// Calls visit(view) for each key of a complete request by the command's key specs. Returns the number of keys, or
// -1 when the arguments are not valid for the command (a bad numkeys and the like).
// Visit is a function pointer with context, to keep this out of headers' templates.
int visit_keys(const Command& command, const RequestParser& request, void (*visit)(void* context, std::string_view key),
               void* context);

}  // namespace overlord::redis
