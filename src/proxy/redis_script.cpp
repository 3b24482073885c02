#include "proxy/redis_script.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>

#include "protocol/redis/command.h"
#include "protocol/redis/command_lookup.h"
#include "protocol/redis/writer.h"

namespace overlord::proxy {

using redis::Command;
using redis::RequestParser;
using routing::Answer;
using routing::Failure;
using routing::HopResult;
using routing::Request;
using routing::Wire;

namespace {

// Bytes of an EVALSHA that are kept for a second attempt. A client may have max_pipeline of them in flight.
constexpr size_t kMaxKept = 16 * 1024;

bool by_text(const Command& command) {
  return command.name.starts_with("eval") && !command.name.starts_with("evalsha");
}
bool by_sha(const Command& command) { return command.name.starts_with("evalsha"); }

bool lower_sha(std::string_view given, ScriptSha& sha) {
  if (given.size() != sha.size()) return false;
  std::ranges::transform(given, sha.begin(), lower);
  return true;
}

}  // namespace

const ScriptSha& Scripts::learn(std::string_view text) {
  if (known_.empty()) known_.resize(kKnown);
  const uint64_t hash = std::hash<std::string_view>()(text) ^ text.size();
  Known& known = known_[hash % kKnown];
  const uint64_t generation = cache_.generation();
  if (known.hash == hash && known.generation == generation) return known.sha;
  known = {hash, generation, script_sha(text)};
  cache_.put(known.sha, text);
  return known.sha;
}

std::string_view Scripts::placement(const RequestParser& call) {
  const std::string_view what = call.arg(1);
  const Command* const command = redis::find_command(call.arg(0));
  if (by_text(*command)) {
    placed_ = learn(what);
  } else if (!by_sha(*command) || !lower_sha(what, placed_)) {
    return what;
  }
  return {placed_.data(), placed_.size()};
}

void Scripts::send(Request& call, const RequestParser& message) {
  if (cache_.enabled()) {
    if (by_text(*call.command)) {
      learn(message.arg(1));
    } else if (by_sha(*call.command) && !cache_.empty() && call.bytes.size() <= kMaxKept) {
      call.key_map = turn_.buffers.take(call.bytes.size());
      std::memcpy(call.key_map.data, call.bytes.data(), call.bytes.size());
      call.push_hop(this, call.bytes.size());
    }
  }
  pool_.send(call);
}

void Scripts::note(const Command& command, const RequestParser& message) {
  if (command.name == "script|flush") {
    cache_.clear();
  } else if (command.name == "script|load" && cache_.enabled()) {
    learn(message.arg(2));
  }
}

HopResult Scripts::on_reply(Request& call, uint64_t kept) noexcept {
  if (!call.error_reply || call.failure != Failure::none || !call.held_by_owner) [[likely]]
    return HopResult::done;
  if (!turn_.requests.flatten_reply(call).starts_with("-NOSCRIPT")) return HopResult::done;
  RequestParser message;
  ScriptSha sha{};
  std::string text;
  if (message.parse({call.key_map.data, kept}) != redis::ParseStatus::complete || !lower_sha(message.arg(1), sha) ||
      !cache_.find(sha, text)) {
    return HopResult::done;
  }
  std::string wire;
  redis::append_array_header(wire, message.argc());
  redis::append_bulk(wire, call.command->name == "evalsha" ? "EVAL" : "EVAL_RO");
  redis::append_bulk(wire, text);
  wire.append(message.wire().substr(message.arg_header_offset(2)));

  struct First {
    std::string_view key{};
    bool found = false;
  } first;
  redis::visit_keys(
      *call.command, message,
      [](void* context, std::string_view key) {
        First& f = *static_cast<First*>(context);
        if (!f.found) f = {key, true};
      },
      &first);
  turn_.requests.drop_reply(call);
  call.error_reply = false;
  call.answer = Answer::forward_child;
  Request& again = turn_.requests.take_child(call, Wire::redis);
  again.command = call.command;
  again.key = first.found ? first.key : std::string_view(sha.data(), sha.size());
  again.bytes = wire;
  pool_.send(again);
  return HopResult::taken;
}

}  // namespace overlord::proxy
