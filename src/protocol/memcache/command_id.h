#pragma once
// CommandId: one list of the commands of all three memcache protocols, for those who count them. A binary opcode is the
// text command that does the same, quiet or not.

#include <cstdint>
#include <string_view>

#include "protocol/memcache/binary_frame.h"
#include "protocol/memcache/meta_request.h"
#include "protocol/memcache/request_parser.h"

namespace overlord::memcache {

enum class CommandId : uint8_t {
  none,
  // In the order of Verb.
  get,
  gets,
  gat,
  gats,
  set,
  add,
  replace,
  append,
  prepend,
  cas,
  incr,
  decr,
  touch,
  delete_,
  version,
  verbosity,
  flush_all,
  stats,
  quit,
  // In the order of MetaVerb.
  mg,
  ms,
  md,
  ma,
  mn,
  me,
  // Of the binary protocol alone.
  noop,
  sasl
};
inline constexpr uint16_t kCommandIds = static_cast<uint16_t>(CommandId::sasl) + 1;

constexpr CommandId command_id(Verb verb) {
  return static_cast<CommandId>(static_cast<uint8_t>(verb) + static_cast<uint8_t>(CommandId::get));
}
constexpr CommandId command_id(MetaVerb verb) {
  return static_cast<CommandId>(static_cast<uint8_t>(verb) + static_cast<uint8_t>(CommandId::mg));
}
CommandId command_id(binary::Opcode opcode);

// What clients call it; empty for none and for what is no id.
std::string_view command_name(uint16_t id);
// It only looks. gat does not: it changes when an item expires.
constexpr bool only_reads(CommandId id) {
  return id == CommandId::get || id == CommandId::gets || id == CommandId::mg || id == CommandId::me;
}
// It changes items.
constexpr bool writes(CommandId id) {
  return (id >= CommandId::gat && id <= CommandId::delete_) || (id >= CommandId::ms && id <= CommandId::ma) ||
         id == CommandId::flush_all;
}

}  // namespace overlord::memcache
