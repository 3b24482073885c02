#include "proxy/redis_docs.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include "protocol/redis/command_lookup.h"
#include "protocol/redis/command_reply.h"
#include "protocol/redis/request_parser.h"
#include "protocol/redis/writer.h"
#include "proxy/reply_bytes.h"

namespace overlord::proxy {

using redis::Command;
using routing::Failure;
using routing::Request;
using routing::RequestPool;

namespace {

// "name" or "container|name".
const Command* find(std::string_view name) {
  const size_t bar = name.find('|');
  const Command* const command = redis::find_command(name.substr(0, bar));
  return command == nullptr || bar == std::string_view::npos ? command
                                                             : redis::find_subcommand(*command, name.substr(bar + 1));
}

bool refused(const Command& command) {
  if (command.subcommands.empty()) return command.treatment == redis::Treatment::refused;
  return std::ranges::all_of(command.subcommands, refused);
}

// A bulk string and what is behind it. False: it is none.
bool take_bulk(std::string_view& rest, std::string_view& value) {
  int64_t length = 0;
  size_t header = 0;
  if (!read_header(rest, '$', length, header) || length < 0) return false;
  const size_t size = header + static_cast<size_t>(length) + 2;
  if (rest.size() < size) return false;
  value = rest.substr(header, static_cast<size_t>(length));
  rest.remove_prefix(size);
  return true;
}

struct Docs {
  std::string text;
  size_t count = 0;  // of commands
  std::unordered_set<std::string_view> names;
};

// False: that is no answer to COMMAND DOCS.
bool take_docs(std::string_view reply, Docs& docs) {
  int64_t elements = 0;
  size_t header = 0;
  if (!read_header(reply, '*', elements, header) || elements < 0 || elements % 2 != 0) return false;
  reply.remove_prefix(header);
  for (; elements > 0; elements -= 2) {
    const std::string_view begin = reply;
    std::string_view name;
    if (!take_bulk(reply, name) || !reply.starts_with('*')) return false;
    const size_t size = element_size(reply);
    if (size == 0) return false;
    reply.remove_prefix(size);
    const Command* const known = find(name);
    if (known != nullptr && refused(*known)) {
      redis::append_command_doc(docs.text, *known);
    } else {
      docs.text.append(begin.substr(0, begin.size() - reply.size()));
    }
    ++docs.count;
    docs.names.insert(name);
  }
  return true;
}

// A learned command or a learned container's subcommand; null: it is none.
const Command* find_learned(std::string_view name, std::span<const Command* const> learned) {
  const std::string_view container = name.substr(0, name.find('|'));
  for (const Command* const command : learned) {
    if (redis::equals_lower(name, command->name)) return command;
    if (container.size() == name.size() || !redis::equals_lower(container, command->name)) continue;
    if (const auto* const sub = redis::find_subcommand(*command, name.substr(container.size() + 1))) return sub;
  }
  return nullptr;
}

}  // namespace

std::string learned_docs(const redis::RequestParser& asked, std::span<const Command* const> learned) {
  std::string out;
  if (learned.empty()) return out;
  if (asked.argc() == 2) {
    for (const Command* const command : learned) {
      if (command->name.find('|') == std::string_view::npos) redis::append_command_doc(out, *command);
    }
  }
  redis::ArgCursor names(asked);
  for (uint32_t i = 0; names.next(); ++i) {
    if (i < 2) continue;
    if (const Command* const command = find_learned(names.value(), learned)) redis::append_command_doc(out, *command);
  }
  return out;
}

void write_docs(Request& parent, RequestPool& pool, ChunkQueue& out) {
  redis::RequestParser asked;
  if (asked.parse(parent.copy_view()) != redis::ParseStatus::complete) {
    return out.append(pool.chunks(), routing::redis_error_line(Failure::bad_reply));
  }
  Request& child = *parent.children;
  Docs docs;
  bool answered = child.failure == Failure::none && !child.error_reply;
  if (answered && !take_docs(pool.flatten_reply(child), docs)) {
    answered = false;
    docs = {};
  }
  const auto add = [&docs](const Command& command) {
    if (!docs.names.insert(command.name).second) return;
    redis::append_command_doc(docs.text, command);
    ++docs.count;
  };
  if (asked.argc() == 2 && !answered) {
    for (const Command& command : redis::all_commands()) add(command);
  }
  redis::ArgCursor names(asked);
  for (uint32_t i = 0; names.next(); ++i) {
    if (i < 2) continue;
    if (const Command* const command = find(names.value())) add(*command);
  }
  std::string_view name;
  for (std::string_view rest = parent.reply_view(); take_bulk(rest, name);) {
    const size_t size = element_size(rest);
    if (docs.names.insert(name).second) {
      redis::append_bulk(docs.text, name);
      docs.text.append(rest.substr(0, size));
      ++docs.count;
    }
    rest.remove_prefix(size);
  }
  write_number('*', static_cast<int64_t>(docs.count * 2), pool, out);
  out.append(pool.chunks(), docs.text);
}

}  // namespace overlord::proxy
