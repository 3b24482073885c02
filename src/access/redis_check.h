#pragma once
// Whether a user may make a redis call: the command, each key with what the call does to it, each channel.

#include <string>

#include "access/user.h"
#include "protocol/redis/command.h"
#include "protocol/redis/request_parser.h"

namespace overlord::access {

// What of a call is not allowed.
struct Denial {
  enum class Reason : uint8_t { none, command, key, channel };
  Reason reason = Reason::none;
  std::string object;  // the command, the key, the channel

  std::string_view word() const;     // as ACL LOG names the reason; static storage
  std::string error_text() const;    // without '-' and CRLF, as redis-server 7.0 words it
  std::string dry_run_text() const;  // as ACL DRYRUN says it
};

// Arguments that do not fit the command are left to the server to refuse.
Denial check(const User& user, const redis::Command& command, const redis::RequestParser& request);

// The command and its one key, before the rest of the request has arrived; false where only the whole call can tell.
bool surely_allowed(const User& user, const redis::Command& command, std::string_view key);

}  // namespace overlord::access
