#pragma once
// Replies to meta commands. Stateless; the caller counts value bytes itself.
// Source: memcached's doc/protocol.txt and the behaviour of memcached 1.6.18.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/memcache/meta_request.h"
#include "protocol/memcache/reply_line.h"

namespace overlord::memcache {

// One line: `value` is VA <bytes> <flags>*, `line` is HD, EN, NS, EX, NF, MN, ME or OK (HD of -o meta_response_old)
// with flags. The others as of parse_reply_line; never `end`, never `stat`, no key.
ReplyLine parse_meta_reply_line(std::string_view bytes);

// Whether a quiet command leaves this reply out. reply: at least its first two bytes.
//   mg: EN    ms, md: HD    ma: HD and VA
// One answer of 1.6.18 is hidden too that it shows: HD of ma with N when that made the item.
bool meta_hidden(MetaVerb verb, std::string_view reply);

// Appends `line`, a reply of mg with its line end, to `out` with the flags k<key> and b put in as memcached would have.
// before_hit, before_miss: the flags in front of them in HD and VA, and in EN. Errors stay as they are.
void insert_key(std::string_view line, std::string_view key, size_t before_hit, size_t before_miss, std::string& out);

}  // namespace overlord::memcache
