#pragma once
// ClientState: everything that a client's session knows and that must outlive it when the client moves to another
// process: who the client is, what it has set, and what it has sent and nobody has looked at. Moments are those of
// CLOCK_MONOTONIC, which both processes share, in ns.
//
// The process that receives one checks it as it would anything from outside: what does not fit is a client that it does
// not take, and that stays where it is.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace overlord::handover {

struct ClientState {
  // Of the fields below: one more field is one more version. A process takes its own version only.
  static constexpr uint32_t kVersion = 1;
  // Bytes that were received and not looked at.
  static constexpr uint32_t kMostInput = 4U << 20;
  static constexpr uint8_t kMostDialect = 3;
  static constexpr uint8_t kMostReplyMode = 3;

  enum class User : uint8_t { none, usual, named };  // not logged in; the default user; user_name

  std::string cluster;
  uint8_t cache_type = 0;  // of config::CacheType
  uint64_t id = 0;
  uint64_t last_active = 0;
  uint32_t reply_estimate = 0;  // bytes
  uint64_t penalty_delay = 0;   // ns, of the next wrong password
  bool addresses_told = false;  // by a PROXY header; the next two are as the kernel has them
  std::string source;
  std::string destination;
  uint8_t user = 0;  // of User
  std::string user_name;
  // Redis
  uint8_t protocol = 2;
  uint8_t reply_mode = 0;
  uint32_t born = 0;  // seconds
  std::string name;
  std::string library_name;
  std::string library_version;
  bool wants_moving = false;  // CLIENT MAINT_NOTIFICATIONS ON
  // memcache
  uint8_t dialect = 0;
  uint64_t swallow = 0;    // bytes of a refused value, text
  uint64_t body_left = 0;  // and binary
  bool sasl_begun = false;

  std::string input;   // travels by itself
  bool stays = false;  // never travels: nobody else takes this client

  template <typename Io>
  void visit(Io& io) {
    io(cluster), io(cache_type), io(id), io(last_active), io(reply_estimate), io(penalty_delay);
    io(addresses_told), io(source), io(destination), io(user), io(user_name);
    io(protocol), io(reply_mode), io(born), io(name), io(library_name), io(library_version), io(wants_moving);
    io(dialect), io(swallow), io(body_left), io(sasl_begun);
  }
};

std::string encode(ClientState& state);
// The error says what is wrong with it.
Result<ClientState> decode_client(std::string_view bytes);

}  // namespace overlord::handover
