#pragma once
// Command: what the proxy knows of a redis command; find_command: by name.
// Source: the COMMAND reply of redis-server 7.0 (src/protocol/redis/commands.inc is made from it by
// scripts/redis-commands.py; a system test compares the table with the live server's reply).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace overlord::redis {

// How the proxy treats a command. One word each, in docs/protocols.md too.
enum class Treatment : uint8_t {
  single,      // one key: goes to the key's node
  one_node,    // several keys: passes when all are on one node, else an error
  split_mget,  // split by node, array merged in key order
  split_mset,  // split by node, OK when all are OK
  split_sum,   // split by node, integers added (DEL, UNLINK, TOUCH, EXISTS)
  script,      // as one_node; without keys by the script itself (EVAL, EVALSHA, FCALL)
  scan,        // one node after the other, by the cursor
  // To every node that holds keys, and of their replies:
  all_keys,      // the arrays appended to each other (KEYS)
  all_sum,       // the integers added (DBSIZE)
  all_ok,        // OK when all are OK, else the first error
  all_same,      // the first, or the first error (SCRIPT LOAD)
  all_and,       // arrays of 0 and 1: 1 where all say 1 (SCRIPT EXISTS)
  all_any,       // OK when one is OK (SCRIPT KILL)
  all_running,   // that of the node which runs a function (FUNCTION STATS)
  all_random,    // one of the keys, by chance (RANDOMKEY)
  all_channels,  // the arrays appended, each element once (PUBSUB CHANNELS)
  all_counts,    // arrays of names and numbers: the numbers added (PUBSUB NUMSUB)
  all_most,      // the greatest integer (PUBSUB NUMPAT)
  all_least,     // the smallest integer, on connections of the client's own (WAIT)
  any_node,      // to the first node only
  docs,          // COMMAND DOCS: of the first node, and of the proxy
  slot,          // to the owner of the slot that is the first argument (CLUSTER COUNTKEYSINSLOT)
  local,         // answered by the proxy
  blocking,      // several keys on one node; waits there on a connection of its own
  channel,       // goes to the node that the channel's name hashes to
  pubsub,        // SUBSCRIBE and its like: subscriptions that clients of a worker share
  transaction,   // MULTI, EXEC and what belongs to them: queued by the proxy, sent to the node of the keys
  refused        // not supported through a proxy (in this version)
};

// What the proxy looks at in the arguments before it lets a call pass (refused_call).
enum class CallRule : uint8_t {
  none,
  may_block,    // XREAD and XREADGROUP: with BLOCK they wait
  no_patterns,  // SORT: BY and GET not with a pattern, which reads keys that are not named
  no_db         // COPY: not into another database
};

// Bits in the order in which the server lists them. kContainer is ours: the command has subcommands.
enum CommandFlag : uint32_t {
  kWrite = 1u << 0,
  kReadOnly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kPubSub = 1u << 4,
  kNoScript = 1u << 5,
  kBlocking = 1u << 6,
  kLoading = 1u << 7,
  kStale = 1u << 8,
  kSkipMonitor = 1u << 9,
  kSkipSlowlog = 1u << 10,
  kAsking = 1u << 11,
  kFast = 1u << 12,
  kNoAuth = 1u << 13,  // allowed before AUTH
  kNoMandatoryKeys = 1u << 14,
  kNoAsyncLoading = 1u << 15,
  kNoMulti = 1u << 16,
  kMovableKeys = 1u << 17,
  kAllowBusy = 1u << 18,
  kLearned = 1u << 30,  // ours too: not of the built-in table (learned_command.h)
  kContainer = 1u << 31,
};

enum AclCategory : uint32_t {
  kAclKeyspace = 1u << 0,
  kAclRead = 1u << 1,
  kAclWrite = 1u << 2,
  kAclSet = 1u << 3,
  kAclSortedSet = 1u << 4,
  kAclList = 1u << 5,
  kAclHash = 1u << 6,
  kAclString = 1u << 7,
  kAclBitmap = 1u << 8,
  kAclHyperLogLog = 1u << 9,
  kAclGeo = 1u << 10,
  kAclStream = 1u << 11,
  kAclPubSub = 1u << 12,
  kAclAdmin = 1u << 13,
  kAclFast = 1u << 14,
  kAclSlow = 1u << 15,
  kAclBlocking = 1u << 16,
  kAclDangerous = 1u << 17,
  kAclConnection = 1u << 18,
  kAclTransaction = 1u << 19,
  kAclScripting = 1u << 20,
};

