#include "proxy/memcache_access.h"

#include <array>

#include "protocol/redis/command.h"

namespace overlord::proxy {

using access::kRead;
using access::kWrite;
using memcache::MetaVerb;
using memcache::Verb;
using memcache::binary::Opcode;

namespace {

enum class Deed : uint8_t {
  always,
  get,
  get_and_touch,
  set,
  append,
  count_up,
  count_down,
  touch,
  remove,
  flush,
  stats
};

struct Equal {
  std::string_view redis;
  uint8_t rights;
};

// In the order of Deed.
constexpr std::array<Equal, 11> kEquals = {{{"ping", 0},
                                            {"get", kRead},
                                            {"getex", kRead | kWrite},
                                            {"set", kWrite},
                                            {"append", kWrite},
                                            {"incrby", kRead | kWrite},
                                            {"decrby", kRead | kWrite},
                                            {"expire", kWrite},
                                            {"del", kWrite},
                                            {"flushall", 0},
                                            {"info", 0}}};

bool may(const access::User& user, Deed deed) {
  if (deed == Deed::always) return true;
  const redis::Command* command = redis::find_command(kEquals[static_cast<size_t>(deed)].redis);
  return command != nullptr && user.may_run(*command);
}

bool may_use(const access::User& user, Deed deed, std::string_view key) {
  const uint8_t rights = kEquals[static_cast<size_t>(deed)].rights;
  return rights == 0 || user.may_use_key(key, rights);
}

Deed deed_of(Verb verb) {
  switch (verb) {
    case Verb::get:
    case Verb::gets: return Deed::get;
    case Verb::gat:
    case Verb::gats: return Deed::get_and_touch;
    case Verb::set:
    case Verb::add:
    case Verb::replace:
    case Verb::cas: return Deed::set;
    case Verb::append:
    case Verb::prepend: return Deed::append;
    case Verb::incr: return Deed::count_up;
    case Verb::decr: return Deed::count_down;
    case Verb::touch: return Deed::touch;
    case Verb::delete_: return Deed::remove;
    case Verb::flush_all: return Deed::flush;
    case Verb::stats: return Deed::stats;
    default: return Deed::always;
  }
}

// The word of a flag, without its letter; at: where its letter may stand, behind a blank.
bool has_flag(std::string_view head, char letter) {
  for (size_t at = head.find(' '); at != std::string_view::npos && at + 1 < head.size(); at = head.find(' ', at + 1)) {
    if (head[at + 1] == letter) return true;
  }
  return false;
}

// What stands behind the key, and for ms its length.
std::string_view flags_of(const memcache::MetaRequest& request) {
  const auto from = static_cast<size_t>(request.key.data() + request.key.size() - request.head.data());
  return request.head.substr(from);
}

Deed deed_of(const memcache::MetaRequest& request) {
  const std::string_view flags = flags_of(request);
  switch (request.verb) {
    case MetaVerb::get: return has_flag(flags, 'T') || has_flag(flags, 'N') ? Deed::get_and_touch : Deed::get;
    case MetaVerb::debug: return Deed::get;
    case MetaVerb::set: {
      const size_t mode = flags.find(" M");
      const char what = mode != std::string_view::npos && mode + 2 < flags.size() ? flags[mode + 2] : 'S';
      const bool extends = what == 'A' || what == 'a' || what == 'P' || what == 'p';
      return extends ? Deed::append : Deed::set;
    }
    case MetaVerb::delete_: return Deed::remove;
    case MetaVerb::arithmetic: {
      const size_t mode = flags.find(" M");
      const char what = mode != std::string_view::npos && mode + 2 < flags.size() ? flags[mode + 2] : 'I';
      return what == 'D' || what == 'd' || what == '-' ? Deed::count_down : Deed::count_up;
    }
    default: return Deed::always;
  }
}

Deed deed_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::get:
    case Opcode::getk: return Deed::get;
    case Opcode::gat:
    case Opcode::gatk: return Deed::get_and_touch;
    case Opcode::set:
    case Opcode::add:
    case Opcode::replace: return Deed::set;
    case Opcode::append:
    case Opcode::prepend: return Deed::append;
    case Opcode::increment: return Deed::count_up;
    case Opcode::decrement: return Deed::count_down;
    case Opcode::touch: return Deed::touch;
    case Opcode::delete_: return Deed::remove;
    case Opcode::flush: return Deed::flush;
    case Opcode::stat: return Deed::stats;
    default: return Deed::always;
  }
}

}  // namespace

bool permitted(const access::User& user, const memcache::Request& request) {
  const Deed deed = deed_of(request.verb);
  if (!may(user, deed)) return false;
  if (!memcache::is_retrieval(request.verb)) return may_use(user, deed, request.key);
  memcache::KeyCursor keys(request.keys);
  for (std::string_view key = keys.next(); !key.empty(); key = keys.next()) {
    if (!may_use(user, deed, key)) return false;
  }
  return true;
}

bool permitted(const access::User& user, const memcache::MetaRequest& request) {
  const Deed deed = deed_of(request);
  return may(user, deed) && may_use(user, deed, request.routing_key());
}

bool permitted(const access::User& user, const memcache::binary::Request& request) {
  const Deed deed = deed_of(request.opcode);
  return may(user, deed) && may_use(user, deed, request.key);
}

}  // namespace overlord::proxy
