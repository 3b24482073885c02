#pragma once
// One entry of `servers`:
//   memcache, memcache_binary, redis   HOST:PORT:WEIGHT[ ALIAS]    HOST: name, IPv4, [IPv6]
//                                      /PATH:WEIGHT[ ALIAS]        or unix:/PATH:WEIGHT[ ALIAS]
//   redis_cluster                      HOST:PORT                   (":WEIGHT ALIAS" is cut off, as it always
//   was)

#include <string>
#include <string_view>

#include "base/error.h"
#include "config/config.h"

namespace overlord::config {

struct ServerLine {
  ServerConfig server;  // everything but .line
  std::string note;     // not empty: accepted, but say this
};

// One entry of `masters`: NAME[:WEIGHT][ ALIAS]
Result<ServerLine> parse_master_line(std::string_view text);

Result<ServerLine> parse_server_line(std::string_view text, CacheType type, hashing::Compat compat);

}  // namespace overlord::config