enum KeyFlag : uint16_t {
  kKeyRo = 1u << 0,
  kKeyRw = 1u << 1,
  kKeyOw = 1u << 2,
  kKeyRm = 1u << 3,
  kKeyAccess = 1u << 4,
  kKeyUpdate = 1u << 5,
  kKeyInsert = 1u << 6,
  kKeyDelete = 1u << 7,
  kKeyNotKey = 1u << 8,  // routed like one in a cluster, but none (channels)
  kKeyIncomplete = 1u << 9,
  kKeyVariableFlags = 1u << 10,
};

// Where keys are, as redis' key specs say it. A command has up to a few of them.
struct KeySpec {
  enum class Begin : uint8_t { unknown, index, keyword };
  enum class Find : uint8_t { unknown, range, keynum };
  uint16_t flags = 0;  // KeyFlag
  Begin begin = Begin::unknown;
  int16_t begin_index = 0;        // index: position; keyword: where to start looking (negative: from the end)
  std::string_view keyword = {};  // keyword: upper case
  Find find = Find::unknown;
  int16_t last = 0;          // range: last key relative to the first (negative: from the end)
  int16_t step = 0;          // both
  int16_t limit = 0;         // range: 1/limit of the arguments when last is -1 and limit > 1
  int16_t keynum_index = 0;  // keynum: where the count is, relative to begin
  int16_t first_key = 0;     // keynum: first key relative to begin
};

struct Command {
  std::string_view name;  // lower case; for a subcommand "container|sub"
  int16_t arity;          // as redis: counts the name; negative: at least
  Treatment treatment;
  CallRule rule;
  uint32_t flags;  // CommandFlag
  int16_t first_key, last_key, step;
  std::span<const KeySpec> key_specs;
  std::span<const Command> subcommands;
  // For the replies to COMMAND only.
  uint32_t acl;  // AclCategory
  std::span<const std::string_view> tips;
  std::string_view since;
  std::string_view group;
  uint16_t id = 0;  // from 1 to kCommandIds - 1, small enough to index by; 0: not of the built-in table
};
inline constexpr uint16_t kCommandIds = 512;

// Case-insensitive; nullptr when unknown. No allocation; a few nanoseconds for common commands.
const Command* find_command(std::string_view name);
// The subcommand of a container; nullptr when unknown.
const Command* find_subcommand(const Command& container, std::string_view name);
// By name, without subcommands.
std::span<const Command> all_commands();
std::string_view treatment_name(Treatment treatment);
// Empty when no command has the id.
std::string_view command_name(uint16_t id);

inline bool arity_ok(const Command& command, uint32_t argc) {
  return command.arity >= 0 ? argc == static_cast<uint32_t>(command.arity)
                            : argc >= static_cast<uint32_t>(-command.arity);
}

class RequestParser;

// What a request calls. Looked up and refused in the server's order: name, subcommand, number of arguments.
struct Resolved {
  enum class Status : uint8_t { ok, unknown_command, unknown_subcommand, wrong_arity };
  Status status;
  const Command* command;  // the subcommand where there is one; the container after unknown_subcommand
};
Resolved resolve_command(const RequestParser& request);
// The error text (without '-' and CRLF) for a status that is not ok, as redis-server 7.0 words it.
std::string resolve_error(const Resolved& resolved, const RequestParser& request);

// The call would wait at the server (BLOCK given to XREAD and XREADGROUP, or the command always blocks).
bool is_blocking_call(const Command& command, const RequestParser& request);
// How long such a call may wait, nanoseconds; 0: for ever. Nothing when the argument is no time that the server takes.
std::optional<uint64_t> block_time(const Command& command, const RequestParser& request);
// Why this very call cannot go through a proxy although its command can: an error text without '-' and CRLF, static
// storage; empty when it can. Commands of rule `none` always can.
std::string_view refused_call(const Command& command, const RequestParser& request);

// Calls visit(view) for each key of a complete request by the command's key specs (and SORT's STORE, which they leave
// out). Returns the number of keys, or -1 when the arguments are not valid for the command (a bad numkeys and the
// like); then some keys may have been visited. 0 keys is an answer too: EVAL "..." 0.
// Visit is a function pointer with context, to keep this out of headers' templates.
int visit_keys(const Command& command, const RequestParser& request, void (*visit)(void* context, std::string_view key),
               void* context);

}  // namespace overlord::redis
