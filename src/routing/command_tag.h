#pragma once
// CommandTag: what a request is counted as: its command, as a small number, and what kind of command that is.
//
// 0 is of what no client asked for (a published message): not timed. 1 is of everything without a number of its own:
// commands that nobody knows or that were learned from a backend, calls that could not be read, and those that MULTI
// only queues. From 2 on the ids of the protocol follow (redis::Command::id, memcache::CommandId).

#include <cstdint>
#include <string_view>

#include "protocol/memcache/command_id.h"
#include "protocol/redis/command.h"

namespace overlord::routing {

// other: it does neither, or may wait at the backend.
enum class CommandKind : uint8_t { other, read, write };
inline constexpr int kCommandKinds = 3;

constexpr std::string_view kind_name(CommandKind kind) {
  return kind == CommandKind::read ? "read" : kind == CommandKind::write ? "write" : "other";
}

struct CommandTag {
  static constexpr uint16_t kOther = 1;

  uint16_t number = 0;
  CommandKind kind = CommandKind::other;

  static CommandTag other() { return {kOther, CommandKind::other}; }
  static CommandTag of(const redis::Command& command) {
    CommandTag tag{static_cast<uint16_t>(kOther + command.id), CommandKind::other};
    if ((command.flags & redis::kBlocking) != 0) return tag;
    if ((command.flags & redis::kReadOnly) != 0) tag.kind = CommandKind::read;
    if ((command.flags & redis::kWrite) != 0) tag.kind = CommandKind::write;
    return tag;
  }
  static CommandTag of(memcache::CommandId id) {
    return {static_cast<uint16_t>(kOther + static_cast<uint16_t>(id)), memcache::only_reads(id) ? CommandKind::read
                                                                       : memcache::writes(id)   ? CommandKind::write
                                                                                                : CommandKind::other};
  }
};

// How many numbers a protocol has, and their names ("other" for 1, empty for 0 and for what is none).
constexpr uint16_t tag_count(bool redis) {
  return CommandTag::kOther + (redis ? redis::kCommandIds : memcache::kCommandIds);
}
inline std::string_view tag_name(bool redis, uint16_t number) {
  if (number <= CommandTag::kOther) return number == CommandTag::kOther ? "other" : "";
  const auto id = static_cast<uint16_t>(number - CommandTag::kOther);
  return redis ? redis::command_name(id) : memcache::command_name(id);
}

}  // namespace overlord::routing
