#include "protocol/redis/command.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "protocol/redis/command_lookup.h"
#include "protocol/redis/key_positions.h"
#include "protocol/redis/request_parser.h"
#include "protocol/redis/writer.h"

namespace overlord::redis {
namespace {

#include "protocol/redis/commands.inc"

constexpr CommandLookup<std::size(kCommands)> kLookup{std::span(kCommands)};

constexpr auto kNamesById = [] {
  std::array<std::string_view, kCommandIds> names;
  for (const Command& command : kCommands) {
    names[command.id] = command.name;
    for (const Command& sub : command.subcommands) names[sub.id] = sub.name;
  }
  return names;
}();
static_assert(kNamesById[0].empty(), "every command of the table has an id");

// The position of the argument behind BLOCK, 0 when there is none.
uint32_t block_argument(RequestArgs& args) {
  for (uint32_t i = 1; i < args.size(); ++i) {
    const std::string_view arg = args.at(i);
    if (equals_upper(arg, "BLOCK")) return i + 1;
    if (equals_upper(arg, "STREAMS")) return 0;
    if (equals_upper(arg, "COUNT")) i += 1;
    if (equals_upper(arg, "GROUP")) i += 2;
  }
  return 0;
}

bool reads_blocking(const RequestParser& request) {
  RequestArgs args(request);
  return block_argument(args) != 0;
}

std::string_view refused_sort(const RequestParser& request) {
  RequestArgs args(request);
  for (uint32_t i = 2; i + 1 < args.size(); ++i) {
    const std::string_view arg = args.at(i);
    if (equals_upper(arg, "LIMIT")) {
      i += 2;
    } else if (equals_upper(arg, "STORE")) {
      i += 1;
    } else if (equals_upper(arg, "BY") || equals_upper(arg, "GET")) {
      if (args.at(++i).find('*') == std::string_view::npos) continue;
      return lower(arg[0]) == 'b' ? "ERR BY option of SORT with a pattern is not supported through the proxy"
                                  : "ERR GET option of SORT with a pattern is not supported through the proxy";
    }
  }
  return {};
}

std::string_view refused_copy(const RequestParser& request) {
  RequestArgs args(request);
  for (uint32_t i = 3; i < args.size(); ++i) {
    if (equals_upper(args.at(i), "DB")) return "ERR DB option of COPY is not supported through the proxy";
  }
  return {};
}

}  // namespace

const Command* find_command(std::string_view name) { return kLookup.find(name); }

const Command* find_subcommand(const Command& container, std::string_view name) {
  const size_t front = container.name.size() + 1;
  for (const Command& command : container.subcommands) {
    if (equals_lower(name, command.name.substr(front))) return &command;
  }
  return nullptr;
}

std::span<const Command> all_commands() { return kCommands; }

std::string_view command_name(uint16_t id) { return id < kNamesById.size() ? kNamesById[id] : std::string_view{}; }

std::string_view treatment_name(Treatment treatment) {
  switch (treatment) {
    case Treatment::single: return "single";
    case Treatment::one_node: return "one_node";
    case Treatment::split_mget: return "split_mget";
    case Treatment::split_mset: return "split_mset";
    case Treatment::split_sum: return "split_sum";
    case Treatment::script: return "script";
    case Treatment::scan: return "scan";
    case Treatment::all_keys: return "all_keys";
    case Treatment::all_sum: return "all_sum";
    case Treatment::all_ok: return "all_ok";
    case Treatment::all_same: return "all_same";
    case Treatment::all_and: return "all_and";
    case Treatment::all_any: return "all_any";
    case Treatment::all_running: return "all_running";
    case Treatment::all_random: return "all_random";
    case Treatment::any_node: return "any_node";
    case Treatment::docs: return "docs";
    case Treatment::slot: return "slot";
    case Treatment::local: return "local";
    case Treatment::blocking: return "blocking";
    case Treatment::all_channels: return "all_channels";
    case Treatment::all_counts: return "all_counts";
    case Treatment::all_most: return "all_most";
    case Treatment::all_least: return "all_least";
    case Treatment::channel: return "channel";
    case Treatment::pubsub: return "pubsub";
    case Treatment::transaction: return "transaction";
    case Treatment::refused: return "refused";
  }
  return {};
}

Resolved resolve_command(const RequestParser& request) {
  using Status = Resolved::Status;
  const Command* command = find_command(request.arg(0));
  if (command == nullptr) return {Status::unknown_command, nullptr};
  if ((command->flags & kContainer) != 0 && request.argc() > 1) {
    const Command* const sub = find_subcommand(*command, request.arg(1));
    if (sub == nullptr) return {Status::unknown_subcommand, command};
    command = sub;
  }
  return {arity_ok(*command, request.argc()) ? Status::ok : Status::wrong_arity, command};
}

std::string resolve_error(const Resolved& resolved, const RequestParser& request) {
  switch (resolved.status) {
    case Resolved::Status::unknown_command: {
      // The server shows arguments until 128 characters are full, and an argument takes at least three.
      std::array<std::string_view, 64> args;
      size_t count = 0;
      ArgCursor cursor(request);
      cursor.next();
      while (count < args.size() && cursor.next()) args[count++] = cursor.value();
      return unknown_command_error(request.arg(0), std::span(args).first(count));
    }
    case Resolved::Status::unknown_subcommand: return unknown_subcommand_error(resolved.command->name, request.arg(1));
    case Resolved::Status::wrong_arity: return wrong_arity_error(resolved.command->name);
    case Resolved::Status::ok: break;
  }
  return {};
}

bool is_blocking_call(const Command& command, const RequestParser& request) {
  return command.rule == CallRule::may_block ? reads_blocking(request) : (command.flags & kBlocking) != 0;
}

std::optional<uint64_t> block_time(const Command& command, const RequestParser& request) {
  constexpr double kLongest = 1e9;  // seconds: as good as for ever
  RequestArgs args(request);
  const bool reads = command.rule == CallRule::may_block;
  const bool milliseconds = reads || command.treatment == Treatment::all_least;
  // BLMPOP and BZMPOP name the time first, the others last.
  const bool first = command.name == "blmpop" || command.name == "bzmpop";
  const uint32_t at = reads ? block_argument(args) : first ? 1 : args.size() - 1;
  if (at == 0 || at >= args.size()) return std::nullopt;
  const std::string_view text = args.at(at);
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size() || !(number >= 0)) return std::nullopt;
  const double seconds = milliseconds ? number / 1000 : number;
  if (seconds == 0 || seconds > kLongest) return 0;
  return std::max<uint64_t>(1, static_cast<uint64_t>(seconds * 1e9));
}

std::string_view refused_call(const Command& command, const RequestParser& request) {
  switch (command.rule) {
    case CallRule::none:
    case CallRule::may_block: return {};
    case CallRule::no_patterns: return refused_sort(request);
    case CallRule::no_db: return refused_copy(request);
  }
  return {};
}

int visit_keys(const Command& command, const RequestParser& request, void (*visit)(void* context, std::string_view key),
               void* context) {
  RequestArgs args(request);
  auto call = [&](std::string_view key, uint16_t) { visit(context, key); };
  return KeyWalk(args, call).run(command);
}

}  // namespace overlord::redis
