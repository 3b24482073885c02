#include "protocol/memcache/command_id.h"

#include <iterator>

namespace overlord::memcache {
namespace {

// Those that no Verb names.
constexpr std::string_view kMoreNames[] = {"mg", "ms", "md", "ma", "mn", "me", "noop", "sasl"};
constexpr auto kFirstVerb = static_cast<uint16_t>(CommandId::get);
constexpr auto kFirstMore = static_cast<uint16_t>(CommandId::mg);
static_assert(kFirstMore + std::size(kMoreNames) == kCommandIds);
static_assert(command_id(Verb::quit) == CommandId::quit && command_id(MetaVerb::debug) == CommandId::me);

}  // namespace

CommandId command_id(binary::Opcode opcode) {
  using binary::Opcode;
  switch (binary::loud(opcode)) {
    case Opcode::get:
    case Opcode::getk: return CommandId::get;
    case Opcode::set: return CommandId::set;
    case Opcode::add: return CommandId::add;
    case Opcode::replace: return CommandId::replace;
    case Opcode::delete_: return CommandId::delete_;
    case Opcode::increment: return CommandId::incr;
    case Opcode::decrement: return CommandId::decr;
    case Opcode::quit: return CommandId::quit;
    case Opcode::flush: return CommandId::flush_all;
    case Opcode::noop: return CommandId::noop;
    case Opcode::version: return CommandId::version;
    case Opcode::append: return CommandId::append;
    case Opcode::prepend: return CommandId::prepend;
    case Opcode::stat: return CommandId::stats;
    case Opcode::verbosity: return CommandId::verbosity;
    case Opcode::touch: return CommandId::touch;
    case Opcode::gat:
    case Opcode::gatk: return CommandId::gat;
    case Opcode::sasl_list_mechs:
    case Opcode::sasl_auth:
    case Opcode::sasl_step: return CommandId::sasl;
    default: return CommandId::none;
  }
}

std::string_view command_name(uint16_t id) {
  if (id < kFirstVerb || id >= kCommandIds) return {};
  return id < kFirstMore ? verb_name(static_cast<Verb>(id - kFirstVerb)) : kMoreNames[id - kFirstMore];
}

}  // namespace overlord::memcache
