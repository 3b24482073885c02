#pragma once
// Scripts: calls of scripts and functions (EVAL, EVALSHA, FCALL and their _RO forms) of one cluster in one worker.
//
// A call goes to the node of its keys. One without keys goes where the script's SHA-1 (or the function's name) hashes
// to, so that EVAL and EVALSHA of the same script always mean the same node.
//
// The text of every script that is loaded or called by its text is kept in the ScriptCache. When a node answers NOSCRIPT
// to an EVALSHA whose text is there, the call is sent once more, as the EVAL it stands for, which also loads it there:
// the client's request gathers that as its only child. For this the bytes of an EVALSHA are kept with its request until
// it is answered, if they are few; a call with more arguments gets the node's NOSCRIPT. Requests that the client has
// sent after it are not held up meanwhile.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/redis/request_parser.h"
#include "proxy/script_cache.h"
#include "proxy/turn.h"
#include "routing/route.h"

namespace overlord::proxy {

class Scripts final : public routing::Route {
 public:
  // pool: where calls go.
  Scripts(Turn& turn, routing::Route& pool, ScriptCache& cache) : turn_(turn), pool_(pool), cache_(cache) {}

  // What is sent to place a call that has no keys. Valid until the next call and while the message is there.
  std::string_view placement(const redis::RequestParser& call);
  // call: with its command, key and bytes set, as for any other route.
  void send(routing::Request& call, const redis::RequestParser& message);
  // SCRIPT LOAD and SCRIPT FLUSH, which go to all nodes.
  void note(const redis::Command& command, const redis::RequestParser& message);

  // routing::Route
  void send(routing::Request& request) noexcept override { pool_.send(request); }
  routing::HopResult on_reply(routing::Request& call, uint64_t scratch) noexcept override;
  int32_t target(std::string_view key) const noexcept override { return pool_.target(key); }
  void broadcast(routing::Request& parent, routing::Wire wire, std::string_view bytes) noexcept override {
    pool_.broadcast(parent, wire, bytes);
  }
  void explain(std::string_view key, std::string& out) const override { pool_.explain(key, out); }

 private:
  // Texts that this worker has given to the cache lately, so that it need not hash and lock for each call. By a hash
  // that may be wrong: then a call without keys goes to another node, or a script is not kept.
  struct Known {
    uint64_t hash = 0;
    uint64_t generation = 0;
    ScriptSha sha{};
  };
  static constexpr size_t kKnown = 512;

  const ScriptSha& learn(std::string_view text);

  Turn& turn_;
  routing::Route& pool_;
  ScriptCache& cache_;
  std::vector<Known> known_;  // empty until the first script
  ScriptSha placed_{};
};

}  // namespace overlord::proxy
