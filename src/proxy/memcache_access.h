#pragma once
// What a memcache client's user may do. The rules of users are those of redis: a memcache command is allowed when the
// redis command that does the same is, and may use a key when that one may.

#include <cstdint>
#include <string_view>

#include "access/user.h"
#include "protocol/memcache/binary_request.h"
#include "protocol/memcache/meta_request.h"
#include "protocol/memcache/request_parser.h"

namespace overlord::proxy {

// Whether all of the request is allowed. For a user that is not unrestricted().
bool permitted(const access::User& user, const memcache::Request& request);
bool permitted(const access::User& user, const memcache::MetaRequest& request);
bool permitted(const access::User& user, const memcache::binary::Request& request);

}  // namespace overlord::proxy
