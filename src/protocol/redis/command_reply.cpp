#include "protocol/redis/command_reply.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

#include "protocol/redis/acl_names.h"
#include "protocol/redis/command_names.h"
#include "protocol/redis/glob.h"
#include "protocol/redis/key_positions.h"
#include "protocol/redis/request_parser.h"
#include "protocol/redis/writer.h"

namespace overlord::redis {
namespace {

using Args = std::vector<std::string_view>;

template <size_t N>
void append_names(std::string& out, uint32_t bits, const std::array<std::string_view, N>& names) {
  size_t count = 0;
  for (size_t i = 0; i < N; ++i) count += bits >> i & 1;
  append_array_header(out, count);
  for (size_t i = 0; i < N; ++i) {
    if ((bits >> i & 1) != 0) append_simple(out, names[i]);
  }
}

void append_fact(std::string& out, std::string_view name, int64_t value) {
  append_bulk(out, name);
  append_integer(out, value);
}

void append_spec_part(std::string& out, std::string_view name, std::string_view type, size_t facts) {
  append_bulk(out, name);
  append_array_header(out, 4);
  append_bulk(out, "type");
  append_bulk(out, type);
  append_bulk(out, "spec");
  append_array_header(out, facts * 2);
}

void append_key_spec(std::string& out, const KeySpec& spec) {
  append_array_header(out, 6);
  append_bulk(out, "flags");
  append_names(out, spec.flags, kKeyFlagNames);
  switch (spec.begin) {
    case KeySpec::Begin::unknown: append_spec_part(out, "begin_search", "unknown", 0); break;
    case KeySpec::Begin::index:
      append_spec_part(out, "begin_search", "index", 1);
      append_fact(out, "index", spec.begin_index);
      break;
    case KeySpec::Begin::keyword:
      append_spec_part(out, "begin_search", "keyword", 2);
      append_bulk(out, "keyword");
      append_bulk(out, spec.keyword);
      append_fact(out, "startfrom", spec.begin_index);
      break;
  }
  switch (spec.find) {
    case KeySpec::Find::unknown: append_spec_part(out, "find_keys", "unknown", 0); break;
    case KeySpec::Find::range:
      append_spec_part(out, "find_keys", "range", 3);
      append_fact(out, "lastkey", spec.last);
      append_fact(out, "keystep", spec.step);
      append_fact(out, "limit", spec.limit);
      break;
    case KeySpec::Find::keynum:
      append_spec_part(out, "find_keys", "keynum", 3);
      append_fact(out, "keynumidx", spec.keynum_index);
      append_fact(out, "firstkey", spec.first_key);
      append_fact(out, "keystep", spec.step);
      break;
  }
}

void append_info(std::string& out, const Command& command) {
  append_array_header(out, 10);
  append_bulk(out, command.name);
  append_integer(out, command.arity);
  append_names(out, command.flags, kFlagNames);
  append_integer(out, command.first_key);
  append_integer(out, command.last_key);
  append_integer(out, command.step);
  append_names(out, command.acl, kAclNames);
  append_array_header(out, command.tips.size());
  for (const std::string_view tip : command.tips) append_bulk(out, tip);
  append_array_header(out, command.key_specs.size());
  for (const KeySpec& spec : command.key_specs) append_key_spec(out, spec);
  append_array_header(out, command.subcommands.size());
  for (const Command& sub : command.subcommands) append_info(out, sub);
}

std::string_view summary(Treatment treatment) {
  switch (treatment) {
    case Treatment::single: return "Through the proxy: goes to the key's node";
    case Treatment::one_node:
    case Treatment::script: return "Through the proxy: all keys must be on one node";
    case Treatment::split_mget:
    case Treatment::split_mset:
    case Treatment::split_sum: return "Through the proxy: split by node and merged";
    case Treatment::scan: return "Through the proxy: one node after the other";
    case Treatment::all_keys:
    case Treatment::all_sum:
    case Treatment::all_ok:
    case Treatment::all_same:
    case Treatment::all_and:
    case Treatment::all_any:
    case Treatment::all_running:
    case Treatment::all_random: return "Through the proxy: sent to all nodes and merged";
    case Treatment::docs:
    case Treatment::any_node: return "Through the proxy: answered by one node";
    case Treatment::slot: return "Through the proxy: goes to the slot's node";
    case Treatment::local: return "Answered by the proxy";
    case Treatment::all_channels:
    case Treatment::all_counts:
    case Treatment::all_most:
    case Treatment::all_least: return "Through the proxy: asked of every node and merged";
    case Treatment::channel: return "Through the proxy: goes to the channel's node";
    case Treatment::pubsub: return "Through the proxy: clients share subscriptions";
    case Treatment::blocking: return "Through the proxy: all keys must be on one node";
    case Treatment::transaction: return "Through the proxy: within one node";
    case Treatment::refused: return "Not supported through the proxy";
  }
  return {};
}

using Learned = std::span<const Command* const>;

const Command* find_any(std::string_view name, Learned learned) {
  if (const Command* const command = find_command(name)) return command;
  for (const Command* const command : learned) {
    if (equals_lower(name, command->name)) return command;
  }
  return nullptr;
}

// "name" or "container|name".
const Command* find_full_name(std::string_view name, Learned learned) {
  const size_t bar = name.find('|');
  const Command* const command = find_any(name.substr(0, bar), learned);
  if (bar == std::string_view::npos || command == nullptr) return command;
  if (const Command* const sub = find_subcommand(*command, name.substr(bar + 1))) return sub;
  return find_any(name, learned);
}

bool is_subcommand(const Command* command) { return command->name.find('|') != std::string_view::npos; }

// All that have a name of their own: the table's, then the learned ones.
std::vector<const Command*> top_level(Learned learned) {
  std::vector<const Command*> all;
  for (const Command& command : all_commands()) all.push_back(&command);
  std::ranges::remove_copy_if(learned, std::back_inserter(all), is_subcommand);
  return all;
}

void append_infos(std::string& out, const Args& names, Learned learned) {
  if (names.empty()) {
    const std::vector<const Command*> all = top_level(learned);
    append_array_header(out, all.size());
    for (const Command* const command : all) append_info(out, *command);
    return;
  }
  append_array_header(out, names.size());
  for (const std::string_view name : names) {
    if (const Command* const command = find_full_name(name, learned)) {
      append_info(out, *command);
    } else {
      out += "$-1\r\n";
    }
  }
}

enum class Filter : uint8_t { all, module, category, pattern };

bool passes(const Command& command, Filter filter, std::string_view value) {
  switch (filter) {
    case Filter::all: return true;
    case Filter::module: return false;  // which module a command is of is not known
    case Filter::category: return (command.acl & acl_category(value)) != 0;
    case Filter::pattern: return glob_match(value, command.name);
  }
  return false;
}

void append_list(std::string& out, const Args& args, Learned learned) {
  Filter filter = Filter::all;
  std::string_view value;
  if (!args.empty()) {
    const bool filter_by = args.size() == 3 && equals_upper(args[0], "FILTERBY");
    if (filter_by && equals_upper(args[1], "MODULE")) {
      filter = Filter::module;
    } else if (filter_by && equals_upper(args[1], "ACLCAT")) {
      filter = Filter::category;
    } else if (filter_by && equals_upper(args[1], "PATTERN")) {
      filter = Filter::pattern;
    } else {
      return append_error(out, "ERR syntax error");
    }
    value = args[2];
  }
  std::vector<std::string_view> names;
  const auto add = [&](const Command& command) {
    if (passes(command, filter, value)) names.push_back(command.name);
    for (const Command& sub : command.subcommands) {
      if (passes(sub, filter, value)) names.push_back(sub.name);
    }
  };
  for (const Command& command : all_commands()) add(command);
  for (const Command* const command : learned) add(*command);
  append_array_header(out, names.size());
  for (const std::string_view name : names) append_bulk(out, name);
}

bool may_have_keys(const Command& command) {
  for (const KeySpec& spec : command.key_specs) {
    if ((spec.flags & kKeyNotKey) == 0) return true;
  }
  return false;
}

// BITFIELD writes when it has any other operation than GET.
bool bitfield_reads_only(const Args& args) {
  for (size_t i = 2; i < args.size();) {
    const size_t behind = args.size() - i - 1;
    if (equals_upper(args[i], "GET") && behind >= 2) {
      i += 3;
    } else if (equals_upper(args[i], "OVERFLOW") && behind >= 1) {
      i += 2;
    } else {
      return false;
    }
  }
  return true;
}

// How this call uses its key, where the spec says only that it depends.
uint32_t flags_of_call(const Command& command, uint32_t flags, const Args& args) {
  if ((flags & kKeyVariableFlags) == 0) return flags;
  if (command.name == "bitfield") {
    return bitfield_reads_only(args) ? kKeyRo | kKeyAccess : kKeyRw | kKeyAccess | kKeyUpdate;
  }
  const bool gets = std::any_of(args.begin() + std::min<size_t>(3, args.size()), args.end(),
                                [](std::string_view arg) { return equals_upper(arg, "GET"); });
  return gets ? kKeyRw | kKeyAccess | kKeyUpdate : kKeyOw | kKeyUpdate;
}

// args: a whole command. GETKEYS, and GETKEYSANDFLAGS with flags.
void append_keys(std::string& out, const Args& args, bool with_flags, Learned learned) {
  const Command* command = find_any(args[0], learned);
  if (command != nullptr && (command->flags & kContainer) != 0 && args.size() > 1) {
    command = find_subcommand(*command, args[1]);
  }
  if (command == nullptr) return append_error(out, "ERR Invalid command specified");
  if (!may_have_keys(*command)) return append_error(out, "ERR The command has no key arguments");
  if (!arity_ok(*command, static_cast<uint32_t>(args.size()))) {
    return append_error(out, "ERR Invalid number of arguments specified for command");
  }
  std::vector<std::pair<std::string_view, uint16_t>> keys;
  ListArgs list{args};
  auto visit = [&](std::string_view key, uint16_t flags) { keys.emplace_back(key, flags); };
  const int count = KeyWalk(list, visit).run(*command);
  if (count <= 0) {
    if ((command->flags & kNoMandatoryKeys) != 0) return append_array_header(out, 0);
    return append_error(out, "ERR Invalid arguments specified for command");
  }
  append_array_header(out, keys.size());
  for (const auto& [key, flags] : keys) {
    if (with_flags) append_array_header(out, 2);
    append_bulk(out, key);
    if (with_flags) append_names(out, flags_of_call(*command, flags, args), kKeyFlagNames);
  }
}

void append_help(std::string& out) {
  constexpr std::string_view kLines[] = {
      "COMMAND [<subcommand> [<argument> ...]]",
      "COMMAND: describes all commands",
      "COUNT: how many commands there are",
      "DOCS [<name> ...]: since when and in which group a command is",
      "GETKEYS <command> [<argument> ...]: the keys of a call",
      "GETKEYSANDFLAGS <command> [<argument> ...]: the keys of a call and how they are used",
      "HELP: this text",
      "INFO [<name> ...]: describes commands",
      "LIST [FILTERBY ACLCAT <category> | MODULE <module> | PATTERN <pattern>]: names of commands",
  };
  append_array_header(out, std::size(kLines));
  for (const std::string_view line : kLines) append_simple(out, line);
}

}  // namespace

void append_command_doc(std::string& out, const Command& command) {
  append_bulk(out, command.name);
  const bool container = !command.subcommands.empty();
  append_array_header(out, container ? 8 : 6);
  append_bulk(out, "summary");
  append_bulk(out, container ? "See its subcommands" : summary(command.treatment));
  append_bulk(out, "since");
  append_bulk(out, command.since);
  append_bulk(out, "group");
  append_bulk(out, command.group);
  if (!container) return;
  append_bulk(out, "subcommands");
  append_array_header(out, command.subcommands.size() * 2);
  for (const Command& sub : command.subcommands) append_command_doc(out, sub);
}

void append_command_reply(std::string& out, const Command& command, const RequestParser& request,
                          std::span<const Command* const> learned) {
  Args args;
  ArgCursor cursor(request);
  for (uint32_t i = 0; cursor.next(); ++i) {
    if (i >= 2) args.push_back(cursor.value());
  }
  const size_t bar = command.name.find('|');
  const std::string_view sub = bar == std::string_view::npos ? std::string_view{} : command.name.substr(bar + 1);
  if (sub == "count") return append_integer(out, static_cast<int64_t>(top_level(learned).size()));
  if (sub == "getkeys") return append_keys(out, args, false, learned);
  if (sub == "getkeysandflags") return append_keys(out, args, true, learned);
  if (sub == "help") return append_help(out);
  if (sub == "list") return append_list(out, args, learned);
  append_infos(out, args, learned);
}

}  // namespace overlord::redis
