#pragma once
// Whether a user may make a redis call: the command, each key with what the call does to it, each channel.

#include <string>

#include "access/user.h"
#include "protocol/redis/command.h"
#include "protocol/redis/request_parser.h"

namespace overlord::access {

// The error's text (without '-' and CRLF) as redis-server 7.0 words it; empty when the call is allowed. Arguments that
// do not fit the command are left to the server to refuse.
std::string refusal(const User& user, const redis::Command& command, const redis::RequestParser& request);

// The command and its one key, before the rest of the request has arrived; false where only the whole call can tell.
bool surely_allowed(const User& user, const redis::Command& command, std::string_view key);

}  // namespace overlord::access
