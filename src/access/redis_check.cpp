#include "access/redis_check.h"

#include "protocol/redis/key_positions.h"

namespace overlord::access {
namespace {

using redis::Command;
using redis::RequestArgs;
using redis::RequestParser;

uint8_t rights_of(uint16_t key_flags) {
  uint8_t rights = 0;
  if ((key_flags & redis::kKeyAccess) != 0) rights |= kRead;
  if ((key_flags & (redis::kKeyInsert | redis::kKeyDelete | redis::kKeyUpdate)) != 0) rights |= kWrite;
  return rights;
}

bool has_word(const RequestParser& request, uint32_t from, std::string_view upper_word) {
  RequestArgs args(request);
  for (uint32_t i = from; i < args.size(); ++i) {
    if (redis::equals_upper(args.at(i), upper_word)) return true;
  }
  return false;
}

// What the options of SET and BITFIELD make of their key; their key spec says both rights.
uint8_t narrowed(const Command& command, const RequestParser& request, uint8_t rights) {
  if (command.name == "set" && !has_word(request, 3, "GET")) return kWrite;
  if (command.name == "bitfield" && !has_word(request, 2, "SET") && !has_word(request, 2, "INCRBY")) return kRead;
  return rights;
}

// The first channel that is not allowed.
Denial check_channels(const User& user, const Command& command, const RequestParser& request) {
  const std::string_view name = command.name;
  const bool one = name == "publish" || name == "spublish";
  const bool pattern = name == "psubscribe";
  if (!one && !pattern && name != "subscribe" && name != "ssubscribe") return {};
  RequestArgs args(request);
  const uint32_t end = one ? std::min<uint32_t>(args.size(), 2) : args.size();
  for (uint32_t i = 1; i < end; ++i) {
    if (!user.may_use_channel(args.at(i), pattern)) return {Denial::Reason::channel, std::string(args.at(i))};
  }
  return {};
}

}  // namespace

std::string_view Denial::word() const {
  switch (reason) {
    case Reason::none: break;
    case Reason::command: return "command";
    case Reason::key: return "key";
    case Reason::channel: return "channel";
  }
  return {};
}

std::string Denial::error_text() const {
  const std::string front = "NOPERM this user has no permissions to ";
  if (reason == Reason::command) return front + "run the '" + object + "' command";
  return front + "access one of the " + std::string(word()) + "s used as arguments";
}

std::string Denial::dry_run_text() const {
  const std::string front = "This user has no permissions to ";
  if (reason == Reason::command) return front + "run the '" + object + "' command";
  return front + "access the '" + object + "' " + std::string(word());
}

Denial check(const User& user, const Command& command, const RequestParser& request) {
  if (user.unrestricted()) return {};
  if ((command.flags & redis::kNoAuth) == 0 && !user.may_run(command)) {
    return {Denial::Reason::command, std::string(command.name)};
  }
  Denial denial;
  RequestArgs args(request);
  auto visit = [&](std::string_view key, uint16_t flags) {
    uint8_t rights = rights_of(flags);
    if ((flags & redis::kKeyVariableFlags) != 0) rights = narrowed(command, request, rights);
    if (denial.reason != Denial::Reason::none || user.may_use_key(key, rights)) return;
    denial = {Denial::Reason::key, std::string(key)};
  };
  redis::KeyWalk(args, visit).run(command);
  return denial.reason != Denial::Reason::none ? denial : check_channels(user, command, request);
}

bool surely_allowed(const User& user, const Command& command, std::string_view key) {
  return user.unrestricted() || (user.may_run(command) && user.may_use_key(key, kRead | kWrite));
}

}  // namespace overlord::access
